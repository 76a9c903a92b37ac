//! The inputs that libFuzzer has found to reach something of their own.
//!
//! `make fuzz` goes on from them and keeps what it finds; here each is played once more.

use std::path::Path;

use crate::bounded;
use crate::targets;

/// Memory that any of them may take: none is longer than some kilobytes.
const BYTES_MAX: usize = 8 << 20;

/// Inputs that a corpus has at least, so that one that is lost is noticed.
const LEAST: usize = 200;

type Target = fn(&[u8]) -> bool;

#[test]
fn what_was_found_is_played_again() {
    let all: [(&str, Target); 4] = [
        ("frame", targets::frame),
        ("handshake", targets::handshake),
        ("payload", targets::payload),
        ("session", targets::session),
    ];
    for (name, target) in all {
        let inputs = unpacked(name);
        assert!(inputs.len() >= LEAST, "{name}: {} inputs", inputs.len());
        let reached = inputs.iter().filter(|input| bounded(input, BYTES_MAX, target)).count();
        assert!(reached > 0, "{name}: none gets past the decoder");
    }
}

/// Each input, with its length before it.
fn unpacked(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpora");
    let packed = std::fs::read(folder.join(format!("{name}.packed"))).expect("it is kept");
    let (mut inputs, mut left) = (Vec::new(), &packed[..]);
    while let Some((length, rest)) = left.split_first_chunk() {
        let (input, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        inputs.push(input.to_vec());
        left = rest;
    }
    assert!(left.is_empty(), "{name} ends in the middle of a length");
    inputs
}
