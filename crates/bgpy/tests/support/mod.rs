//! Servers in threads, well-behaved clients beside hostile peers, and time limits for all of it.

#![allow(dead_code, reason = "each file of tests takes a part of it")]

pub mod custom;
pub mod fake;
#[cfg(unix)]
pub mod peer;
#[cfg(unix)]
pub mod target;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bgpy::address::Address;
use bgpy::registry::Registry;
use bgpy::server::Stopper;
use bgpy::{
    CallError, Client, ClientOptions, Ended, Executor, Log, Payload, Server, ServerOptions, Status,
    Token, Value, Wait,
};

/// Nothing in these tests may take longer.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The grace of a stop that must never be cut short.
pub const LONG: Duration = Duration::from_secs(24 * 3600);

/// A server on a thread of this process, ended with the test.
pub struct Running {
    pub address: Address,
    pub token: Token,
    pub socket: PathBuf,
    pub registry: Registry,
    pub stopper: Stopper,
    /// Lets tasks that are held go on: one for each that is sent, all when it is gone.
    pub hold: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<Ended>>,
    _directory: tempfile::TempDir,
}

impl Running {
    /// Runs what `make` makes of the receiver that held tasks wait for.
    pub fn start<E: Executor>(make: impl FnOnce(mpsc::Receiver<()>) -> E + Send + 'static) -> Self {
        Self::logging(Log::silent(), make)
    }

    /// The same, with a token.
    pub fn with_token<E: Executor>(
        token: Token,
        make: impl FnOnce(mpsc::Receiver<()>) -> E + Send + 'static,
    ) -> Self {
        Self::with(token, Log::silent(), make)
    }

    /// The same, with a log.
    pub fn logging<E: Executor>(
        log: Log,
        make: impl FnOnce(mpsc::Receiver<()>) -> E + Send + 'static,
    ) -> Self {
        Self::with(Token::generate(32), log, make)
    }

    fn with<E: Executor>(
        token: Token,
        log: Log,
        make: impl FnOnce(mpsc::Receiver<()>) -> E + Send + 'static,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::at(directory.path().join("run"));
        let options = ServerOptions {
            token: Some(token.clone()),
            registry: Some(registry.clone()),
            log,
            ..ServerOptions::default()
        };
        let server = Server::bind(&Address::new("127.0.0.1", 0), options).unwrap();
        let address = Address::new("127.0.0.1", server.address().port());
        let socket = server.socket().cloned().unwrap_or_default();
        let stopper = server.stopper();
        let (hold, held) = mpsc::channel();
        let thread = thread::spawn(move || server.run(&mut make(held)));
        Self {
            address,
            token,
            socket,
            registry,
            stopper,
            hold: Some(hold),
            thread: Some(thread),
            _directory: directory,
        }
    }

    /// A client, by TCP.
    pub fn client(&self) -> Client {
        let options = ClientOptions { token: Some(self.token.clone()), ..ClientOptions::default() };
        Client::new(self.address.clone(), options)
    }

    /// Lets one held task go on.
    pub fn release(&self) {
        self.hold.as_ref().unwrap().send(()).unwrap();
    }

    /// Waits for the end of the server.
    pub fn join(mut self) -> Ended {
        self.hold = None;
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.hold = None;
        if let Some(thread) = self.thread.take() {
            self.stopper.stop(LONG);
            drop(thread.join());
        }
    }
}

/// A time limit for one call.
pub fn limit() -> Wait<'static> {
    Wait::at_most(LIMIT)
}

pub fn payload(value: impl Into<Value>) -> Payload {
    value.into().encode().unwrap().into()
}

pub fn call(client: &Client, value: impl Into<Value>) -> Result<Value, CallError> {
    let response = client.call(payload(value), &limit())?;
    Ok(Value::decode(response.message.data()).unwrap())
}

/// Asks for the status until it is as wanted.
pub fn until(client: &Client, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
    let since = Instant::now();
    loop {
        let status = client.status(&limit()).unwrap();
        if is_so(&status) {
            return status;
        }
        assert!(since.elapsed() < LIMIT, "not {what} in time: {status:?}");
        thread::yield_now();
    }
}

/// A well-behaved client that works all the time. Each of its requests must succeed.
pub struct Witness {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Witness {
    /// Goes round until it is told to end; the argument of `round` counts.
    pub fn new(mut round: impl FnMut(u64) + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let told = over.clone();
        let thread = thread::spawn(move || {
            let (mut rounds, mut slowest) = (0, Duration::ZERO);
            while rounds == 0 || !told.load(Ordering::SeqCst) {
                let since = Instant::now();
                round(rounds);
                slowest = slowest.max(since.elapsed());
                rounds += 1;
            }
            slowest
        });
        Self { over, thread }
    }

    /// The time that its slowest round took.
    pub fn finish(self) -> Duration {
        self.over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}
