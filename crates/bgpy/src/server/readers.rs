//! The threads that run methods which only read, beside each other.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use bgpy_proto::{Failure, FailureCode};

use super::calls::{Called, Waiting};
use super::cancellation::Cancellation;
use super::executor::Reader;
use super::shared::Shared;
use crate::deadlock;
use crate::sync::lock;

/// The readers of a server. Their threads are started as they are needed, and end when this is dropped.
pub(super) struct Readers {
    reader: Arc<dyn Reader>,
    jobs: Sender<Job>,
    received: Arc<Mutex<Receiver<Job>>>,
    threads: usize,
    threads_max: usize,
}

struct Job {
    call: Waiting,
    cancellation: Arc<Cancellation>,
}

impl Readers {
    /// At most so many.
    pub(super) fn new(reader: Arc<dyn Reader>, threads_max: usize) -> Self {
        let (jobs, received) = channel();
        let received = Arc::new(Mutex::new(received));
        Self { reader, jobs, received, threads: 0, threads_max }
    }

    /// Has a call run, beside others that only read. Whoever asks has made sure that no more are under way than there
    /// are threads at most.
    ///
    /// # Errors
    /// The call, if the system gives the server no thread at all: then the executing thread has to run it.
    pub(super) fn begin(
        &mut self,
        shared: &Arc<Shared>,
        call: Waiting,
        cancellation: Arc<Cancellation>,
    ) -> Result<(), Waiting> {
        let under_way = shared.core.lock().calls.under_way.readers();
        let is_short = under_way > self.threads && self.threads < self.threads_max;
        if is_short && self.start_thread(shared) {
            self.threads += 1;
        }
        if self.threads == 0 {
            return Err(call);
        }
        self.jobs.send(Job { call, cancellation }).map_err(|unsent| unsent.0.call)
    }

    fn start_thread(&self, shared: &Arc<Shared>) -> bool {
        let (shared, received) = (shared.clone(), self.received.clone());
        let reader = self.reader.clone();
        let run = move || {
            let instance = shared.core.lock().instance();
            deadlock::serving(instance, || work(&shared, &received, &*reader));
        };
        thread::Builder::new().name("bgpy-reader".into()).spawn(run).is_ok()
    }
}

/// Runs calls until there are no more.
fn work(shared: &Arc<Shared>, received: &Mutex<Receiver<Job>>, reader: &dyn Reader) {
    loop {
        // Bound first, so that the lock is released before the call runs.
        let job = lock(received).recv();
        let Ok(Job { call, cancellation }) = job else { return };
        let called = Called::of(&call);
        let reply = shared.reply(&call).beside(cancellation.clone());
        let head = called.head().map(|head| &head.chain);
        let outcome =
            deadlock::within(head, || shared.guarded(|| reader.read(call.message, &reply)));
        cancellation.end();
        let mut core = shared.core.lock();
        core.over(&called, &outcome.map(|()| false));
        // Another may begin now, or a call that must not run beside it.
        core.wake_leader();
    }
}

/// The failure of a call that was under way when the server stopped.
pub(super) fn stopped() -> Failure {
    Failure::new(FailureCode::Cancelled, "the server was stopped before the call was over")
}
