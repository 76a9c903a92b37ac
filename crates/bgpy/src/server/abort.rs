//! Cancelling a call of any client, by its number.

use bgpy_proto::{AbortReply, AbortRequest, Aborted, CallKind};

use super::admission::cancelled;
use super::calls::Called;
use super::cancellation::Why;
use super::core::Core;
use super::under_way::Requested;

impl Core {
    /// Cancels a call, and answers the request to do so.
    pub(super) fn abort(&mut self, connection: usize, request: u64, about: &AbortRequest) {
        let (outcome, call) = match &about.job {
            Some(job) => match self.jobs.find(job).and_then(|job| self.jobs.call_of(job)) {
                Some(call) => self.cancel_any(Some(call)),
                None => (Aborted::Unknown, None),
            },
            None => self.cancel_any(about.call),
        };
        let number = call.as_ref().map(|call| call.number);
        let task = call.map(|call| call.task().to_owned());
        let reply = AbortReply { outcome, call: number, task };
        self.with_session(connection, |session| session.aborted(request, &reply));
    }

    fn cancel_any(&mut self, number: Option<u64>) -> (Aborted, Option<Called>) {
        let under_way = &self.calls.under_way;
        let call = number.map_or_else(|| under_way.first(), |number| under_way.get(number));
        if let Some(call) = call.cloned() {
            let is_executed = under_way.executes(call.number);
            if call.kind == CallKind::Exit || is_executed && !self.control.can_interrupt() {
                return (Aborted::Refused, Some(call));
            }
            let requested = self.control.interrupt(&mut self.calls, call.number, Why::Asked);
            return match requested {
                Requested::Refused => (Aborted::Refused, Some(call)),
                _ => (Aborted::Interrupted, Some(call)),
            };
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
