//! Cancelling a call of any client, by its number.

use bgpy_proto::{AbortReply, AbortRequest, Aborted, CallKind};

use super::admission::cancelled;
use super::calls::Called;
use super::cancellation::Why;
use super::core::Core;

impl Core {
    /// Cancels a call, and answers the request to do so.
    pub(super) fn abort(&mut self, connection: usize, request: u64, about: &AbortRequest) {
        let (outcome, call) = self.cancel_any(about.call);
        let running = || about.call.or(self.calls.running_number());
        let number = call.as_ref().and_then(|_| running());
        let task = call.map(|call| call.task().to_owned());
        let reply = AbortReply { outcome, call: number, task };
        self.with_session(connection, |session| session.aborted(request, &reply));
    }

    fn cancel_any(&mut self, number: Option<u64>) -> (Aborted, Option<Called>) {
        let running = self.calls.running_number();
        if let Some(call) =
            self.calls.running_call().filter(|_| number.is_none() || number == running)
        {
            if call.kind == CallKind::Exit || !self.control.can_interrupt() {
                return (Aborted::Refused, Some(call));
            }
            self.control.interrupt(&self.calls, Why::Asked);
            return (Aborted::Interrupted, Some(call));
        }
        let Some(call) = number.and_then(|number| self.calls.find(number)) else {
            return (Aborted::Unknown, None);
        };
        if self.lifecycle.is_exit(call.connection, call.id) {
            return (Aborted::Refused, Some(call));
        }
        self.calls.cancel(call.connection, call.id);
        self.conclude(call.connection, call.id, &Err(cancelled()));
        (Aborted::Removed, Some(call))
    }
}
