//! The leader/follower reactor.
//!
//! Whoever holds the lock on [`Leader`] polls the sockets. While the server is idle that is the
//! thread which runs the tasks: it reads a call, runs it and writes the answer without waking
//! anybody. While it runs a task for longer than a moment, the [stand-in](super::standin) leads.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bgpy_proto::{CallKind, Failure, FailureCode, Payload, ProtocolError};
use mio::{Events, Poll, Token, Waker};

use super::calls::{Waiting, not_initialized};
use super::core::{Core, CoreParts};
use super::executor::{Executor, Reply};
use super::standin::{LOG_LOOK, StandIn};
use super::upkeep::Upkeep;
use super::{Ended, signal, strangers};
use crate::nesting;
use crate::platform;
use crate::registry::Ending;
use crate::spin::Spin;
use crate::sync::{FairMutex, lock, try_lock};

/// Bytes that one read takes at most; the buffer is the leader's and serves all connections.
const SCRATCH_BYTES: usize = 256 << 10;

/// How long a task waits for its client to take more of a response, before that is copied: about as
/// long as the copy of what a socket takes at once.
const TAKE_WAIT: Duration = Duration::from_millis(1);

/// How long a server that ends waits for clients to take their last answers.
const FAREWELL: Duration = Duration::from_secs(5);

const WAKE: Token = Token(usize::MAX);
const SIGNAL: Token = Token(usize::MAX - 1);

/// What the executing thread, the stand-in and the replies share.
pub(super) struct Shared {
    pub(super) core: FairMutex<Core>,
    leader: Mutex<Leader>,
    waker: Arc<Waker>,
    pub(super) standin: StandIn,
    pub(super) upkeep: Upkeep,
    /// Turns of the executing thread, so that the stand-in sees whether it moves.
    pub(super) turns: AtomicU64,
    /// Whether the executing thread is busy with something else than polling.
    pub(super) away: AtomicBool,
    /// Whether a signal has come that the executing thread has not dealt with.
    signalled: AtomicBool,
    /// Whether the server ends when nobody calls it.
    may_be_unused: bool,
    /// Times that the stand-in has led.
    relieved: AtomicU64,
    /// Whether the executing thread wants to lead (again).
    executor_waits: AtomicBool,
    /// Whether the server was told to end, other than by EXIT.
    stopped: AtomicBool,
    ended: Mutex<bool>,
    has_ended: Condvar,
}

/// The poller and what only its holder needs.
pub(super) struct Leader {
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
    patience: Option<Duration>,
    spin: Spin,
    signals: signal::Receiver,
}

impl Shared {
    pub(super) fn new(
        parts: impl FnOnce(mio::Registry) -> CoreParts,
        mut signals: signal::Receiver,
    ) -> io::Result<Arc<Self>> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        signals.register(poll.registry(), SIGNAL)?;
        let core = Core::new(parts(poll.registry().try_clone()?), waker.clone())?;
        let leader = Leader {
            poll,
            events: Events::with_capacity(256),
            scratch: vec![0; SCRATCH_BYTES],
            patience: Some(Duration::ZERO),
            spin: Spin::default(),
            signals,
        };
        let shared = Arc::new(Self {
            leader: Mutex::new(leader),
            waker,
            standin: StandIn::default(),
            upkeep: Upkeep::of(core.record()),
            turns: AtomicU64::new(0),
            away: AtomicBool::new(true),
            signalled: AtomicBool::new(false),
            may_be_unused: core.calls.may_be_unused(),
            core: FairMutex::new(core),
            relieved: AtomicU64::new(0),
            executor_waits: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            ended: Mutex::new(false),
            has_ended: Condvar::new(),
        });
        Ok(shared)
    }

    /// Runs calls until an EXIT or a stop.
    pub(super) fn run(self: &Arc<Self>, executor: &mut dyn Executor) -> Ended {
        let standin = self.standin.start(self);
        let instance = self.core.lock().instance();
        let ended = nesting::serving(instance, || self.run_calls(executor));
        self.standin.quit();
        self.wake();
        // The stand-in does nothing that could panic or wait.
        drop(standin.join());
        ended
    }

    fn run_calls(self: &Arc<Self>, executor: &mut dyn Executor) -> Ended {
        self.standin.arm();
        match guarded(|| executor.start()) {
            Ok(initialized) => {
                self.core.lock().calls.started(initialized);
                executor.ready();
                platform::notify("READY=1");
            }
            Err(failure) => {
                let mut core = self.core.lock();
                core.leave_to_supervisor();
                core.stop();
                drop(core);
                self.say_farewell();
                return Ended::Start(failure);
            }
        }
        let mut exit = None;
        loop {
            let relieved = self.relieved.load(Ordering::SeqCst);
            let mut core = self.core.lock();
            if core.calls.is_stopping() {
                break;
            }
            let next = core.calls.next();
            let initialized = core.calls.is_initialized();
            drop(core);
            match next {
                Some(call) => {
                    let kind = call.kind;
                    let outcome = self.execute(call, initialized, executor);
                    // How another call ended is its caller's business.
                    if kind == CallKind::Exit {
                        exit = Some(outcome);
                    }
                }
                None => self.lead(executor, relieved),
            }
        }
        // Only a stop leaves the loop before an EXIT.
        let exit = exit.unwrap_or_else(|| {
            let core = self.core.lock();
            if !core.calls.is_initialized() {
                return Ok(());
            }
            core.journal.info("running exit_task");
            drop(core);
            let reply = Reply::new(self.clone(), None);
            guarded(|| executor.exit(None, &reply))
        });
        self.say_farewell();
        exit.map_or_else(Ended::ExitTask, |()| Ended::Orderly)
    }

    /// Polls until there is work. There was none when the stand-in had led `relieved` times.
    fn lead(&self, executor: &mut dyn Executor, relieved: u64) {
        self.executor_waits.store(true, Ordering::SeqCst);
        let mut leader = try_lock(&self.leader).unwrap_or_else(|| {
            self.wake();
            lock(&self.leader)
        });
        self.executor_waits.store(false, Ordering::SeqCst);
        if self.may_be_unused {
            // A task may have ended since the poller was told how long to wait.
            leader.patience = self.core.lock().patience();
        }
        self.away.store(false, Ordering::SeqCst);
        // The stand-in may have taken in calls until a moment ago, and may have seen a signal.
        let mut work =
            self.relieved.load(Ordering::SeqCst) != relieved && self.core.lock().has_work();
        while !work {
            if self.signalled.swap(false, Ordering::SeqCst) {
                executor.signalled();
                // The handlers may have stopped the server.
                break;
            }
            self.turns.fetch_add(1, Ordering::Relaxed);
            if !leader.look() {
                leader.wait(self);
            }
            work = leader.serve(self);
        }
        self.away.store(true, Ordering::SeqCst);
        drop(leader);
        self.standin.arm();
    }

    /// Polls for the executing thread until that wants to poll itself.
    pub(super) fn stand_in(&self, running_for: Duration) {
        let Some(mut leader) = try_lock(&self.leader) else { return };
        self.core.lock().ack_all(running_for);
        let (journal, mut looked) = (self.journal(), Instant::now());
        while !self.executor_waits.load(Ordering::SeqCst) && !self.standin.is_over() {
            leader.patience = Some(leader.patience.map_or(LOG_LOOK, |limit| limit.min(LOG_LOOK)));
            leader.wait(self);
            leader.serve(self);
            if looked.elapsed() >= LOG_LOOK {
                looked = Instant::now();
                self.keep_up(&journal);
            }
        }
        self.core.lock().calls.ack_at_once = false;
        self.relieved.fetch_add(1, Ordering::SeqCst);
    }

    fn execute(
        self: &Arc<Self>,
        call: Waiting,
        initialized: bool,
        executor: &mut dyn Executor,
    ) -> Result<(), Failure> {
        let Waiting { connection, id, kind, message, .. } = call;
        let reply = Reply::new(self.clone(), Some((connection, id)));
        let outcome = match kind {
            CallKind::Init if initialized => Ok(true),
            CallKind::Init => guarded(|| executor.init(message, &reply)).map(|()| false),
            CallKind::Exec if !initialized => Err(not_initialized()),
            CallKind::Exec => guarded(|| executor.exec(message, &reply)).map(|()| false),
            CallKind::Exit if !initialized => Ok(false),
            CallKind::Exit => guarded(|| executor.exit(Some(message), &reply)).map(|()| false),
        };
        let mut core = self.core.lock();
        core.calls.finish(kind, outcome.is_ok());
        let told = core.conclude(connection, id, &outcome);
        if let Err(failure) = &outcome {
            let to = if told { "its caller was told" } else { "nobody waits for it" };
            let traceback = failure.traceback.as_deref().unwrap_or_default();
            core.journal.error(format_args!("{kind:?} failed ({to}): {failure}\n{traceback}"));
        }
        outcome.map(|_| ())
    }

    /// Takes no more calls, answers those that wait, and lets the executing thread end. What still
    /// runs after `grace` is killed with the process.
    pub(super) fn stop(self: &Arc<Self>, grace: Duration) {
        if self.stopped.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut core = self.core.lock();
        core.stop();
        core.journal.info("told to end");
        drop(core);
        self.wake();
        let shared = self.clone();
        let watch = move || shared.end_within(grace);
        // Without the thread the end is only less certain.
        drop(std::thread::Builder::new().name("bgpy-grace".into()).spawn(watch));
    }

    /// Kills the process unless the server has ended in time.
    fn end_within(&self, grace: Duration) {
        let in_time = self.has_ended.wait_timeout_while(lock(&self.ended), grace, |ended| !*ended);
        if !*in_time.unwrap_or_else(PoisonError::into_inner).0 {
            let seconds = grace.as_secs_f64();
            let reason = format!("not ended within {seconds} s of being told to: killed");
            let mut core = self.core.lock();
            core.journal.critical(&reason);
            core.end(Some(Ending::now(false, reason)));
            drop(core);
            platform::end_now();
        }
    }

    /// Gives clients the time to take their last answers.
    fn say_farewell(&self) {
        platform::notify("STOPPING=1");
        let until = Instant::now() + FAREWELL;
        self.executor_waits.store(true, Ordering::SeqCst);
        self.wake();
        let mut leader = lock(&self.leader);
        self.core.lock().retire();
        while Instant::now() < until && self.core.lock().has_backlog() {
            leader.patience = Some(Duration::from_millis(100));
            leader.wait(self);
            leader.serve(self);
        }
        // Whoever holds a reply or a stopper keeps the core, but no connection.
        self.core.lock().close_sockets();
    }

    /// See [`Stopper::abandon_in_child`](super::Stopper::abandon_in_child).
    pub(super) fn abandon_in_child(&self) {
        // Another thread of the parent may have held the lock at the moment of the fork. It is not
        // here to release it, so that the sockets stay open then.
        if let Some(mut core) = self.core.try_lock() {
            core.abandon();
        }
    }

    /// Notes how the server has run, or that it never will.
    pub(super) fn finish(&self, ending: Option<Ending>) {
        self.core.lock().end(ending);
        *lock(&self.ended) = true;
        self.has_ended.notify_all();
    }

    /// Tells what was only counted so far.
    pub(super) fn tell_strangers(&self) {
        self.core.lock().tell_strangers(Instant::now() + strangers::WINDOW);
    }

    pub(super) fn journal(&self) -> crate::Journal {
        self.core.lock().journal.clone()
    }

    pub(super) fn wants_response(&self, connection: usize, id: u64) -> bool {
        self.core.lock().wants_response(connection, id)
    }

    pub(super) fn takes_pickles(&self, connection: usize) -> bool {
        self.core.lock().takes_pickles(connection)
    }

    pub(super) fn respond(
        &self,
        connection: usize,
        id: u64,
        mut payload: Payload,
        error: bool,
    ) -> Result<bool, ProtocolError> {
        // Let go of here, with nothing locked, because its owner may have to wait for that.
        let shared = payload.shared();
        // With nothing locked, too, because it takes a while for a large response.
        let segments = if payload.buffers.is_empty() {
            None
        } else {
            self.core.lock().segments(connection, id)
        };
        let loans = segments.map(|segments| segments.lend(&mut payload));
        let mut core = self.core.lock();
        let taken = core.respond(connection, id, payload, error)?;
        if let Some(loans) = loans.filter(|_| taken) {
            loans.sent();
        }
        if !taken {
            core.journal.debug(format_args!("a response to call {id} was dropped: not awaited"));
        }
        drop(core);
        if !shared.is_empty() {
            self.own(connection);
        }
        Ok(taken)
    }

    /// Writes what is left in memory that belongs to a task, as long as the client takes it, and
    /// copies what it does not.
    fn own(&self, connection: usize) {
        let awaited = || self.core.lock().awaited(connection);
        let mut least = usize::MAX;
        while let Some((socket, bytes)) = awaited().filter(|(_, bytes)| *bytes < least) {
            least = bytes;
            // Whether it takes more shows when it is written to.
            drop(platform::wait(&socket, false, true, TAKE_WAIT));
            self.core.lock().flush(connection);
        }
        while self.core.lock().own_some(connection) {}
    }

    fn wake(&self) {
        // A waker fails only when the poller is gone, and then nobody is to be woken.
        drop(self.waker.wake());
    }
}

impl Leader {
    /// Looks at the sockets for a moment; `false` when nothing came.
    fn look(&mut self) -> bool {
        let Self { poll, events, patience, spin, .. } = self;
        if *patience == Some(Duration::ZERO) {
            return false;
        }
        let look = || {
            poll.poll(events, Some(Duration::ZERO)).ok()?;
            (!events.is_empty()).then_some(())
        };
        spin.look(look).is_some()
    }

    /// Waits for the sockets, for as long as there is nothing else to do.
    fn wait(&mut self, shared: &Shared) {
        if let Err(error) = self.poll.poll(&mut self.events, self.patience) {
            self.events.clear();
            if error.kind() == io::ErrorKind::Interrupted {
                shared.signalled.store(true, Ordering::SeqCst);
            }
        }
    }

    /// Serves the sockets that are ready. Returns whether there is work for the executing thread.
    fn serve(&mut self, shared: &Shared) -> bool {
        let mut core = shared.core.lock();
        for event in &self.events {
            match event.token() {
                WAKE => {}
                SIGNAL => {
                    self.signals.drain();
                    shared.signalled.store(true, Ordering::SeqCst);
                }
                _ => core.ready(event),
            }
        }
        core.proceed(&mut self.scratch);
        self.patience = core.patience();
        core.has_work()
    }
}

/// Runs a part of an executor; a panic in it becomes the caller's failure.
fn guarded<T>(act: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        Err(Failure::new(FailureCode::Task, format!("the task panicked: {text}")))
    })
}
