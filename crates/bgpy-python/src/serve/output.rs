//! Standard output and error of a server's process: written line by line, with lost lines counted when the
//! disk is full.

use bgpy::Log;
use bgpy::log::StandardStream;
use pyo3::prelude::*;

/// Prepares standard output and error of a server's process; `log` counts the lines that they lose.
pub fn prepare(py: Python<'_>, log: &Log) -> PyResult<()> {
    let streams = [("stdout", StandardStream::Output), ("stderr", StandardStream::Error)];
    let prepare = py.import("bgpy._output")?.getattr("prepare")?;
    for (name, stream) in streams {
        prepare.call1((name, Losses { log: log.clone(), stream }))?;
    }
    Ok(())
}

/// The lines that a stream has lost.
#[pyclass(frozen)]
struct Losses {
    log: Log,
    stream: StandardStream,
}

#[pymethods]
impl Losses {
    /// Counts lines that could not be written.
    fn add(&self, py: Python<'_>, lines: u64, is_torn: bool, why: &str) {
        // Without the GIL: a thread that holds the log's lock may be waiting for the GIL.
        py.detach(|| self.log.lose_lines(self.stream, lines, is_torn, why));
    }

    /// Logs how many lines were lost; false while that cannot be written either.
    fn tell(&self, py: Python<'_>) -> bool {
        py.detach(|| self.log.tell_loss(self.stream))
    }
}
