//! What a server's tasks print: line by line, and also where the disk takes nothing.

use bgpy::Journal;
use bgpy::log::Stream;
use pyo3::prelude::*;

/// Prepares standard output and error of a server's process, whose log this is.
pub fn prepare(py: Python<'_>, journal: &Journal) -> PyResult<()> {
    let streams = [("stdout", Stream::Output), ("stderr", Stream::Error)];
    let prepare = py.import("bgpy._prints")?.getattr("prepare")?;
    for (name, stream) in streams {
        prepare.call1((name, Losses { journal: journal.clone(), stream }))?;
    }
    Ok(())
}

/// What a stream has lost.
#[pyclass(frozen)]
struct Losses {
    journal: Journal,
    stream: Stream,
}

#[pymethods]
impl Losses {
    /// Counts lines that could not be written.
    fn add(&self, py: Python<'_>, lines: u64, is_torn: bool, why: &str) {
        // Whoever has the log locked may wait for the interpreter.
        py.detach(|| self.journal.lose_lines(self.stream, lines, is_torn, why));
    }

    /// Says how many there were; false while that cannot be written either.
    fn tell(&self, py: Python<'_>) -> bool {
        py.detach(|| self.journal.tell_loss(self.stream))
    }
}
