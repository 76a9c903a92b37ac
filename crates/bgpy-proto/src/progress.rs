//! How far a call has come.

use std::borrow::Cow;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec;
use crate::failure::shortened;
use crate::limits::PROGRESS_TEXT_BYTES_MAX;

/// Room for the note that a shortened text has, in bytes.
const NOTE_BYTES: usize = 64;

/// How far a task says that it has come, in a unit of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// What is done.
    pub done: Option<f64>,
    /// What there is to do in all.
    pub total: Option<f64>,
    /// What the task does now. One that is longer than [`PROGRESS_TEXT_BYTES_MAX`] loses its middle on the wire.
    #[serde(serialize_with = "write_text", deserialize_with = "read_text")]
    pub text: Option<String>,
}

impl Progress {
    /// Shortens a text that is too long.
    pub fn new(done: Option<f64>, total: Option<f64>, text: Option<&str>) -> Self {
        Self { done, total, text: text.map(|text| short(text).into_owned()) }
    }

    /// The part that is done, from 0 to 1, if that is known.
    pub fn fraction(&self) -> Option<f64> {
        let (done, total) = self.done.zip(self.total)?;
        let part = Some(done / total).filter(|part| total > 0.0 && part.is_finite());
        part.map(|part| part.clamp(0.0, 1.0))
    }

    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        codec::to_vec(self).expect("progress is flat and short")
    }

    /// Decodes it; `None` if the bytes are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        codec::from_map(bytes)
    }
}

fn short(text: &str) -> Cow<'_, str> {
    if text.len() <= PROGRESS_TEXT_BYTES_MAX {
        return text.into();
    }
    shortened(text, PROGRESS_TEXT_BYTES_MAX - NOTE_BYTES)
}

fn write_text<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_deref().map(short).serialize(serializer)
}

fn read_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    match text {
        Some(text) if text.len() > PROGRESS_TEXT_BYTES_MAX => {
            Err(D::Error::custom("a long text of progress"))
        }
        text => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Value;

    #[test]
    fn survives_the_wire() {
        let longest = "é".repeat(PROGRESS_TEXT_BYTES_MAX / 2);
        for progress in [
            Progress::default(),
            Progress::new(Some(3.0), Some(10.0), Some("training")),
            Progress::new(None, None, Some(&longest)),
        ] {
            assert_eq!(Progress::decode(&progress.encode()), Some(progress));
        }
        assert_eq!(Progress::decode(b"\x80"), Some(Progress::default()));
    }

    #[test]
    fn a_long_text_is_sent_short_and_not_taken() {
        for text in ["x", "é", "\u{1f600}"].map(|unit| unit.repeat(PROGRESS_TEXT_BYTES_MAX + 1)) {
            let made = Progress::new(None, None, Some(&text));
            let told = Progress::decode(&made.encode()).expect("it fits");
            assert_eq!(told, made);
            let ends = [0, text.len() - 4].map(|at| &text[at..at + 4]);
            let kept = told.text.as_deref().unwrap_or_default();
            assert!(kept.starts_with(ends[0]) && kept.ends_with(ends[1]), "{kept}");
            assert_eq!(Progress { text: Some(text.clone()), ..made }.encode(), told.encode());
            let long = Value::from([("text", Value::from(text))]).encode().expect("it is flat");
            assert_eq!(Progress::decode(&long), None);
        }
    }

    #[test]
    fn a_fraction_needs_two_numbers_that_make_sense() {
        for (done, total, fraction) in [
            (Some(1.0), Some(4.0), Some(0.25)),
            (Some(5.0), Some(4.0), Some(1.0)),
            (Some(-1.0), Some(4.0), Some(0.0)),
            (Some(1.0), Some(0.0), None),
            (Some(f64::NAN), Some(1.0), None),
            (Some(f64::INFINITY), Some(1.0), None),
            (Some(1.0), None, None),
            (None, Some(1.0), None),
        ] {
            assert_eq!(Progress::new(done, total, None).fraction(), fraction, "{done:?} {total:?}");
        }
    }
}
