//! What was done to a server.

use bgpy::Target;
use serde_json::{Value, json};

use crate::exit::Exit;

/// What was done to a server.
pub(super) struct Outcome {
    pub(super) target: Target,
    pub(super) pid: Option<u32>,
    pub(super) result: StopResult,
    /// Why it has not ended, or not in order.
    pub(super) error: Option<String>,
    pub(super) exit: Result<(), Exit>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum StopResult {
    Stopped,
    Killed,
    Failed,
}

impl Outcome {
    /// Whether the user interrupted the wait for its end.
    pub(super) fn is_interrupted(&self) -> bool {
        self.exit == Err(Exit::Interrupted)
    }

    pub(super) fn json(&self) -> Value {
        let result = match self.result {
            StopResult::Stopped => "stopped",
            StopResult::Killed => "killed",
            StopResult::Failed => "failed",
        };
        json!({
            "target": self.target.to_string(),
            "pid": self.pid,
            "result": result,
            "error": self.error,
        })
    }
}
