//! Python modules that are imported at their first use.
//!
//! An import takes milliseconds, in which another thread may fork and a signal handler may come to the same
//! place. Therefore no import runs inside a cell that others wait for, forks wait for imports, and imports run
//! on a thread of their own, where no signal handler interrupts them.

use std::cell::RefCell;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::once::Once;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyModule};

use crate::fork_hooks::ForkHooks;

/// Held during an import, and by a thread that forks.
static IMPORTING: Mutex<()> = Mutex::new(());

thread_local! {
    /// The lock, between the hooks of a fork.
    static HELD: RefCell<Option<MutexGuard<'static, ()>>> = const { RefCell::new(None) };
}

/// Forks wait for imports, so that no import is cut short in a child.
static HOOKS: ForkHooks = ForkHooks::new(
    |py| {
        // Without the GIL, which the import needs.
        py.detach(|| HELD.with_borrow_mut(|held| *held = Some(lock())));
        Ok(())
    },
    release,
    release,
);

fn release(_: Python<'_>) -> PyResult<()> {
    drop(HELD.take());
    Ok(())
}

/// An attribute of a module.
pub struct Lazy {
    cell: Once<Py<PyAny>>,
    pub module: &'static str,
    pub attribute: &'static str,
}

impl Lazy {
    pub const fn new(module: &'static str, attribute: &'static str) -> Self {
        Self { cell: Once::new(), module, attribute }
    }

    /// The object; the module is imported if necessary.
    pub fn get<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        if let Some(known) = self.cell.get(py) {
            return Ok(known.bind(py));
        }
        let object = import(py, self.module)?.getattr(self.attribute)?;
        // If it was set meanwhile, then to the same object.
        Ok(self.cell.get_or_init(py, || object.unbind()).bind(py))
    }

    /// The object, if it was needed before.
    pub fn known<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyAny>> {
        self.cell.get(py).map(|known| known.bind(py))
    }
}

/// Import a module on a thread of its own, where no signal handler runs. The module must not be the first to
/// import `threading`, directly or through others, which takes the thread of its import for the main thread.
///
/// # Errors
/// What the import raises.
#[pyfunction(name = "import_module")]
pub fn import<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyModule>> {
    if let Some(module) = imported(py, name)? {
        return Ok(module);
    }
    HOOKS.register(py)?;
    let run = || Python::try_attach(|py| py.import(name).map(Bound::unbind));
    let imported = py.detach(|| {
        let _importing = lock();
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("bgpy-import".into());
            thread.spawn_scoped(scope, run).ok().and_then(|thread| thread.join().ok()?)
        })
    });
    // There may be no thread to be had, at the end of the interpreter for example.
    imported.map_or_else(|| py.import(name), |module| Ok(module?.into_bound(py)))
}

/// A module that is imported already, and completely.
fn imported<'py>(py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyModule>>> {
    let modules = py.import("sys")?.getattr("modules")?.cast_into::<PyDict>()?;
    let Some(module) = modules.get_item(name)? else { return Ok(None) };
    let spec = module.getattr("__spec__")?;
    let is_initializing = !spec.is_none()
        && spec.getattr_opt("_initializing")?.is_some_and(|it| it.is_truthy().unwrap_or(true));
    Ok(module.cast_into::<PyModule>().ok().filter(|_| !is_initializing))
}

fn lock() -> MutexGuard<'static, ()> {
    IMPORTING.lock().unwrap_or_else(PoisonError::into_inner)
}
