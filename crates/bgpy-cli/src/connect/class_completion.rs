//! Candidates for the class behind a Python file, as in counter.py:Counter. The file is read, and never run.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};

use super::completion::words_before;
use crate::origin::is_identifier;

/// How much of a file is read: more would keep the user waiting.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The commands that take a file with a class.
const COMMANDS: [&str; 3] = ["start", "run", "server"];

/// Completes files, and the classes in a Python file.
pub(crate) fn of_origin() -> ArgValueCompleter {
    ArgValueCompleter::new(candidates)
}

fn candidates(current: &OsStr) -> Vec<CompletionCandidate> {
    let text = current.to_str().unwrap_or_default();
    let qualified = |file: &str, begun: &str| {
        let classes = classes_of(file, begun).into_iter();
        classes.map(|class| CompletionCandidate::new(format!("{file}:{class}"))).collect()
    };
    if let Some((file, begun)) = text.rsplit_once(':').filter(|(file, _)| is_python(file)) {
        return qualified(file, begun);
    }
    let mut found = PathCompleter::file().complete(current);
    if is_python(text) {
        found.extend::<Vec<_>>(qualified(text, ""));
    }
    found
}

/// What completes the last of these words in bash, which takes `a.py:B` for three words, so that the parser of
/// arguments would take the class for the next argument. `None` if they are of another kind.
pub(crate) fn in_bash(arguments: &[OsString]) -> Option<Vec<String>> {
    let (before, current) = words_before(arguments)?;
    let (command, before) = (before.get(1)?.to_str()?, before.get(2..)?);
    if !COMMANDS.contains(&command) {
        return None;
    }
    let (file, begun) = match (current?.to_str()?, before) {
        (":", [.., file]) => (file, ""),
        (begun, [.., file, colon]) if colon == ":" => (file, begun),
        _ => return None,
    };
    let file = file.to_str().filter(|file| is_python(file))?;
    Some(classes_of(file, begun))
}

fn is_python(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == "py")
}

/// The classes of a file whose names begin so.
fn classes_of(file: &str, begun: &str) -> Vec<String> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
    if read.is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let found = text.lines().filter_map(class_name).filter(|name| name.starts_with(begun));
    found.map(str::to_owned).collect()
}

/// The public class that a line of a module defines.
fn class_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("class ")?.trim_start();
    let end = rest.find(|letter: char| "(:[".contains(letter) || letter.is_whitespace())?;
    let name = &rest[..end];
    let opens = rest[end..].trim_start().starts_with(['(', ':', '[']);
    (opens && is_identifier(name) && !name.starts_with('_')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_define_public_classes_are_found() {
        for (line, name) in [
            ("class Counter:", Some("Counter")),
            ("class Counter(Base):  # one", Some("Counter")),
            ("class  Box[T]:", Some("Box")),
            ("class Spaced :", Some("Spaced")),
            ("class Größe:", Some("Größe")),
            ("    class Inner:", None),
            ("class _Hidden:", None),
            ("class of things, in words", None),
            ("classes = 3", None),
            ("class", None),
        ] {
            assert_eq!(class_name(line), name, "{line}");
        }
    }
}
