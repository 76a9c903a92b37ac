//! What a prompt shows of a program: its state and the function that answers calls, or its object.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The program of a server, for whoever looks into it while it runs.
///
/// It is locked only with the GIL held and for a moment, so a forked child never inherits it locked.
#[derive(Clone, Default)]
pub struct Shown(Arc<Mutex<Parts>>);

#[derive(Default)]
struct Parts {
    state: Option<Py<PyDict>>,
    exec: Option<Py<PyAny>>,
    object: Option<Py<PyAny>>,
}

impl Shown {
    /// Shows a program that is about to start, and has no state yet.
    pub fn begin(&self, exec: &Bound<'_, PyAny>) {
        self.replace(Parts { exec: Some(exec.clone().unbind()), ..Parts::default() });
    }

    /// Shows the object of a service.
    pub fn serve(&self, object: &Bound<'_, PyAny>) {
        self.replace(Parts { object: Some(object.clone().unbind()), ..Parts::default() });
    }

    /// Shows another state.
    pub fn set_state(&self, state: &Bound<'_, PyDict>) {
        let state = Some(state.clone().unbind());
        let before = {
            let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut parts.state, state)
        };
        // Dropped unlocked: that may run code of the state's objects.
        drop(before);
    }

    /// The state and `exec_task`, as far as there are any.
    pub fn get(&self, py: Python<'_>) -> (Option<Py<PyDict>>, Option<Py<PyAny>>) {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = parts.state.as_ref().map(|state| state.clone_ref(py));
        (state, parts.exec.as_ref().map(|exec| exec.clone_ref(py)))
    }

    /// The object of a service, once it was made.
    pub fn object(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.object.as_ref().map(|object| object.clone_ref(py))
    }

    fn replace(&self, parts: Parts) {
        let before = {
            let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *now, parts)
        };
        drop(before);
    }
}
