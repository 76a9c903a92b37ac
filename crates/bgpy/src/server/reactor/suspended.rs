//! Calls that the executing thread has begun, and goes on with between others.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::server::calls::Called;
use crate::server::executor::Suspended;
use crate::server::readers::stopped;
use crate::server::shared::Shared;

/// The suspended calls, in the order in which they have their turns.
#[derive(Default)]
pub(crate) struct SuspendedCalls(Vec<(Called, Box<dyn Suspended>)>);

impl SuspendedCalls {
    pub(crate) fn push(&mut self, shared: &Shared, call: Called, suspended: Box<dyn Suspended>) {
        // It may have given way although it could go on.
        shared.leave(|under_way, asked| under_way.suspend(asked));
        self.0.push((call, suspended));
        self.count(shared, 0);
    }

    /// Goes on with each of them that can, for a while. Returns whether there was one.
    pub(crate) fn go_on(&mut self, shared: &Arc<Shared>) -> bool {
        if self.0.is_empty() {
            return false;
        }
        {
            let under_way = &mut shared.core.lock().calls.under_way;
            // They may write, so they never run beside readers.
            if under_way.readers() > 0 || !under_way.take_stirred() {
                return false;
            }
        }
        let mut has_moved = false;
        // The others have their turn while one of them runs.
        self.count(shared, 1);
        self.0.retain_mut(|(call, suspended)| {
            let is_cancelled = shared.core.lock().calls.under_way.is_cancelled(call.number);
            if !is_cancelled && !suspended.is_ready() {
                return true;
            }
            let asked = shared.core.lock().calls.under_way.resume(call.number);
            has_moved = true;
            let outcome = shared.running(call, asked, || suspended.resume());
            if matches!(outcome, Ok(false)) {
                shared.leave(|under_way, asked| under_way.suspend(asked));
                return true;
            }
            shared.steering.cancellation.end();
            shared.core.lock().over(call, &outcome.map(|_| false));
            false
        });
        self.count(shared, 0);
        has_moved
    }

    /// Ends all of them, because the server does.
    pub(crate) fn end(&mut self, shared: &Shared) {
        for (call, suspended) in self.0.drain(..) {
            drop(suspended);
            shared.core.lock().over(&call, &Err(stopped()));
        }
    }

    /// Tells those that run how many others there are.
    fn count(&self, shared: &Shared, running: usize) {
        let others = self.0.len().saturating_sub(running);
        shared.steering.suspended.store(others, Ordering::Relaxed);
    }
}
