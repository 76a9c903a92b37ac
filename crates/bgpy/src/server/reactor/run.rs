//! The leader/follower reactor.
//!
//! The thread that holds the lock on the [leader](super::leader) polls the sockets. While the server
//! is idle, that is the executing thread: it reads a call, runs it and writes the answer without
//! waking another thread. While it runs a task for longer than a moment, the
//! [stand-in](super::standin) leads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, Weak};
use std::time::{Duration, Instant};

use bgpy_proto::{DebugReply, Failure, FailureCode};

use super::turns::Turns;
use crate::deadlock;
use crate::platform::{self, Sleeper};
use crate::server::calls::{Called, Waiting};
use crate::server::cancellation::Why;
use crate::server::connections::log_limiter;
use crate::server::core::Core;
use crate::server::debugging::{Debugger, Debugging};
use crate::server::executor::{Ended, Executor};
use crate::server::reply::{Answers, Reply};
use crate::server::shared::{LOG_LOOK, Shared};
use crate::server::under_way::UnderWay;
use crate::sync::{lock, try_lock};

/// How long an ending server waits for clients to read their last answers.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);

impl Shared {
    /// Runs calls until an EXIT or a stop.
    pub(crate) fn run(self: &Arc<Self>, executor: &mut dyn Executor) -> Ended {
        self.executing.get_or_init(Sleeper::here);
        let standin = match self.start_standin() {
            Ok(standin) => standin,
            Err(error) => {
                let text = format!("the system gives the server no thread ({error})");
                return self.refuse_to_start(Failure::new(FailureCode::Task, text));
            }
        };
        let debugger = executor.debugger();
        let debugging = debugger.map(|debugger| self.debugging(debugger)).unwrap_or_default();
        let interrupter = executor.interrupter();
        let instance = {
            let mut core = self.core.lock();
            core.reporter.debugging = debugging;
            core.control.interrupter = interrupter;
            core.instance()
        };
        let ended = deadlock::serving(instance, || self.run_calls(executor));
        {
            let mut core = self.core.lock();
            core.reporter.debugging = Debugging::default();
            core.control.interrupter = None;
        }
        self.standin.quit();
        self.wake();
        // The stand-in neither panics nor blocks, so the join cannot fail or hang.
        drop(standin.join());
        ended
    }

    fn run_calls(self: &Arc<Self>, executor: &mut dyn Executor) -> Ended {
        self.standin.arm();
        match self.guarded(|| executor.start()) {
            Ok(initialized) => {
                let mut core = self.core.lock();
                core.started(initialized);
                core.tell_methods();
                if initialized {
                    core.log_ready();
                }
                drop(core);
                executor.ready();
                platform::notify("READY=1");
            }
            Err(failure) => return self.refuse_to_start(failure),
        }
        let exit = Turns::new(self, executor).run();
        // Only a stop leaves the loop before an EXIT.
        let exit = exit.unwrap_or_else(|| {
            let core = self.core.lock();
            if !core.lifecycle.is_initialized() {
                return Ok(());
            }
            core.log.info("running exit_task");
            drop(core);
            let reply = Reply::new(self.answers(), None);
            self.guarded(|| executor.exit(None, &reply))
        });
        self.say_farewell();
        if let Some(reason) = self.failure.get() {
            return Ended::Failed(reason.clone());
        }
        exit.map_or_else(Ended::ExitTask, |()| Ended::Orderly)
    }

    fn debugging(self: &Arc<Self>, debugger: Arc<dyn Debugger>) -> Debugging {
        let shared = Arc::downgrade(self);
        // The connection may be gone by then: its number is never used again.
        let tell = move |connection, id, reply: &DebugReply| {
            let shared = shared.upgrade();
            shared.is_some_and(|shared| {
                let mut core = shared.core.lock();
                core.with_session(connection, |session| session.debug(id, reply));
                true
            })
        };
        Debugging::new(debugger, Arc::new(tell))
    }

    fn refuse_to_start(self: &Arc<Self>, failure: Failure) -> Ended {
        let mut core = self.core.lock();
        if !core.leave_to_supervisor() {
            core.stop();
        }
        drop(core);
        self.say_farewell();
        Ended::Start(failure)
    }

    /// Polls until there is work, and returns the core, still locked, if it has some. The caller
    /// found none when `relieved` had this value: if the stand-in has led since, that is checked
    /// again before polling.
    pub(super) fn lead(
        self: &Arc<Self>,
        executor: &mut dyn Executor,
        relieved: u64,
    ) -> Option<MutexGuard<'_, Core>> {
        // Set before the lock is tried: a stand-in that holds the lock reads it before each wait, and
        // `wake` ends the wait that it may be in.
        self.executor_waits.store(true, Ordering::SeqCst);
        let mut leader = try_lock(&self.leader).unwrap_or_else(|| {
            self.wake();
            lock(&self.leader)
        });
        self.executor_waits.store(false, Ordering::SeqCst);
        if self.has_idle_timeout {
            // A task may have ended after the leader computed its poll_timeout.
            leader.poll_timeout = self.core.lock().poll_timeout();
        }
        self.away.store(false, Ordering::SeqCst);
        // The stand-in increments `relieved` after its last turn: if it has changed, calls may have
        // been queued after the caller looked.
        let has_been_relieved = self.relieved.load(Ordering::SeqCst) != relieved;
        let mut outcome = Ok(has_been_relieved
            .then(|| self.core.lock())
            .filter(|core| core.has_work() || core.may_drive()));
        let mut signalled = false;
        while let Ok(None) = outcome {
            signalled = self.signalled.swap(false, Ordering::SeqCst);
            if signalled {
                break;
            }
            self.turns.fetch_add(1, Ordering::Relaxed);
            let waited = if leader.look() { Ok(()) } else { leader.wait(&self.signalled) };
            outcome = waited.and_then(|()| leader.serve(&self.core, &self.signalled));
        }
        self.away.store(true, Ordering::SeqCst);
        drop(leader);
        self.standin.arm();
        if signalled {
            // No lock is held here: a handler may take its time, call this server or end it. The
            // stand-in polls meanwhile.
            drop(self.guarded(|| {
                executor.signalled();
                Ok(())
            }));
        }
        outcome.unwrap_or_else(|error| {
            self.fail(&error);
            None
        })
    }

    /// Polls for the executing thread until that wants to poll itself.
    pub(crate) fn stand_in(self: &Arc<Self>, running_for: Duration) {
        let Some(mut leader) = try_lock(&self.leader) else { return };
        self.core.lock().ack_all(running_for);
        let (log, mut looked) = (self.log(), Instant::now());
        while !self.executor_waits.load(Ordering::SeqCst) && !self.standin.is_over() {
            leader.poll_timeout =
                Some(leader.poll_timeout.map_or(LOG_LOOK, |limit| limit.min(LOG_LOOK)));
            let served = leader
                .wait(&self.signalled)
                .and_then(|()| leader.serve(&self.core, &self.signalled));
            if let Err(error) = served.and_then(|core| {
                let has_work = core.is_some_and(|core| core.has_work());
                if has_work && self.drives.load(Ordering::SeqCst) {
                    self.bell.get().inspect(|bell| bell.ring());
                }
                if looked.elapsed() < LOG_LOOK {
                    return Ok(());
                }
                looked = Instant::now();
                self.housekeep(&log);
                self.core.lock().check(self.poller_check)
            }) {
                self.fail(&error);
                break;
            }
        }
        self.core.lock().acks_at_once = false;
        self.relieved.fetch_add(1, Ordering::SeqCst);
    }

    /// Runs a call, or goes on with one, on this thread. It may be cancelled meanwhile, and if it was `asked` to end
    /// before, it is now.
    pub(super) fn running<T>(
        &self,
        call: &Called,
        asked: Option<Why>,
        act: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let cancellation = &self.steering.cancellation;
        cancellation.begin(call.number);
        if let Some(why) = asked {
            cancellation.request(call.number, why);
        }
        let chain = call.head().map(|head| &head.chain);
        deadlock::within(chain, || self.guarded(act))
    }

    /// Notes that this thread leaves a call, which is not over, to others. Of a cancel that it has not noticed it
    /// hears later.
    pub(super) fn leave(&self, act: impl FnOnce(&mut UnderWay, Option<Why>)) {
        let mut core = self.core.lock();
        // Requests are made under that lock, so none is lost between the two.
        act(&mut core.calls.under_way, self.steering.cancellation.untaken());
        core.calls.under_way.stir();
        self.steering.cancellation.end();
    }

    pub(crate) fn reply(self: &Arc<Self>, call: &Waiting) -> Reply {
        Reply::to_call(self.answers(), self.steering.clone(), self.process, call)
    }

    fn answers(self: &Arc<Self>) -> Weak<dyn Answers> {
        let answers: Weak<Self> = Arc::downgrade(self);
        answers
    }

    /// Gives clients time to read their last answers.
    fn say_farewell(&self) {
        platform::notify("STOPPING=1");
        let until = Instant::now() + FAREWELL;
        self.executor_waits.store(true, Ordering::SeqCst);
        self.wake();
        let mut leader = lock(&self.leader);
        if !self.has_failed() {
            self.core.lock().retire();
        }
        while !self.has_failed() && Instant::now() < until && self.core.lock().has_backlog() {
            leader.poll_timeout = Some(Duration::from_millis(100));
            if leader
                .wait(&self.signalled)
                .and_then(|()| leader.serve(&self.core, &self.signalled))
                .is_err()
            {
                break;
            }
        }
        // Replies and stoppers keep the core alive; its sockets are closed here.
        self.core.lock().leave();
    }

    /// Logs all events that were only counted so far.
    pub(crate) fn log_counted(&self) {
        self.core.lock().log_counted(Instant::now() + log_limiter::WINDOW);
    }

    /// Checks that the leader's poller still exists. A thread that sleeps in a closed poller is not
    /// woken.
    pub(crate) fn check_poller(self: &Arc<Self>) {
        let checked = self.core.lock().check(self.poller_check);
        if let Err(error) = checked {
            self.fail(&error);
        }
    }

    /// Runs a part of an executor; a panic becomes a failure of the call. A forked child that
    /// returns from it exits here: it is not the server.
    pub(crate) fn guarded<T>(
        &self,
        act: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let outcome = catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Err(Failure::new(FailureCode::Task, format!("the task panicked: {text}")))
        });
        if !self.is_here() {
            platform::exit_now(i32::from(outcome.is_err()));
        }
        outcome
    }
}
