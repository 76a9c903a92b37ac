//! A call under way, as `Call` and `Stream` share it: its steps, progress and callbacks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bgpy::deadlock::called_back;
use bgpy::{
    Call, CallError, CallHandle, Failure, FailureCode, Link, Payload, Progress, Response, Step,
    Wait,
};
use pyo3::prelude::*;

use super::arguments::{waiting, waiting_with};
use super::callback::Callbacks;
use super::client::Client;
use super::errors::{call_error, no_response};
use super::progress::ProgressReport;
use crate::exceptions::is_no_exception;

/// A call that may be waited for by several threads.
pub struct Pending {
    pub client: Py<Client>,
    link: Arc<Link>,
    handle: CallHandle,
    /// None once it is detached or dropped. Locked only for a moment, and never with the GIL awaited.
    call: Mutex<Option<Call>>,
    on_progress: Option<Py<PyAny>>,
    callbacks: Callbacks,
    progress: Mutex<Option<Progress>>,
    has_last_response: AtomicBool,
}

impl Pending {
    pub fn new(
        client: Py<Client>,
        call: Call,
        on_progress: Option<Py<PyAny>>,
        callbacks: Callbacks,
    ) -> Self {
        let (link, handle) = (call.link().clone(), call.handle());
        let (call, progress) = (Mutex::new(Some(call)), Mutex::new(None));
        let has_last_response = AtomicBool::new(false);
        Self { client, link, handle, call, on_progress, callbacks, progress, has_last_response }
    }

    /// The connection that it is on.
    pub fn link(&self) -> &Arc<Link> {
        &self.link
    }

    fn call(&self) -> MutexGuard<'_, Option<Call>> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next response; None if the call has ended. Meanwhile it reports progress and runs callbacks on
    /// this thread.
    ///
    /// # Errors
    /// `BgpyError`; `CallTimeout` if the time is over, and then the call goes on.
    pub fn next(&self, py: Python<'_>, limit: Option<Duration>) -> PyResult<Option<Response>> {
        self.next_with(py, limit, None)
    }

    /// Waits for the only response, and then drops the call. If that is interrupted, the call is cancelled. `meanwhile`
    /// is called now and then.
    ///
    /// # Errors
    /// `BgpyError`.
    pub fn first(
        self,
        py: Python<'_>,
        limit: Option<Duration>,
        meanwhile: Option<&Py<PyAny>>,
    ) -> PyResult<Response> {
        let outcome = self.next_with(py, limit, meanwhile);
        if outcome.as_ref().is_err_and(|error| is_no_exception(error, py))
            && let Some(call) = self.call().take()
        {
            py.detach(|| call.abandon());
        }
        let server = self.client.get().client.target().to_string();
        outcome?.ok_or_else(|| no_response(py, &server))
    }

    fn next_with(
        &self,
        py: Python<'_>,
        limit: Option<Duration>,
        meanwhile: Option<&Py<PyAny>>,
    ) -> PyResult<Option<Response>> {
        loop {
            let step = waiting_with(py, limit, meanwhile, |wait| self.await_step(wait))?;
            match self.handled(py, self.told(py, step)?)? {
                Handled::Response(response) => return Ok(Some(response)),
                Handled::Ended => return Ok(None),
                Handled::Aside => {}
            }
        }
    }

    /// The next response if it is there, without waiting; the outer None says that it is not.
    ///
    /// # Errors
    /// As for [`next`](Self::next).
    pub fn try_next(&self, py: Python<'_>) -> PyResult<Option<Option<Response>>> {
        loop {
            let step = py.detach(|| match self.try_step() {
                Ok(None) => {
                    self.link.hear_out();
                    self.try_step()
                }
                step => step,
            });
            let Some(step) = self.told(py, step)? else { return Ok(None) };
            match self.handled(py, step)? {
                Handled::Response(response) => return Ok(Some(Some(response))),
                Handled::Ended => return Ok(Some(None)),
                Handled::Aside => {}
            }
        }
    }

    fn await_step(&self, wait: &Wait<'_>) -> Result<Step, CallError> {
        loop {
            self.check_process()?;
            let seen = self.link.arrivals();
            match self.try_step()? {
                Some(step) => return Ok(step),
                None => self.link.pump(seen, wait)?,
            }
        }
    }

    /// The call belongs to the process that began it: in a forked child, its locks may be held for ever.
    fn check_process(&self) -> Result<(), CallError> {
        if self.link.is_here() { Ok(()) } else { Err(self.link.forked()) }
    }

    /// Checks that the call belongs to this process.
    ///
    /// # Errors
    /// `ConnectionLost`.
    pub fn check(&self, py: Python<'_>) -> PyResult<()> {
        self.told(py, self.check_process())
    }

    fn try_step(&self) -> Result<Option<Step>, CallError> {
        self.check_process()?;
        let mut call = self.call();
        let Some(call) = call.as_mut() else { return Ok(Some(Step::Ended)) };
        let step = call.try_step()?;
        if matches!(step, Some(Step::Response(_))) && call.is_over() {
            self.has_last_response.store(true, Ordering::SeqCst);
        }
        Ok(step)
    }

    /// Whether a thread has taken a response that was the last step.
    pub fn has_last_response(&self) -> bool {
        self.has_last_response.load(Ordering::SeqCst)
    }

    fn told<T>(&self, py: Python<'_>, step: Result<T, CallError>) -> PyResult<T> {
        step.map_err(|error| call_error(py, error, self.client.get().policy))
    }

    fn handled(&self, py: Python<'_>, step: Step) -> PyResult<Handled> {
        match step {
            Step::Response(response) => return Ok(Handled::Response(response)),
            Step::Ended => return Ok(Handled::Ended),
            Step::Progress(progress) => {
                *self.progress.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(progress.clone());
                if let Some(report) = &self.on_progress {
                    report.call1(py, (ProgressReport::from(progress),))?;
                }
            }
            Step::Callback { number, message } => {
                let run = || self.callbacks.run(py, self.client.bind(py), message);
                let returned = called_back(self.link.hello().instance, run)?;
                let send = |returned: Result<Payload, &Failure>| {
                    waiting(py, None, |wait| {
                        self.handle.return_from_callback(number, returned, wait)
                    })
                };
                let mut sent = match returned {
                    Ok(payload) => send(Ok(payload)),
                    Err(failure) => send(Err(&failure)),
                }?;
                if let Err(CallError::Message(error)) = &sent {
                    let text = format!("the result of the callback cannot be sent: {error}");
                    sent = send(Err(&Failure::new(FailureCode::Serialization, text)))?;
                }
                self.told(py, sent)?;
            }
        }
        Ok(Handled::Aside)
    }

    /// The latest progress.
    pub fn progress(&self) -> Option<ProgressReport> {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.clone().map(ProgressReport::from)
    }

    /// Asks the server to cancel the call.
    pub fn cancel(&self, py: Python<'_>, limit: Option<Duration>) -> PyResult<()> {
        let asked = waiting(py, limit, |wait| {
            self.check_process()?;
            if self.is_over() { Ok(()) } else { self.handle.cancel(wait) }
        })?;
        self.told(py, asked)
    }

    /// Whether the last event of the call was taken.
    pub fn is_over(&self) -> bool {
        !self.link.is_here() || self.call().as_ref().is_none_or(Call::is_over)
    }

    /// Gives the call up: a stream is cancelled.
    pub fn give_up(&self, py: Python<'_>) {
        if self.link.is_here() {
            py.detach(|| drop(self.call().take()));
        }
    }

    /// Lets the call run on its own.
    pub fn detach(&self) {
        if self.link.is_here()
            && let Some(call) = self.call().take()
        {
            call.detach();
        }
    }
}

enum Handled {
    Response(Response),
    Aside,
    Ended,
}
