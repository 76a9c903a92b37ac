//! Encodes Python objects as messages directly, without an intermediate tree.
//!
//! Plain data arrives exactly as pickle would deliver it. A message that contains anything else is sent as one
//! pickle, if the receiver accepts pickles.

use bgpy::Payload;
use pyo3::prelude::*;

use super::path::{Culprit, Reason, a_type, with_task_names};
use super::pickle::{self, Content};
use super::plain::{Plain, Repeats};
use super::text::text;
use crate::exceptions::{is_no_exception, memory_error, must_pass_on, serialization_error};
use crate::lazy::Lazy;

/// The receiver of a message.
pub struct Receiver<'a> {
    /// Its name in errors.
    pub name: &'static str,
    /// Returns whether it accepts pickles. Called only for an object that needs one, since it may connect.
    pub takes_pickles: &'a dyn Fn() -> PyResult<bool>,
}

/// Encodes an object; `root` names it in errors.
pub fn encode(
    py: Python<'_>,
    root: &str,
    object: &Bound<'_, PyAny>,
    receiver: &Receiver<'_>,
) -> PyResult<Payload> {
    let mut plain = Plain::new(py, Repeats::Kept);
    match plain.append_root(object) {
        Ok(()) => return Ok(plain.into_payload()),
        Err(culprit) if culprit.reason == Reason::Memory => return Err(memory_error(root)),
        // Dropped before pickling, which may need the memory.
        Err(_) => drop(plain),
    }
    if (receiver.takes_pickles)()? {
        return pickle::dumps(py, object, Content::Object)
            .map_err(|error| unpicklable(root, object, error));
    }
    let mut plain = Plain::new(py, Repeats::Copied);
    match plain.append_root(object) {
        Ok(()) => Ok(plain.into_payload()),
        Err(culprit) if culprit.reason == Reason::Memory => Err(memory_error(root)),
        Err(culprit) => Err(refused(py, root, &culprit, receiver.name)),
    }
}

/// Encodes an exception without separate buffers, as a failure holds it; none if it cannot be pickled or the
/// receiver accepts no pickles. Then its text and traceback are all that the client gets.
pub fn encode_exception(
    py: Python<'_>,
    exception: &Bound<'_, PyAny>,
    receiver: &Receiver<'_>,
) -> Option<Vec<u8>> {
    let takes_pickles = (receiver.takes_pickles)().unwrap_or(false);
    let dumped = || pickle::dumps(py, exception, Content::Exception).ok();
    takes_pickles.then(dumped)?.map(|payload| payload.data)
}

/// Encodes the program of a server, which is never plain; `root` names it in errors.
pub fn encode_tasks(py: Python<'_>, root: &str, tasks: &Bound<'_, PyAny>) -> PyResult<Payload> {
    pickle::dumps(py, tasks, Content::Tasks).map_err(|error| unpicklable(root, tasks, error))
}

fn refused(py: Python<'_>, root: &str, culprit: &Culprit, receiver: &str) -> PyErr {
    let told = culprit.tell(py, root);
    let text = format!(
        "{told} cannot be sent without pickle, which {receiver} refuses (allow_pickle=False)"
    );
    serialization_error(py, text, None)
}

/// Names the part of an object that raised when it was pickled.
fn unpicklable(root: &str, object: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    static CULPRIT: Lazy = Lazy::new("bgpy._pickling_paths", "culprit");
    let py = object.py();
    if must_pass_on(&error, py) {
        return error;
    }
    let find = || -> PyResult<(String, Bound<'_, pyo3::types::PyType>)> {
        let culprit = CULPRIT.get(py)?;
        culprit.call1((object, root, error.value(py)))?.extract()
    };
    let (path, class) = match find() {
        Ok(found) => found,
        Err(other) if is_no_exception(&other, py) => return other,
        // An error of the search must not hide the error that is reported.
        Err(_) => (root.to_owned(), object.get_type()),
    };
    let (path, why) = (with_task_names(path), text(error.value(py)));
    let text = format!("{path} ({}) cannot be pickled: {why}", a_type(&class));
    serialization_error(py, text, Some(error))
}
