//! Progress as Python sees it.

use bgpy::Progress;
use pyo3::prelude::*;

/// How far a call has come, as its task has reported with `bgpy.progress`.
#[pyclass(module = "bgpy", name = "Progress", frozen)]
#[derive(Debug, Clone)]
pub struct ProgressReport {
    /// What is done, in a unit of the task's own, or None.
    #[pyo3(get)]
    done: Option<f64>,
    /// What there is to do in all, in the same unit, or None.
    #[pyo3(get)]
    total: Option<f64>,
    /// What the task is doing, or None.
    #[pyo3(get)]
    text: Option<String>,
}

impl From<Progress> for ProgressReport {
    fn from(Progress { done, total, text }: Progress) -> Self {
        Self { done, total, text }
    }
}

#[pymethods]
impl ProgressReport {
    /// The part that is done, from 0 to 1, or None if that is unknown.
    #[getter]
    fn fraction(&self) -> Option<f64> {
        Progress::new(self.done, self.total, None).fraction()
    }

    fn __repr__(&self) -> String {
        let number =
            |number: Option<f64>| number.map_or("None".to_owned(), |number| number.to_string());
        let text = self.text.as_ref().map_or("None".to_owned(), |text| format!("{text:?}"));
        format!("Progress(done={}, total={}, text={text})", number(self.done), number(self.total))
    }
}
