//! Whose turn it is on the executing thread: calls in the order of their arrival, and between them those that were
//! suspended.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use bgpy_proto::{CallKind, Failure};

use super::suspended::SuspendedCalls;
use crate::server::admission::cancelled;
use crate::server::calls::{Called, Waiting};
use crate::server::cancellation::Cancellation;
use crate::server::core::Next;
use crate::server::executor::{Executor, Pace, Suspended};
use crate::server::lifecycle::{Due, expired, not_initialized};
use crate::server::readers::Readers;
use crate::server::shared::Shared;

/// How often a server that ends looks whether its readers are done.
const READERS_LOOK: Duration = Duration::from_millis(5);

/// The turns of a server that has started.
pub(super) struct Turns<'a> {
    shared: &'a Arc<Shared>,
    executor: &'a mut dyn Executor,
    readers: Option<Readers>,
    suspended: SuspendedCalls,
}

/// What has become of a call.
enum Done {
    /// It is over; an INIT that was `already` done changed nothing.
    Over {
        already: bool,
    },
    Suspended(Box<dyn Suspended>),
    Apart(Arc<Cancellation>),
}

impl<'a> Turns<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, executor: &'a mut dyn Executor) -> Self {
        let suspended = SuspendedCalls::default();
        let mut turns = Self { shared, executor, readers: None, suspended };
        if shared.core.lock().lifecycle.is_initialized() {
            turns.has_program();
        }
        turns
    }

    /// Runs calls until an EXIT or a stop. Returns the outcome of the EXIT, if it was one.
    pub(super) fn run(mut self) -> Option<Result<(), Failure>> {
        let shared = self.shared;
        let mut exit = None;
        let mut core = shared.core.lock();
        while !core.lifecycle.is_stopping() {
            let relieved = shared.relieved.load(Ordering::SeqCst);
            let next = core.next_call();
            drop(core);
            let has_moved = match next {
                Some(Next::Read(call, cancellation)) => self.read(call, cancellation),
                Some(Next::Execute(call, due)) => {
                    exit = self.execute(call, due).or(exit);
                    true
                }
                None => false,
            };
            let has_gone_on = self.suspended.go_on(shared);
            let waits = !has_moved && !has_gone_on;
            core = if self.drive(waits) || !waits {
                shared.core.lock()
            } else {
                shared.lead(self.executor, relieved).unwrap_or_else(|| shared.core.lock())
            };
        }
        drop(core);
        self.suspended.end(shared);
        self.executor.abandon();
        self.await_readers();
        exit
    }

    /// Waits for what readers have begun, as a server that is stopped waits for the call that runs.
    fn await_readers(&self) {
        while self.shared.core.lock().calls.under_way.readers() > 0 && !self.shared.has_failed() {
            thread::sleep(READERS_LOOK);
        }
    }

    /// Lets the executor go on with what it runs between others, if it may. Returns whether it did.
    fn drive(&mut self, waits: bool) -> bool {
        let shared = self.shared;
        if shared.bell.get().is_none() {
            return false;
        }
        shared.drives.store(true, Ordering::SeqCst);
        {
            let mut core = shared.core.lock();
            if !core.may_drive() {
                // No more readers until it has had its turn.
                core.calls.under_way.stir();
                shared.drives.store(false, Ordering::SeqCst);
                return false;
            }
            core.calls.under_way.take_stirred();
            // What has come before the bell was heeded has rung none.
            let waits = waits && !core.has_work();
            drop(core);
            let executor = &mut *self.executor;
            let has_more = shared.guarded(|| Ok(executor.drive(waits)));
            shared.core.lock().calls.under_way.executor_has_more = matches!(has_more, Ok(true));
        }
        shared.drives.store(false, Ordering::SeqCst);
        true
    }

    /// Notes that the program has started.
    fn has_program(&mut self) {
        let methods = self.executor.methods();
        let threads = self.shared.core.lock().methods.readers_max;
        self.readers = self.executor.reader().map(|reader| Readers::new(reader, threads));
        if let Some(bell) = self.executor.bell() {
            self.shared.bell.get_or_init(|| bell);
        }
        let mut core = self.shared.core.lock();
        core.has_methods(methods);
    }

    /// Has a reader run a call; without one it has its turn here.
    fn read(&mut self, call: Waiting, cancellation: Arc<Cancellation>) -> bool {
        let unread = match &mut self.readers {
            Some(readers) => readers.begin(self.shared, call, cancellation).err(),
            None => Some(call),
        };
        if let Some(call) = unread {
            let mut core = self.shared.core.lock();
            core.calls.under_way.finish(call.number);
            let can_cancel = core.methods.can_cancel(&call);
            core.calls.under_way.begin(&call, can_cancel, true);
            drop(core);
            self.execute(call, Due::Task);
        }
        true
    }

    /// Runs a call. Returns the outcome if it is an EXIT.
    fn execute(&mut self, call: Waiting, due: Due) -> Option<Result<(), Failure>> {
        let called = Called::of(&call);
        let outcome = match self.done(&called, call, due) {
            Ok(Done::Suspended(suspended)) => {
                self.suspended.push(self.shared, called, suspended);
                return None;
            }
            Ok(Done::Apart(cancellation)) => {
                self.shared.leave(|under_way, asked| {
                    if let Some(why) = asked {
                        cancellation.request(called.number, why);
                    }
                    under_way.leave_to_executor(cancellation);
                });
                return None;
            }
            Ok(Done::Over { already }) => Ok(already),
            Err(failure) => Err(failure),
        };
        self.shared.steering.cancellation.end();
        if self.shared.bell.get().is_some() {
            // Perhaps it has left something to the event loop.
            self.shared.core.lock().calls.under_way.executor_has_more = true;
        }
        if called.kind == CallKind::Init && matches!(outcome, Ok(false)) {
            self.has_program();
        }
        self.shared.core.lock().over(&called, &outcome);
        // The outcome of any other call concerns only its caller.
        (called.kind == CallKind::Exit).then(|| outcome.map(|_| ()))
    }

    fn done(&mut self, called: &Called, call: Waiting, due: Due) -> Result<Done, Failure> {
        let reply = self.shared.reply(&call);
        let (message, executor) = (call.message, &mut *self.executor);
        let over = Done::Over { already: false };
        match due {
            Due::Nothing { already } => Ok(Done::Over { already }),
            Due::Refusal => Err(not_initialized()),
            Due::Expired => Err(expired()),
            Due::Gone => Err(cancelled()),
            Due::Task => self.shared.running(called, None, || match called.kind {
                CallKind::Init => executor.init(message, &reply).map(|()| over),
                CallKind::Exec => executor.exec(message, &reply).map(|pace| match pace {
                    Pace::Over => over,
                    Pace::Suspended(suspended) => Done::Suspended(suspended),
                    Pace::Apart(cancellation) => Done::Apart(cancellation),
                }),
                CallKind::Exit => executor.exit(Some(message), &reply).map(|()| over),
            }),
        }
    }
}
