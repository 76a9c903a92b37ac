//! Which thread runs the calls of which server of this process, for threads that wait for one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bgpy::Id;
use bgpy::deadlock::awaited_servers;
use pyo3::prelude::*;

use crate::exceptions::{Class, error};
use crate::lazy::Lazy;

/// Locked for a moment, without waiting for anything.
static SERVING: Mutex<Vec<Serving>> = Mutex::new(Vec::new());

#[derive(Clone)]
struct Serving {
    server: Id,
    /// As its users name it.
    target: String,
    /// As `threading.get_ident` tells it.
    thread: u64,
}

/// The calling thread runs the calls of a server until this is dropped.
pub struct ServingThread {
    server: Id,
}

impl ServingThread {
    /// Notes that the calling thread runs the calls of a server.
    pub fn note(py: Python<'_>, server: Id, target: String) -> PyResult<Self> {
        let thread = py.import("_thread")?.call_method0("get_ident")?.extract()?;
        all().push(Serving { server, target, thread });
        Ok(Self { server })
    }
}

impl Drop for ServingThread {
    fn drop(&mut self) {
        all().retain(|it| it.server != self.server);
    }
}

fn all() -> MutexGuard<'static, Vec<Serving>> {
    SERVING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Checks that no task of a server that this thread waits for waits for this thread in turn, as far as the
/// standard library's waits for threads show it.
///
/// # Errors
/// WouldDeadlock.
pub fn check_joins(py: Python<'_>) -> PyResult<()> {
    static WAITS: Lazy = Lazy::new("bgpy._joins", "waits_for_this_thread");
    for server in awaited_servers() {
        let serving = all().iter().find(|it| it.server == server).cloned();
        let Some(Serving { target, thread, .. }) = serving else { continue };
        if WAITS.get(py)?.call1((thread,))?.extract()? {
            let text = format!(
                "{target} cannot answer before its task has ended, which waits for this thread: do not wait for \
                 the thread in the task, or do not wait for the server in the thread"
            );
            return Err(error(py, Class::WouldDeadlock, text));
        }
    }
    Ok(())
}
