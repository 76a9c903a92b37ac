//! Cells that are set once, with the GIL held from the beginning to the end.
//!
//! Those of pyo3 release the GIL while they are set. Another thread may fork then, and the child would wait for a
//! thread that it does not have.

use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::PyString;

/// A cell that is set once.
pub struct Once<T>(OnceLock<T>);

impl<T> Once<T> {
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// What it was set to, if it was.
    pub fn get(&self, _py: Python<'_>) -> Option<&T> {
        self.0.get()
    }

    /// What it was set to, by this call if by none before. If `make` lets others do so meanwhile, theirs stays.
    pub fn get_or_init(&self, py: Python<'_>, make: impl FnOnce() -> T) -> &T {
        match self.get_or_try_init(py, || Ok::<_, std::convert::Infallible>(make())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// Like [`get_or_init`](Self::get_or_init).
    ///
    /// # Errors
    /// What `make` fails with.
    pub fn get_or_try_init<E>(
        &self,
        _py: Python<'_>,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<&T, E> {
        if let Some(known) = self.0.get() {
            return Ok(known);
        }
        let made = make()?;
        // Without anything in between that could release the GIL.
        Ok(self.0.get_or_init(|| made))
    }
}

/// A string that is made once.
pub struct Interned {
    cell: Once<Py<PyString>>,
    text: &'static str,
}

impl Interned {
    pub const fn new(text: &'static str) -> Self {
        Self { cell: Once::new(), text }
    }

    pub fn get<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        self.cell.get_or_init(py, || PyString::intern(py, self.text).unbind()).bind(py)
    }
}

/// The Python string of a literal, made once.
macro_rules! interned {
    ($py:expr, $text:literal) => {{
        static TEXT: $crate::once::Interned = $crate::once::Interned::new($text);
        TEXT.get($py)
    }};
}

pub(crate) use interned;
