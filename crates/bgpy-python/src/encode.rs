//! From Python objects to messages, without a tree in between.
//!
//! Plain data is what arrives exactly as pickle would deliver it. Everything else goes, whole, as a
//! pickle, if the other side takes pickles.

use bgpy::Payload;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::errors::serialization_error;
use crate::pickle::{self, Content};
use crate::plain::{Plain, Repeats};
use crate::trail::{Trail, a_type};

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
    if plain.append_root(object).is_ok() {
        return Ok(plain.into_payload());
    }
    if (receiver.takes_pickles)()? {
        return pickle::dumps(py, object, Content::Object)
            .map_err(|error| unpicklable(root, object, error));
    }
    let mut plain = Plain::new(py, Repeats::Copied);
    match plain.append_root(object) {
        Ok(()) => Ok(plain.into_payload()),
        Err(trail) => Err(refused(py, root, &trail, receiver.name)),
    }
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
    let find = || -> PyResult<(String, Bound<'_, pyo3::types::PyType>)> {
        let culprit = CULPRIT.import(py, "bgpy._paths", "culprit")?;
        culprit.call1((object, root, error.value(py)))?.extract()
    };
    // Whatever goes wrong while it is looked for is no news.
    let (path, class) = find().unwrap_or_else(|_| (root.to_owned(), object.get_type()));
    let text = format!("{path} ({}) cannot be pickled: {}", a_type(&class), error.value(py));
    serialization_error(py, text, Some(error))
}
