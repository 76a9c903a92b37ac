//! What is known of a server that was started, and how its end is waited for.

use std::sync::Mutex;

use bgpy::address::Address;
use bgpy::registry::Entry;
use bgpy::shutdown::see_out;
use bgpy::start::Background;
use bgpy::start::attach::Started;
use bgpy::{CallError, Target, Token};
use pyo3::prelude::*;

use crate::arguments::{limit, waiting};
use crate::client::python_version;
use crate::decode::Policy;
use crate::errors::late;
use crate::server::Server;

impl Server {
    /// What is known of the server once it was started.
    pub(crate) fn known<T>(
        &self,
        here: impl FnOnce(&Background) -> T,
        elsewhere: impl FnOnce(&Entry) -> T,
    ) -> Option<T> {
        lock(&self.started).as_ref().map(|started| match started {
            Started::Here(background) => here(background),
            Started::Attached(entry) => elsewhere(entry),
        })
    }

    /// The server's process, if this one has started it.
    pub(crate) fn child(&self) -> Option<Background> {
        self.known(|background| Some(background.clone()), |_| None).flatten()
    }

    pub(crate) fn target(&self) -> Target {
        match &self.config.name {
            Some(name) => Target::Name(name.clone()),
            None => Target::Address(Address::new(self.host(), self.port())),
        }
    }

    /// Has the server end, or waits for that, and waits until its process is gone, where that is one of
    /// this machine.
    pub(crate) fn see_to_end(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        end: impl FnOnce(&bgpy::Client, &bgpy::Wait<'_>) -> Result<(), CallError> + Send,
    ) -> PyResult<()> {
        let (client, target, child) = (self.client(py)?, self.target(), self.child());
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
            Err(error) => Err(crate::errors::call_error(py, error, Policy::from(&self.config))),
        }
    }

    /// A client of this server.
    pub(crate) fn client(&self, py: Python<'_>) -> PyResult<bgpy::Client> {
        let options = bgpy::ClientOptions {
            token: self.config.token.as_deref().map(Token::new),
            auth: self.config.auth,
            python: Some(python_version(py)),
            ..bgpy::ClientOptions::default()
        };
        Ok(bgpy::Client::new(self.target(), options))
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

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
