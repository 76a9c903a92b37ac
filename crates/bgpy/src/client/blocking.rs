//! The blocking client.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use bgpy_proto::codec::Value;
use bgpy_proto::{
    CallKind, DebugReply, DebugRequest, Delivered, Id, LogReply, LogRequest, Payload, Status, Want,
};

use super::absence::has_successor;
use super::call::Response;
use super::connect::{connect, link_to_stopping};
use super::link::Link;
use super::options::ClientOptions;
use super::proof::LastProof;
use super::restart_wait::may_go_elsewhere;
use super::search::RETRY_EVERY;
use crate::error::{CallError, ConnectError};
use crate::fork::PerProcess;
use crate::target::Target;
use crate::termination::end_paused;
use crate::wait::Wait;

/// A client of one server. Connects at the first call, keeps the connection, and reconnects if it
/// is lost. May be shared between threads, and used after a `fork`.
#[derive(Debug)]
pub struct Client {
    target: Target,
    options: ClientOptions,
    id: Id,
    /// What its server has proven: every later connection must prove the same.
    proof: LastProof,
    /// Empty in a forked child: the connection belongs to the parent.
    link: PerProcess<Option<Arc<Link>>>,
}

impl Client {
    /// A client of a server. Does not connect yet.
    pub fn new(target: impl Into<Target>, options: ClientOptions) -> Self {
        let (proof, link) = (LastProof::default(), PerProcess::new(None));
        Self { target: target.into(), options, id: Id::random(), proof, link }
    }

    /// The server as the user named it.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The connection, opened if there is none.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn link(&self, wait: &Wait<'_>) -> Result<Arc<Link>, ConnectError> {
        match self.current(wait.since()) {
            Some(link) => Ok(link),
            None => Ok(self.adopt(self.open(wait)?)),
        }
    }

    /// The connection for calls: opened if there is none, to a server that has its tasks if it was
    /// restarted.
    ///
    /// # Errors
    /// [`CallError`].
    pub(crate) fn started_link(&self, wait: &Wait<'_>) -> Result<Arc<Link>, CallError> {
        loop {
            let link = self.link(wait)?;
            match link.await_start(wait) {
                Ok(()) => return Ok(link),
                Err(error) if may_go_elsewhere(&error, wait) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The connection to the server that takes the place of one that has refused a call because it
    /// ends; `None` if there is no such server and none is about to start.
    ///
    /// # Errors
    /// [`CallError`].
    #[doc(hidden)]
    pub fn successor(
        &self,
        refused: &Link,
        wait: &Wait<'_>,
    ) -> Result<Option<Arc<Link>>, CallError> {
        let old = refused.hello().instance;
        while has_successor(&self.target, old) {
            // Calls that the old server has accepted still get their answers on its connection.
            self.link.lock(|| None).take_if(|link| link.hello().instance == old);
            match self.started_link(wait) {
                Ok(link) if link.hello().instance != old => return Ok(Some(link)),
                // The old one still listens while its last task runs, or is just closing.
                Ok(_) | Err(CallError::Connect(ConnectError::Io { .. })) => {}
                Err(CallError::Connect(error)) if error.is_absence() => {}
                Err(error) => return Err(error),
            }
            let slice = wait.slice().ok_or_else(|| refused.timed_out(wait, false))?;
            if wait.is_interrupted() {
                return Err(CallError::Interrupted);
            }
            thread::sleep(slice.min(RETRY_EVERY));
        }
        Ok(None)
    }

    /// Makes a call on a server that has its tasks. If the server ends without running it and
    /// another one takes its place, the call is made there. `act` makes the call on a connection, and fails if it was
    /// refused.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn calling<T>(
        &self,
        mut payload: Payload,
        wait: &Wait<'_>,
        mut act: impl FnMut(&Arc<Link>, Payload) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        payload.share();
        let mut link = self.started_link(wait)?;
        loop {
            match act(&link, payload.clone()) {
                Err(error) if error.is_stopping() => {
                    link = self.successor(&link, wait)?.ok_or(error)?;
                }
                outcome => return outcome,
            }
        }
    }

    /// The open connection, unless this thread is in the middle of writing to it: then a signal
    /// handler has interrupted the write, and its calls use another connection. Never blocks.
    #[doc(hidden)]
    pub fn current(&self, now: Instant) -> Option<Arc<Link>> {
        self.link.lock(|| None).as_ref().filter(|link| link.is_usable(now)).cloned()
    }

    /// Opens a new connection without adopting it.
    ///
    /// # Errors
    /// [`ConnectError`].
    #[doc(hidden)]
    pub fn open(&self, wait: &Wait<'_>) -> Result<Link, ConnectError> {
        let proven = self.proof.get();
        let link = connect(&self.target, &self.options, self.id, proven, wait)?;
        self.proof.note(link.proof());
        Ok(link)
    }

    /// Makes a connection this client's own, unless another thread was faster. Never blocks.
    #[doc(hidden)]
    pub fn adopt(&self, link: Link) -> Arc<Link> {
        // An overloaded server needs the descriptor, and may accept calls on the next connection.
        if link.hello().overloaded.is_some() {
            return Arc::new(link);
        }
        let mut current = self.link.lock(|| None);
        if let Some(current) = current.as_ref().filter(|link| link.is_usable(Instant::now())) {
            return current.clone();
        }
        current.insert(Arc::new(link)).clone()
    }

    /// Closes the connection; the next call opens another.
    pub fn close(&self) {
        let link = self.link.lock(|| None).take();
        // Dropped outside the lock: closing a connection may need locks that other threads hold.
        if let Some(link) = link {
            link.close();
        }
    }

    /// Sends a message to `exec_task` and waits for its first response.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call(&self, payload: Payload, wait: &Wait<'_>) -> Result<Response, CallError> {
        self.calling(payload, wait, |link, payload| link.first(CallKind::Exec, payload, wait))
    }

    /// Sends a message to `exec_task` and returns when the server has accepted the call.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn execute(&self, payload: Payload, wait: &Wait<'_>) -> Result<(), CallError> {
        self.calling(payload, wait, |link, payload| link.accepted(CallKind::Exec, payload, wait))
    }

    /// Sends the tasks and waits for the end of `init_task`; `false` if the server was already
    /// initialized.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn initialize(&self, payload: Payload, wait: &Wait<'_>) -> Result<bool, CallError> {
        self.calling(payload, wait, |link, payload| link.initialize(payload, wait))
    }

    /// Asks for the server's status, also while a task runs.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn status(&self, wait: &Wait<'_>) -> Result<Status, CallError> {
        self.link(wait)?.status(wait)
    }

    /// Asks for a piece of the server's log, also while a task runs.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn log(&self, request: &LogRequest, wait: &Wait<'_>) -> Result<LogReply, CallError> {
        self.link(wait)?.log(request, wait)
    }

    /// Asks a debug question, also while a task runs.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::Failed`] if the server refuses it.
    pub fn debug(&self, request: &DebugRequest, wait: &Wait<'_>) -> Result<DebugReply, CallError> {
        self.debug_link(wait)?.debug(request, wait)
    }

    /// A connection for debug requests: that for calls, or one of its own to a server that is stopping.
    ///
    /// # Errors
    /// [`ConnectError`]
    pub fn debug_link(&self, wait: &Wait<'_>) -> Result<Arc<Link>, ConnectError> {
        match self.link(wait) {
            Err(error @ ConnectError::Stopping { .. }) => {
                link_to_stopping(&self.target, &self.options, wait).unwrap_or(Err(error))
            }
            result => result,
        }
    }

    /// Checks that the server responds.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn ping(&self, wait: &Wait<'_>) -> Result<(), CallError> {
        self.link(wait)?.ping(wait)
    }

    /// Runs `exit_task` and ends the server. Returns when the server has accepted the call.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn terminate(&self, payload: Payload, wait: &Wait<'_>) -> Result<(), CallError> {
        self.link(wait)?.accepted(CallKind::Exit, payload, wait)
    }

    /// Ends the server with its `exit_task` and waits until it has closed the connection. A server
    /// that is not running or is already stopping is no error.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn end(&self, wait: &Wait<'_>) -> Result<(), CallError> {
        if end_paused(&self.target, wait) {
            return Ok(());
        }
        let link = match self.link(wait) {
            Err(error) if error.is_absence() => return Ok(()),
            link => link?,
        };
        // A deadlock is refused before the EXIT is sent, not after.
        let _waiting = link.waiting()?;
        let nothing = Value::Map(Vec::new()).encode().expect("an empty map is short").into();
        match link.accepted(CallKind::Exit, nothing, wait) {
            Ok(()) | Err(CallError::Failed { .. } | CallError::Lost { .. }) => {}
            Err(CallError::Connect(error)) if error.is_absence() => {}
            Err(error) => return Err(error),
        }
        link.wait_closed(wait)
    }

    /// Waits until the server has ended; a server that is being restarted has not. A server that is
    /// not running is no error.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn wait_ended(&self, wait: &Wait<'_>) -> Result<(), CallError> {
        let mut instance = None;
        loop {
            let link = match self.link(wait) {
                Err(error) if error.is_absence() => return Ok(()),
                Err(ConnectError::Restarting { .. }) if wait.slice().is_some() => continue,
                link => link?,
            };
            // By now another server may have the address.
            if *instance.get_or_insert(link.hello().instance) != link.hello().instance {
                return Ok(());
            }
            link.wait_closed(wait)?;
        }
    }

    /// Like [`terminate`](Self::terminate), but waits for the first response of `exit_task`.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn terminate_and_wait(
        &self,
        payload: Payload,
        wait: &Wait<'_>,
    ) -> Result<Response, CallError> {
        self.link(wait)?.first(CallKind::Exit, payload, wait)
    }

    /// Calls and passes every response to `each`, until the call ends.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call_all(
        &self,
        payload: Payload,
        wait: &Wait<'_>,
        mut each: impl FnMut(Delivered, bool),
    ) -> Result<(), CallError> {
        self.calling(payload, wait, |link, payload| {
            let _waiting = link.waiting()?;
            let mut call =
                link.begin(CallKind::Exec, Want::All, &link.head(wait), payload, wait)?;
            while let Some(Response { message, error }) = call.next(wait)? {
                each(message, error);
            }
            Ok(())
        })
    }
}
