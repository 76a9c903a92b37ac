//! A server's log, read piece by piece: by asking the server, or from its file on this machine.
//!
//! What the pieces become is up to `python/bgpy/_logs.py`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bgpy::error::Lost;
use bgpy::log::read::{Prints, piece};
use bgpy::registry::Registry;
use bgpy::survey::look_up;
use bgpy::{CallError, Link, LogPiece, LogReply, LogRequest, Target, limits};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::arguments::{limit, waiting};
use super::client::Client;
use super::errors::call_error;
use super::server::Server;
use super::started::lock;
use crate::exceptions::{Class, error, is_no_exception};

/// How long a server may take to tell something at once.
const ANSWER: Duration = Duration::from_secs(2);

/// Reads the log of a server.
#[pyclass(module = "bgpy._bgpy", frozen)]
pub struct LogReader {
    source: Source,
    request: Mutex<LogRequest>,
    /// Whether to read on until the server has ended.
    follows: bool,
    /// Leaves out the server's own records.
    prints: Option<Mutex<Prints>>,
    limit: Option<Duration>,
}

enum Source {
    /// The server, which is asked.
    Server { client: Py<Client>, link: Mutex<Arc<Link>> },
    /// The file of a server on this machine, which remains when the server has ended.
    File { target: Target, path: PathBuf, has_ended: AtomicBool },
}

impl LogReader {
    /// A reader of the log of the server that a client is connected to.
    ///
    /// # Errors
    /// As for [`Client::link`].
    pub fn of_client(
        client: &Bound<'_, Client>,
        lines: u64,
        follows: bool,
        timeout: Option<f64>,
    ) -> PyResult<Self> {
        let py = client.py();
        let limit = limit(py, timeout)?;
        let link = Mutex::new(client.get().link(py, limit)?);
        let source = Source::Server { client: client.clone().unbind(), link };
        let request = Mutex::new(LogRequest::LastLines(lines));
        Ok(Self { source, request, follows, prints: None, limit })
    }

    /// A reader of what tasks print from now on.
    ///
    /// # Errors
    /// As for [`Client::link`].
    pub fn of_prints(client: &Bound<'_, Client>, timeout: Option<f64>) -> PyResult<Self> {
        let reader = Self::of_client(client, 0, false, timeout)?;
        // Each read interrupts the wait for a call, which has a time of its own.
        let limit = Some(reader.limit.map_or(ANSWER, |limit| limit.min(ANSWER)));
        Ok(Self { prints: Some(Mutex::default()), limit, ..reader })
    }

    /// A reader of the file that a server logs to.
    ///
    /// # Errors
    /// `BgpyError` if there is none.
    pub fn of_server(py: Python<'_>, server: &Server, lines: u64, follows: bool) -> PyResult<Self> {
        let Some(path) = server.log_file() else {
            let text = format!("{server} has no log file: it logs where it was started");
            return Err(error(py, Class::BgpyError, text));
        };
        let source =
            Source::File { target: server.target(), path, has_ended: AtomicBool::new(false) };
        let request = Mutex::new(LogRequest::LastLines(lines));
        Ok(Self { source, request, follows, prints: None, limit: Some(ANSWER) })
    }
}

#[pymethods]
impl LogReader {
    /// Return the next piece, and whether more is there already; None after the end of the server.
    fn read<'py>(&self, py: Python<'py>) -> PyResult<Option<(Bound<'py, PyBytes>, bool)>> {
        if self.is_in_the_way() {
            return Ok(Some((PyBytes::new(py, b""), false)));
        }
        let request = lock(&self.request).clone();
        let read = match &self.source {
            Source::Server { client, link } => self.ask(client.bind(py), link, &request)?,
            Source::File { target, path, has_ended } => {
                let read = py.detach(|| piece(path, &request, limits::LOG_BYTES_MAX));
                let read = read.map_err(|source| {
                    let text = format!("cannot read the log '{}': {source}", path.display());
                    error(py, Class::BgpyError, text)
                })?;
                if self.follows && read.text.is_empty() && !read.more {
                    // Its last lines may have come after it was seen alive.
                    if has_ended.load(Ordering::Relaxed) {
                        return Ok(None);
                    }
                    has_ended.store(self.is_gone(py, target, path)?, Ordering::Relaxed);
                }
                Some(read)
            }
        };
        Ok(read.map(|LogPiece { text, after, more }| {
            *lock(&self.request) = LogRequest::After(after);
            match &self.prints {
                // What is held back comes when the log is read again.
                Some(prints) => {
                    (PyBytes::new(py, &lock(prints).next(&text)), more || !text.is_empty())
                }
                None => (PyBytes::new(py, &text), more),
            }
        }))
    }
}

/// The text of a log, or its lines.
///
/// # Errors
/// As for [`LogReader::read`].
pub fn logs(py: Python<'_>, reader: LogReader) -> PyResult<Bound<'_, PyAny>> {
    let follows = reader.follows;
    py.import("bgpy._logs")?.call_method1("logs", (reader, follows))
}

/// A function that prints what tasks have printed.
///
/// # Errors
/// Python's error.
pub fn echo(py: Python<'_>, reader: LogReader) -> PyResult<Py<PyAny>> {
    py.import("bgpy._logs")?.call_method1("Echo", (reader,)).map(Bound::unbind)
}

impl LogReader {
    /// Whether this thread is in the middle of writing the call that it reads beside.
    fn is_in_the_way(&self) -> bool {
        match &self.source {
            Source::Server { link, .. } if self.prints.is_some() => {
                !lock(link).is_usable(Instant::now())
            }
            _ => false,
        }
    }

    /// The next piece from the server; none if it has ended.
    fn ask(
        &self,
        client: &Bound<'_, Client>,
        link: &Mutex<Arc<Link>>,
        request: &LogRequest,
    ) -> PyResult<Option<LogPiece>> {
        let py = client.py();
        let client = client.get();
        loop {
            let asked = lock(link).clone();
            match waiting(py, self.limit, |wait| asked.log(request, wait))? {
                Ok(LogReply::Piece(piece)) => return Ok(Some(piece)),
                Ok(LogReply::Unreadable(why)) => {
                    let text = format!("{}: {why}", client.client.target());
                    return Err(error(py, Class::BgpyError, text));
                }
                // It has ended, or has failed and is being restarted.
                Err(CallError::Lost { reason: Lost::Closed | Lost::Io(_), .. }) if self.follows => {
                    match client.link(py, self.limit) {
                        Ok(next) if next.hello().instance == asked.hello().instance => {
                            *lock(link) = next;
                        }
                        Err(error) if is_no_exception(&error, py) => return Err(error),
                        _ => return Ok(None),
                    }
                }
                Err(error) => return Err(call_error(py, error, client.policy)),
            }
        }
    }

    /// Whether the server that logs to a file has ended, or has made room for one that logs elsewhere.
    fn is_gone(&self, py: Python<'_>, target: &Target, path: &Path) -> PyResult<bool> {
        let known = waiting(py, self.limit, |wait| {
            Registry::of_user().ok().and_then(|registry| look_up(&registry, target, wait).ok())
        })?;
        let is_it = |info: &bgpy::ServerInfo| info.entry.log_file.as_deref() == Some(path);
        Ok(known.is_none_or(|info| info.filter(is_it).is_none_or(|info| info.has_ended())))
    }
}
