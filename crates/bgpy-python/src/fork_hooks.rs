//! Hooks that Python runs around `os.fork`.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

type Hook = fn(Python<'_>) -> PyResult<()>;

/// What runs around each fork from the first registration on.
#[derive(Debug)]
pub struct ForkHooks {
    is_registered: AtomicBool,
    before: Hook,
    after_in_parent: Hook,
    after_in_child: Hook,
}

impl ForkHooks {
    pub const fn new(before: Hook, after_in_parent: Hook, after_in_child: Hook) -> Self {
        Self { is_registered: AtomicBool::new(false), before, after_in_parent, after_in_child }
    }

    /// Registers them, once per process: Python cannot unregister hooks.
    ///
    /// # Errors
    /// What Python raises.
    pub fn register(&self, py: Python<'_>) -> PyResult<()> {
        // Windows has no fork.
        let Ok(register) = py.import("os")?.getattr("register_at_fork") else { return Ok(()) };
        if self.is_registered.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let hook = |name, act: Hook| {
            PyCFunction::new_closure(
                py,
                Some(name),
                None,
                move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
                    act(arguments.py())
                },
            )
        };
        let keywords = PyDict::new(py);
        keywords.set_item("before", hook(c"bgpy_before_fork", self.before)?)?;
        keywords.set_item("after_in_parent", hook(c"bgpy_after_fork", self.after_in_parent)?)?;
        let in_child = hook(c"bgpy_after_fork_in_child", self.after_in_child)?;
        keywords.set_item("after_in_child", in_child)?;
        register.call((), Some(&keywords)).map(drop)
    }
}
