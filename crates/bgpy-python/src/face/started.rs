//! What `Server` knows about a server that it has started or found, and how it waits for its end.

use std::sync::Mutex;

use bgpy::address::Address;
use bgpy::registry::{Entry, Registry};
use bgpy::shutdown::see_out;
use bgpy::start::Background;
use bgpy::start::attach::Started;
use bgpy::{CallError, Target, Token};
use pyo3::prelude::*;

use super::arguments::{limit, waiting};
use super::errors::{call_error, late};
use super::html::{ANSWER_S, Properties};
use super::server::Server;
use crate::codec::decode::Policy;
use crate::serve::interpreter::python_version;

impl Server {
    /// A property of the server, from its process or its entry; none before a start.
    pub(super) fn known<T>(
        &self,
        here: impl FnOnce(&Background) -> T,
        elsewhere: impl FnOnce(&Entry) -> T,
    ) -> Option<T> {
        lock(&self.started).as_ref().map(|started| match started {
            Started::Here(background) => here(background),
            Started::Attached(entry) => elsewhere(entry),
        })
    }

    /// The server's process, if this process started it.
    pub(super) fn child(&self) -> Option<Background> {
        self.known(|background| Some(background.clone()), |_| None).flatten()
    }

    pub(super) fn target(&self) -> Target {
        match &self.config.name {
            Some(name) => Target::Name(name.clone()),
            None => Target::Address(Address::new(self.host(), self.port())),
        }
    }

    /// Whether the server that this object has started or found has ended. Another one may have its name or
    /// address by now.
    pub(super) fn has_ended(&self) -> bool {
        let is_over = |entry: &Entry| {
            let now = Registry::of_user().ok().and_then(|all| all.entry(&entry.instance));
            now.map_or(!entry.has_process(), |now| now.is_over())
        };
        self.known(Background::has_ended, is_over).unwrap_or(false)
    }

    /// A target that means the server that this object has started or found, and no other.
    fn own_target(&self) -> Option<Target> {
        let entry = self.known(Background::entry, |entry| Some(entry.clone())).flatten()?;
        let registry = Registry::of_user().ok()?;
        registry.own_target(&registry.entry(&entry.instance)?)
    }

    /// Runs `end`, which stops the server or waits for its end, and then waits for the end of its process, if
    /// that is on this machine.
    pub(super) fn see_to_end(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        end: impl FnOnce(&bgpy::Client, &bgpy::Wait<'_>) -> Result<(), CallError> + Send,
    ) -> PyResult<()> {
        if py.detach(|| self.has_ended()) {
            return Ok(());
        }
        let (client, child) = (self.client(py)?, self.child());
        let target = client.target().clone();
        let outcome = waiting(py, limit(py, timeout)?, |wait| match child {
            Some(child) => end(&client, wait).map(|()| child.wait(wait).map(drop)),
            None => {
                let ended = see_out(&target, wait, |wait| end(&client, wait))?;
                Ok(ended.map(drop).map_err(Some))
            }
        })?;
        match outcome {
            Ok(ended) => ended.map_err(|hindrance| late(py, self, timeout, hindrance)),
            Err(CallError::Timeout { .. }) => Err(late(py, self, timeout, None)),
            Err(error) => Err(call_error(py, error, Policy::from(&self.config))),
        }
    }

    /// What a notebook displays.
    pub(super) fn properties(&self, py: Python<'_>) -> PyResult<Properties> {
        let mut shown = Properties::of(self.target().to_string());
        if self.pid().is_none() && self.config.name.is_none() && self.port() == 0 {
            shown.add("state", "not started");
            return Ok(shown);
        }
        let (client, limit) = (self.client(py)?, limit(py, Some(ANSWER_S))?);
        shown.add_status(py, waiting(py, limit, |wait| client.status(wait)))?;
        shown.add("address", format!("{}:{}", self.host(), self.port()));
        if let Some(log) = self.log_file() {
            shown.add("log", log.display().to_string());
        }
        Ok(shown)
    }

    /// A client of this server.
    pub(super) fn client(&self, py: Python<'_>) -> PyResult<bgpy::Client> {
        let options = bgpy::ClientOptions {
            token: self.config.token.as_deref().map(Token::new),
            auth: self.config.auth,
            python: Some(python_version(py)),
            ..bgpy::ClientOptions::default()
        };
        let target = py.detach(|| self.own_target()).unwrap_or_else(|| self.target());
        Ok(bgpy::Client::new(target, options))
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.config.name {
            Some(name) => write!(f, "the server '{name}'"),
            None => write!(f, "the server at {}:{}", self.host(), self.port()),
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
