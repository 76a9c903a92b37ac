//! Limits the members of `enum.Flag` classes that a peer can make this process create.
//!
//! Python creates a member for each new combination of flags and keeps it for ever. With the boundary KEEP,
//! which `re.RegexFlag` and every `IntFlag` have, every int is a combination.

use pyo3::prelude::*;
use pyo3::types::{PyInt, PyType};

use crate::exceptions::serialization_error;
use crate::lazy::Lazy;

/// A peer cannot add members to a class that has this many. Existing members are always accepted.
const MEMBERS_MAX: usize = 4096;

/// Checks that a peer may make a member of this value.
///
/// # Errors
/// `SerializationError` for a value that is not a combination of named flags, and for a new combination if
/// the class has `MEMBERS_MAX` members.
pub fn check(
    class: &Bound<'_, PyType>,
    value: &Bound<'_, PyAny>,
    module: &str,
    name: &str,
) -> PyResult<()> {
    static FLAG: Lazy = Lazy::new("enum", "Flag");
    let py = class.py();
    // Only ints are combinations; for any other value, Python raises unless it is a member.
    let Ok(number) = value.cast::<PyInt>() else { return Ok(()) };
    if !class.is_subclass(FLAG.get(py)?)? {
        return Ok(());
    }
    let members = class.getattr("_value2member_map_")?;
    if members.contains(number)? {
        return Ok(());
    }
    let refuse = |why: &str| {
        let text = format!(
            "the message contains a member of {module}.{name} {why}; Python would keep it for ever, \
             which allow_pickle=False refuses: send its value"
        );
        Err(serialization_error(py, text, None))
    };
    let mask = class.getattr("_flag_mask_")?;
    if number.lt(0)? || !number.bitor(&mask)?.eq(&mask)? {
        return refuse("that is not a combination of its named flags");
    }
    if members.len()? >= MEMBERS_MAX {
        return refuse("that is new, and the class has too many members already");
    }
    Ok(())
}
