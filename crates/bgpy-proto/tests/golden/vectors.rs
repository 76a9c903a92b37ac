//! Reads the files of vectors.

use std::collections::BTreeMap;

/// The vectors of a file by their names.
pub type Vectors = BTreeMap<String, Vec<u8>>;

/// Reads a file of vectors.
pub fn vectors(file: &str) -> Vectors {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let vectors: Vectors = lines
        .map(|line| {
            let (name, words) = line.split_once('=').expect("a line is `name = bytes`");
            (name.trim().to_owned(), words.split_whitespace().flat_map(expand).collect())
        })
        .collect();
    assert!(!vectors.is_empty());
    vectors
}

/// The bytes of `xx` or of `xx*n`.
fn expand(word: &str) -> Vec<u8> {
    let (digits, times) = word.split_once('*').unwrap_or((word, "1"));
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { panic!("half a byte: {word}") };
    let byte = |pair: &[u8; 2]| u8::from_str_radix(text(pair), 16).expect("the digits are hex");
    let times = times.parse().expect("a number of times");
    pairs.iter().map(byte).collect::<Vec<_>>().repeat(times)
}

/// The text that a vector holds.
pub fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("the vector is a text")
}

/// Compares what was made with all vectors of a file, so that none of either is left out.
pub fn assert_all(made: Vec<(String, Vec<u8>)>, pinned: Vectors) {
    for (name, bytes) in &made {
        assert_eq!(Some(bytes), pinned.get(name), "{name}");
    }
    assert_eq!(made.len(), pinned.len(), "a vector is not tested, or made twice");
}
