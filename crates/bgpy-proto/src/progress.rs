//! How far a call has come.

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::failure::shortened;
use crate::limits::PROGRESS_TEXT_BYTES_MAX;

/// How far a task says that it has come, in a unit of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What is done.
    pub done: Option<f64>,
    /// What there is to do in all.
    pub total: Option<f64>,
    /// What the task does now.
    pub text: Option<String>,
}

impl Progress {
    /// Shortens a text that is too long.
    pub fn new(done: Option<f64>, total: Option<f64>, text: Option<&str>) -> Self {
        let text = text.map(|text| shortened(text, PROGRESS_TEXT_BYTES_MAX).into_owned());
        Self { done, total, text }
    }

    /// The part that is done, from 0 to 1, if that is known.
    pub fn fraction(&self) -> Option<f64> {
        let (done, total) = self.done.zip(self.total)?;
        let part = Some(done / total).filter(|part| total > 0.0 && part.is_finite());
        part.map(|part| part.clamp(0.0, 1.0))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        codec::to_vec(self).expect("progress is flat and short")
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        codec::from_map(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_wire() {
        for progress in
            [Progress::default(), Progress::new(Some(3.0), Some(10.0), Some("training"))]
        {
            assert_eq!(Progress::decode(&progress.encode()), Some(progress));
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
