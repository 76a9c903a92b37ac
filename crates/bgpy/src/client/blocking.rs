//! The blocking client.

use std::sync::Arc;
use std::time::Instant;

use bgpy_proto::codec::Value;
use bgpy_proto::{CallKind, Delivered, Id, LogReply, LogRequest, Payload, Status, Want};

use super::call::Response;
use super::connect::connect;
use super::link::Link;
use super::options::ClientOptions;
use super::proof::LastProof;
use super::restart_wait::may_go_elsewhere;
use crate::ending::end_paused;
use crate::error::{CallError, ConnectError};
use crate::fork::PerProcess;
use crate::target::Target;
use crate::wait::Wait;

/// A client of one server. It connects at its first call, keeps the connection, and connects again
/// when it was lost. It may be shared between threads, and used after a `fork`.
#[derive(Debug)]
pub struct Client {
    target: Target,
    options: ClientOptions,
    id: Id,
    /// What its server has proven: from then on each has to.
    proof: LastProof,
    /// A forked child has none: its parent's is its parent's.
    link: PerProcess<Option<Arc<Link>>>,
}

impl Client {
    /// A client of a server. It does not connect yet.
    pub fn new(target: impl Into<Target>, options: ClientOptions) -> Self {
        let (proof, link) = (LastProof::default(), PerProcess::new(None));
        Self { target: target.into(), options, id: Id::random(), proof, link }
    }

    /// The server, as it was named.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The connection, opened now unless it is open.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn link(&self, wait: &Wait<'_>) -> Result<Arc<Link>, ConnectError> {
        match self.current(wait.since()) {
            Some(link) => Ok(link),
            None => Ok(self.adopt(self.open(wait)?)),
        }
    }

    /// The connection for calls: it is open, and a server that is started again has its tasks.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn started_link(&self, wait: &Wait<'_>) -> Result<Arc<Link>, CallError> {
        loop {
            let link = self.link(wait)?;
            match link.await_start(wait) {
                Ok(()) => return Ok(link),
                Err(error) if may_go_elsewhere(&error, wait) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The connection, if it is open, and if this thread is not in the middle of writing to it: a signal
    /// handler that has interrupted it calls by another one. Never waits.
    pub fn current(&self, now: Instant) -> Option<Arc<Link>> {
        self.link.lock(|| None).as_ref().filter(|link| link.is_usable(now)).cloned()
    }

    /// Opens a connection that this client does not know yet.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn open(&self, wait: &Wait<'_>) -> Result<Link, ConnectError> {
        let proven = self.proof.get();
        let link = connect(&self.target, &self.options, self.id, proven, wait)?;
        self.proof.note(link.proof());
        Ok(link)
    }

    /// Makes a connection this client's own, unless another thread was faster. Never waits.
    pub fn adopt(&self, link: Link) -> Arc<Link> {
        // Others want its place, and the server may take calls again when it is asked next.
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
        // With nothing locked: the end of a connection may need what other threads have.
        if let Some(link) = link {
            link.close();
        }
    }

    /// Sends `exec_task` its argument and waits for its first response.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call(&self, payload: Payload, wait: &Wait<'_>) -> Result<Response, CallError> {
        self.started_link(wait)?.first(CallKind::Exec, payload, wait)
    }

    /// Sends `exec_task` its argument and returns when the server has accepted the call.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn execute(&self, payload: Payload, wait: &Wait<'_>) -> Result<(), CallError> {
        self.started_link(wait)?.accepted(CallKind::Exec, payload, wait)
    }

    /// Sends the tasks and waits for the end of `init_task`; `false` when the server had been
    /// initialised before.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn initialize(&self, payload: Payload, wait: &Wait<'_>) -> Result<bool, CallError> {
        self.started_link(wait)?.initialize(payload, wait)
    }

    /// Asks for the server's status, which it gives also while a task runs.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn status(&self, wait: &Wait<'_>) -> Result<Status, CallError> {
        self.link(wait)?.status(wait)
    }

    /// Asks for a piece of the server's log, which it gives also while a task runs.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn log(&self, request: &LogRequest, wait: &Wait<'_>) -> Result<LogReply, CallError> {
        self.link(wait)?.log(request, wait)
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn ping(&self, wait: &Wait<'_>) -> Result<(), CallError> {
        self.link(wait)?.ping(wait)
    }

    /// Runs `exit_task` and ends the server. Returns when the server has accepted it.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn terminate(&self, payload: Payload, wait: &Wait<'_>) -> Result<(), CallError> {
        self.link(wait)?.accepted(CallKind::Exit, payload, wait)
    }

    /// Ends the server through its `exit_task` and waits until it has closed the connection. One that
    /// does not run, or is about to end, is no error.
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
        // Before it is told to end, not after.
        let _waiting = link.waiting()?;
        let nothing = Value::Map(Vec::new()).encode().expect("an empty map is short").into();
        match link.accepted(CallKind::Exit, nothing, wait) {
            Ok(()) | Err(CallError::Failed { .. } | CallError::Lost { .. }) => {}
            Err(CallError::Connect(error)) if error.is_absence() => {}
            Err(error) => return Err(error),
        }
        link.wait_closed(wait)
    }

    /// Waits until the server has ended; one that is started again after a failure has not. One that
    /// does not run is no error.
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
            // Another one may have its place by now.
            if *instance.get_or_insert(link.hello().instance) != link.hello().instance {
                return Ok(());
            }
            link.wait_closed(wait)?;
        }
    }

    /// As [`terminate`](Self::terminate), and waits for the first response of `exit_task`.
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

    /// Calls and hands every response to `each`, until the call ends.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call_all(
        &self,
        payload: Payload,
        wait: &Wait<'_>,
        mut each: impl FnMut(Delivered, bool),
    ) -> Result<(), CallError> {
        let link = self.started_link(wait)?;
        let _waiting = link.waiting()?;
        let mut call = link.begin(CallKind::Exec, Want::All, payload, wait)?;
        while let Some(Response { message, error }) = call.next(wait)? {
            each(message, error);
        }
        Ok(())
    }
}
