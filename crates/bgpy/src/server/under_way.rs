//! The calls that have begun and are not over: the one that the executing thread runs, and those beside it, which
//! wait for something or are run elsewhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::calls::{Called, Waiting};
use super::cancellation::{Cancellation, Why};
use crate::clock;

/// A call that has begun.
#[derive(Debug)]
struct Begun {
    called: Called,
    deadline: Option<Instant>,
    is_attached: bool,
    can_cancel: bool,
    /// When it began, as far as the stand-in has noticed: short calls do not read the clock.
    since: Option<Instant>,
}

/// Where a call is that the executing thread does not run now.
#[derive(Debug)]
enum Aside {
    /// It waits until the executing thread goes on with it. Why it was cancelled meanwhile, if it was.
    Suspended(Option<Why>),
    /// A reader runs it.
    Reader(Arc<Cancellation>),
    /// The executor runs it, between others.
    Executor(Arc<Cancellation>),
}

/// What becomes of a request to cancel a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Requested {
    /// The executing thread is to be interrupted.
    OfExecuting,
    /// It is noted, and heard of soon.
    Noted,
    /// The call does not let itself be cancelled.
    Refused,
    /// There is no such call.
    Unknown,
}

/// Calls that have begun and are not over.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    executing: Option<Begun>,
    beside: Vec<(Begun, Aside)>,
    /// Whether something has happened for which a suspended call may have waited.
    is_stirred: bool,
    /// Whether the executor has something to do between calls, other than calls.
    pub(super) executor_has_more: bool,
}

impl Begun {
    fn of(call: &Waiting, can_cancel: bool, timed: bool) -> Self {
        Self {
            called: Called::of(call),
            deadline: call.deadline,
            is_attached: call.is_attached(),
            can_cancel,
            since: timed.then(clock::now),
        }
    }

    fn seconds(&self) -> f64 {
        self.since.map_or(0.0, |since| clock::since(since).as_secs_f64())
    }

    fn is(&self, number: u64) -> bool {
        self.called.number == number
    }
}

impl UnderWay {
    /// Notes that the executing thread runs a call; `timed` if nobody else will notice that it takes long.
    pub(super) fn begin(&mut self, call: &Waiting, can_cancel: bool, timed: bool) {
        self.executing = Some(Begun::of(call, can_cancel, timed));
    }

    /// Notes that a reader runs a call.
    pub(super) fn begin_reading(&mut self, call: &Waiting, can_cancel: bool) -> Arc<Cancellation> {
        let cancellation = Arc::new(Cancellation::of(call.number));
        let begun = Begun::of(call, can_cancel, true);
        self.beside.push((begun, Aside::Reader(cancellation.clone())));
        cancellation
    }

    /// Notes that the call which the executing thread has run is suspended, and why it was cancelled, if it has not
    /// heard of that.
    pub(super) fn suspend(&mut self, asked: Option<Why>) {
        self.set_aside(Aside::Suspended(asked));
    }

    /// Notes that the executor runs the call on which the executing thread was, beside others.
    pub(super) fn leave_to_executor(&mut self, cancellation: Arc<Cancellation>) {
        self.set_aside(Aside::Executor(cancellation));
    }

    fn set_aside(&mut self, aside: Aside) {
        if let Some(mut begun) = self.executing.take() {
            begun.since = begun.since.or_else(|| Some(clock::now()));
            self.beside.push((begun, aside));
        }
    }

    /// Whether a suspended call was cancelled.
    pub(super) fn is_cancelled(&self, number: u64) -> bool {
        let is = |(begun, aside): &(Begun, Aside)| {
            begun.is(number) && matches!(aside, Aside::Suspended(Some(_)))
        };
        self.beside.iter().any(is)
    }

    /// Notes that the executing thread goes on with a suspended call. Returns why that was cancelled meanwhile, if it
    /// was: nobody tells it again.
    pub(super) fn resume(&mut self, number: u64) -> Option<Why> {
        let index = self.beside.iter().position(|(begun, _)| begun.is(number))?;
        let (begun, aside) = self.beside.remove(index);
        self.executing = Some(begun);
        if let Aside::Suspended(asked) = aside { asked } else { None }
    }

    /// Notes the end of a call.
    pub(super) fn finish(&mut self, number: u64) {
        self.executing.take_if(|begun| begun.is(number));
        self.beside.retain(|(begun, _)| !begun.is(number));
        self.is_stirred &= self.has_turns();
    }

    /// Asks a call to end.
    pub(super) fn request(&mut self, number: u64, why: Why) -> Requested {
        if self.all().any(|begun| begun.is(number) && !begun.can_cancel) {
            return Requested::Refused;
        }
        if self.executes(number) {
            return Requested::OfExecuting;
        }
        let found = self.beside.iter_mut().find(|(begun, _)| begun.is(number));
        let Some((_, aside)) = found else { return Requested::Unknown };
        match aside {
            Aside::Suspended(asked) => *asked = Some(why),
            Aside::Reader(cancellation) | Aside::Executor(cancellation) => {
                cancellation.request(number, why);
            }
        }
        self.stir();
        Requested::Noted
    }

    /// The numbers of the calls beside the executing thread's that were not asked to end.
    pub(super) fn uncancelled(&self) -> Vec<u64> {
        let is_asked = |aside: &Aside| match aside {
            Aside::Suspended(asked) => asked.is_some(),
            Aside::Reader(cancellation) | Aside::Executor(cancellation) => {
                cancellation.is_requested()
            }
        };
        let others =
            self.beside.iter().filter(|(begun, aside)| begun.can_cancel && !is_asked(aside));
        others.map(|(begun, _)| begun.called.number).collect()
    }

    /// Notes that something has happened for which a suspended call may have waited.
    pub(super) fn stir(&mut self) {
        self.is_stirred |= self.has_turns();
    }

    /// Whether something has its turns on the executing thread between calls.
    fn has_turns(&self) -> bool {
        let has_turns = |(_, aside): &(Begun, Aside)| !matches!(aside, Aside::Reader(_));
        self.executor_has_more || self.beside.iter().any(has_turns)
    }

    /// Whether that has happened since this was last asked.
    pub(super) fn take_stirred(&mut self) -> bool {
        std::mem::take(&mut self.is_stirred)
    }

    pub(super) fn is_stirred(&self) -> bool {
        self.is_stirred
    }

    fn all(&self) -> impl Iterator<Item = &Begun> {
        self.executing.iter().chain(self.beside.iter().map(|(begun, _)| begun))
    }

    /// Whether no call is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.executing.is_none() && self.beside.is_empty()
    }

    /// How long a call has run, as far as is known; `None` if it is not under way.
    pub(super) fn time_of(&self, number: u64) -> Option<Duration> {
        let begun = self.all().find(|begun| begun.is(number))?;
        Some(begun.since.map_or(Duration::ZERO, clock::since))
    }

    /// Whether the executing thread runs a call.
    pub(super) fn is_executing(&self) -> bool {
        self.executing.is_some()
    }

    /// Whether the executing thread runs this call.
    pub(super) fn executes(&self, number: u64) -> bool {
        self.executing.as_ref().is_some_and(|begun| begun.is(number))
    }

    /// Whether there are calls beside the one that the executing thread runs.
    pub(super) fn has_others(&self) -> bool {
        !self.beside.is_empty()
    }

    /// Whether the executor has something to do between calls.
    pub(super) fn executor_is_busy(&self) -> bool {
        let is_own = |(_, aside): &(Begun, Aside)| matches!(aside, Aside::Executor(_));
        self.executor_has_more || self.beside.iter().any(is_own)
    }

    /// How many calls readers run.
    pub(super) fn readers(&self) -> usize {
        self.beside.iter().filter(|(_, aside)| matches!(aside, Aside::Reader(_))).count()
    }

    /// The number of a call that is under way.
    pub(super) fn find(&self, connection: usize, id: u64) -> Option<u64> {
        let is = |called: &Called| (called.connection, called.id) == (connection, id);
        self.all().map(|begun| &begun.called).find(|called| is(called)).map(|called| called.number)
    }

    /// The call of a number.
    pub(super) fn get(&self, number: u64) -> Option<&Called> {
        self.all().find(|begun| begun.is(number)).map(|begun| &begun.called)
    }

    /// The call that the executing thread runs, or else the one that has begun first.
    pub(super) fn first(&self) -> Option<&Called> {
        self.all().next().map(|begun| &begun.called)
    }

    /// Every call that is under way.
    pub(super) fn calls(&self) -> impl Iterator<Item = &Called> {
        self.all().map(|begun| &begun.called)
    }

    /// What the first of them runs, and for how many seconds, as far as is known.
    pub(super) fn shown(&self) -> Option<(String, f64)> {
        self.all().next().map(|begun| (begun.called.task().to_owned(), begun.seconds()))
    }

    /// When the next of them expires.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.all().filter_map(|begun| begun.deadline).min()
    }

    /// The numbers of those that have expired by now, each once.
    pub(super) fn take_expired(&mut self, now: Instant) -> Vec<u64> {
        let all = self.executing.iter_mut().chain(self.beside.iter_mut().map(|(begun, _)| begun));
        let expired = all.filter_map(|begun| {
            begun.deadline.take_if(|at| *at <= now).map(|_| begun.called.number)
        });
        expired.collect()
    }

    /// The numbers of those that the end of a connection cancels.
    pub(super) fn attached_to(&self, connection: usize) -> Vec<u64> {
        let is_attached =
            |begun: &&Begun| begun.is_attached && begun.called.connection == connection;
        self.all().filter(is_attached).map(|begun| begun.called.number).collect()
    }

    /// Notes that the call which the executing thread runs is long: it began `before` now.
    pub(super) fn mark_long(&mut self, before: Duration) {
        if let Some(begun) = &mut self.executing {
            begun.since = begun.since.or_else(|| clock::now().checked_sub(before));
        }
    }
}

#[cfg(test)]
mod tests {
    use bgpy_proto::{CallKind, Delivered};

    use super::*;

    fn waiting() -> Waiting {
        let message = Delivered::handed_over(Vec::new(), Vec::new());
        Waiting { number: 7, ..Waiting::new(1, 2, CallKind::Exec, None, message) }
    }

    #[test]
    fn a_cancel_of_a_suspended_call_is_told_when_it_goes_on() {
        let mut under_way = UnderWay::default();
        under_way.begin(&waiting(), true, false);
        under_way.suspend(None);
        assert!(!under_way.is_cancelled(7));
        assert_eq!(under_way.request(7, Why::Expired), Requested::Noted);
        assert!(under_way.is_cancelled(7) && under_way.is_stirred());
        assert_eq!(under_way.resume(7), Some(Why::Expired));
        assert_eq!(under_way.request(7, Why::Asked), Requested::OfExecuting);
        // What it has not heard of before it is suspended again, it hears of later.
        under_way.suspend(Some(Why::Asked));
        assert_eq!(under_way.resume(7), Some(Why::Asked));
        under_way.finish(7);
        assert_eq!(under_way.request(7, Why::Asked), Requested::Unknown);
        assert!(under_way.is_empty() && !under_way.is_stirred());
    }

    #[test]
    fn a_call_that_refuses_to_be_cancelled_is_not() {
        let mut under_way = UnderWay::default();
        under_way.begin(&waiting(), false, false);
        assert_eq!(under_way.request(7, Why::Gone), Requested::Refused);
        under_way.suspend(None);
        assert_eq!(under_way.request(7, Why::Gone), Requested::Refused);
        assert!(under_way.uncancelled().is_empty());
    }
}
