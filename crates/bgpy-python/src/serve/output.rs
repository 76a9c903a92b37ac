//! Standard output and error of a server's process: written line by line, with lost lines counted when the
//! disk is full.

use bgpy::Journal;
use bgpy::log::Stream;
use pyo3::prelude::*;

/// Prepares standard output and error of a server's process; `journal` counts the lines that they lose.
pub fn prepare(py: Python<'_>, journal: &Journal) -> PyResult<()> {
    let streams = [("stdout", Stream::Output), ("stderr", Stream::Error)];
    let prepare = py.import("bgpy._output")?.getattr("prepare")?;
    for (name, stream) in streams {
        prepare.call1((name, Losses { journal: journal.clone(), stream }))?;
    }
    Ok(())
}

/// The lines that a stream has lost.
#[pyclass(frozen)]
struct Losses {
    journal: Journal,
    stream: Stream,
}

#[pymethods]
impl Losses {
    /// Counts lines that could not be written.
    fn add(&self, py: Python<'_>, lines: u64, is_torn: bool, why: &str) {
        // Without the GIL: a thread that holds the log's lock may be waiting for the GIL.
        py.detach(|| self.journal.lose_lines(self.stream, lines, is_torn, why));
    }

    /// Logs how many lines were lost; false while that cannot be written either.
    fn tell(&self, py: Python<'_>) -> bool {
        py.detach(|| self.journal.tell_loss(self.stream))
    }
}
