//! Which values a peer may make members of flags of.
//!
//! Python makes a member for each new combination of flags and keeps it for ever. With a boundary of
//! KEEP, as `re.RegexFlag` and every `IntFlag` have, any number at all is a combination.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyInt, PyType};

use crate::errors::serialization_error;

/// Members that a class has at most when one more is made for a peer; those that it has are always
/// taken.
const MEMBERS_MAX: usize = 4096;

/// Confirms that making a member of a value leaves no more behind than it may.
///
/// # Errors
/// `SerializationError` for a value that is not made of named flags, and for a new combination when
/// there are very many already.
pub fn check(
    class: &Bound<'_, PyType>,
    value: &Bound<'_, PyAny>,
    module: &str,
    name: &str,
) -> PyResult<()> {
    static FLAG: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = class.py();
    // Only whole numbers are combinations; Python refuses what else is no member.
    let Ok(number) = value.cast::<PyInt>() else { return Ok(()) };
    if !class.is_subclass(FLAG.import(py, "enum", "Flag")?)? {
        return Ok(());
    }
    let members = class.getattr("_value2member_map_")?;
    if members.contains(number)? {
        return Ok(());
    }
    let refuse = |why: &str| {
        let text = format!(
            "the message holds a member of {module}.{name} {why}, which would be kept for ever, and \
             allow_pickle=False refuses that: send its value"
        );
        Err(serialization_error(py, text, None))
    };
    let mask = class.getattr("_flag_mask_")?;
    if number.lt(0)? || !number.bitor(&mask)?.eq(&mask)? {
        return refuse("that is not made of its named flags");
    }
    if members.len()? >= MEMBERS_MAX {
        return refuse("that is new, like very many before");
    }
    Ok(())
}
