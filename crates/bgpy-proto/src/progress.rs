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
}
