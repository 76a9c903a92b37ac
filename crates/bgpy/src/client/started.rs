//! Waiting, on a connection, until its server has started.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use super::link::Link;
use super::restart_wait::{POLL_EVERY, has_tasks};
use crate::error::{CallError, ConnectError};
use crate::wait::Wait;

impl Link {
    /// Whether calls can be sent without the risk that a failing start loses them. Calls during the
    /// first start of a server are sent and wait there: if it fails, their callers get the error,
    /// as the starter does.
    #[doc(hidden)]
    pub fn has_started(&self) -> bool {
        self.has_started.load(Ordering::Relaxed)
    }

    /// Waits until a restarted server has its tasks. If its start fails, the connection is lost,
    /// and an unsent call can be sent on the next one.
    ///
    /// # Errors
    /// [`CallError`]; [`ConnectError::Restarting`] if the time is over.
    #[doc(hidden)]
    pub fn await_start(self: &Arc<Self>, wait: &Wait<'_>) -> Result<(), CallError> {
        self.look_for_start(wait).map_err(|error| match error {
            CallError::Timeout { server, after, .. } => {
                ConnectError::Restarting { server, after, failing: None }.into()
            }
            error => error,
        })
    }

    fn look_for_start(self: &Arc<Self>, wait: &Wait<'_>) -> Result<(), CallError> {
        while !self.has_started() {
            if has_tasks(&self.status(wait)?) {
                self.has_started.store(true, Ordering::Relaxed);
                break;
            }
            // The start itself would wait for its end.
            let _waiting = self.waiting()?;
            let slice = wait.slice().ok_or_else(|| self.timed_out(wait, false))?;
            if wait.is_interrupted() {
                return Err(CallError::Interrupted);
            }
            thread::sleep(slice.min(POLL_EVERY));
        }
        Ok(())
    }
}
