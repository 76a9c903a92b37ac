//! What is displayed for an enumeration's member that cannot be made here.

use pyo3::prelude::*;

use super::text::shortened;

/// Stands in for the member of an enumeration that is not imported here and must not be.
#[pyclass(frozen)]
pub struct UnknownMember {
    pub class: String,
    #[pyo3(get)]
    pub value: Py<PyAny>,
}

#[pymethods]
impl UnknownMember {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<{}: {}>", self.class, shortened(&self.value.bind(py).repr()?)?))
    }
}
