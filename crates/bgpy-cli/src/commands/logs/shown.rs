//! Prints a log: as it is, or an object of JSON per line.

use bgpy::log::parts;
use bgpy::log::read::remains;
use serde_json::json;

use crate::output::{Output, Pieces, json_line};

/// Prints a log.
pub(super) struct Shown {
    form: Form,
    /// The last line of the remains; what follows must not repeat it.
    first: Vec<u8>,
}

enum Form {
    Text(Pieces),
    /// The line that has not ended yet.
    Json(Vec<u8>),
}

impl Shown {
    pub(super) fn new(output: Output) -> Self {
        let form = match output.is_json() {
            true => Form::Json(Vec::new()),
            false => Form::Text(Pieces::of_log(output.is_colored())),
        };
        Self { form, first: Vec::new() }
    }

    /// Shows what the first part of the log keeps of deleted files.
    pub(super) fn remains(&mut self, text: &[u8]) {
        let kept = remains(text);
        if let Some(last) = kept.split_inclusive(|byte| *byte == b'\n').next_back() {
            self.form.write(kept);
            self.first = last.to_owned();
        }
    }

    /// `false` if standard output takes no more.
    pub(super) fn write(&mut self, text: &[u8]) -> bool {
        if self.first.is_empty() || text.is_empty() {
            return self.form.write(text);
        }
        let first = std::mem::take(&mut self.first);
        let at = text.windows(first.len()).position(|part| part == first);
        self.form.write(at.map_or(text, |at| &text[at + first.len()..]))
    }

    pub(super) fn finish(self) {
        match self.form {
            Form::Text(pieces) => pieces.finish(),
            Form::Json(line) if !line.is_empty() => drop(object(&line)),
            Form::Json(_) => {}
        }
    }
}

impl Form {
    fn write(&mut self, text: &[u8]) -> bool {
        let line = match self {
            Self::Text(pieces) => return pieces.write(text),
            Self::Json(line) => line,
        };
        for part in text.split_inclusive(|byte| *byte == b'\n') {
            line.extend(part);
            if part.ends_with(b"\n") && !object(&std::mem::take(line)) {
                return false;
            }
        }
        true
    }
}

/// Prints a line as an object; `false` if standard output takes no more.
fn object(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let found = parts(text);
    json_line(&json!({
        "time": found.map(|record| record.stamp),
        "level": found.map(|record| record.level.as_str()),
        "text": found.map_or(text, |record| record.text),
    }))
}
