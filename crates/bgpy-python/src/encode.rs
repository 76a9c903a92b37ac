//! From Python objects to messages, without a tree in between.
//!
//! Plain data is what arrives exactly as pickle would deliver it. Everything else goes, whole, as a
//! pickle, if the other side takes pickles.

use bgpy::Payload;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::errors::serialization_error;
use crate::made::{is_no_exception, is_nobodys_fault, memory_error};
use crate::pickle::{self, Content};
use crate::plain::{Plain, Repeats};
use crate::tasks;
use crate::text::text;
use crate::trail::{Trail, Why, a_type};

/// Who is to get a message.
pub struct Receiver<'a> {
    /// What it is called in errors.
    pub name: &'static str,
    /// Tells whether it opens pickles. It is asked only for an object that needs one.
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
        Err(trail) if trail.why == Why::Memory => return Err(memory_error(root)),
        // A pickle may need the memory.
        Err(_) => drop(plain),
    }
    if (receiver.takes_pickles)()? {
        return pickle::dumps(py, object, Content::Object)
            .map_err(|error| unpicklable(root, object, error));
    }
    let mut plain = Plain::new(py, Repeats::Copied);
    match plain.append_root(object) {
        Ok(()) => Ok(plain.into_payload()),
        Err(trail) if trail.why == Why::Memory => Err(memory_error(root)),
        Err(trail) => Err(refused(py, root, &trail, receiver.name)),
    }
}

/// Encodes an exception in one piece, as a failure holds it; none where it cannot travel, so that its
/// text and its traceback have to do.
pub fn encode_exception(
    py: Python<'_>,
    exception: &Bound<'_, PyAny>,
    receiver: &Receiver<'_>,
) -> Option<Vec<u8>> {
    let takes_pickles = (receiver.takes_pickles)().unwrap_or(false);
    let dumped = || pickle::dumps(py, exception, Content::Exception).ok();
    takes_pickles.then(dumped)?.map(|payload| payload.data)
}

/// Encodes the tasks of a server. Functions are never plain.
pub fn encode_tasks(py: Python<'_>, tasks: &Bound<'_, PyAny>) -> PyResult<Payload> {
    pickle::dumps(py, tasks, Content::Tasks).map_err(|error| unpicklable("tasks", tasks, error))
}

fn refused(py: Python<'_>, root: &str, trail: &Trail, receiver: &str) -> PyErr {
    let told = trail.tell(py, root);
    let text =
        format!("{told} only a pickle can carry, and {receiver} takes none (allow_pickle=False)");
    serialization_error(py, text, None)
}

/// Names the part of an object that raised when it was pickled.
fn unpicklable(root: &str, object: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    static CULPRIT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = object.py();
    if is_nobodys_fault(&error, py) {
        return error;
    }
    let find = || -> PyResult<(String, Bound<'_, pyo3::types::PyType>)> {
        let culprit = CULPRIT.import(py, "bgpy._paths", "culprit")?;
        culprit.call1((object, root, error.value(py)))?.extract()
    };
    let (path, class) = match find() {
        Ok(found) => found,
        Err(other) if is_no_exception(&other, py) => return other,
        // Whatever else goes wrong while it is looked for is no news.
        Err(_) => (root.to_owned(), object.get_type()),
    };
    let (path, why) = (tasks::by_name(path), text(error.value(py)));
    let text = format!("{path} ({}) cannot be pickled: {why}", a_type(&class));
    serialization_error(py, text, Some(error))
}
