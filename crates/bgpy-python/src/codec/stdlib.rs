//! The classes of the standard library whose objects are plain data, in addition to the built-in types.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use bgpy_proto::codec::PathKind;

/// A class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Date,
    Time,
    DateTime,
    Span,
    Offset,
    Region,
    Decimal,
    Uuid,
    Path(PathKind),
}

const ALL: [(Kind, &str, &str); 12] = [
    (Kind::DateTime, "datetime", "datetime"),
    (Kind::Date, "datetime", "date"),
    (Kind::Time, "datetime", "time"),
    (Kind::Span, "datetime", "timedelta"),
    (Kind::Offset, "datetime", "timezone"),
    (Kind::Region, "zoneinfo", "ZoneInfo"),
    (Kind::Decimal, "decimal", "Decimal"),
    (Kind::Uuid, "uuid", "UUID"),
    (Kind::Path(PathKind::Posix), "pathlib", "PosixPath"),
    (Kind::Path(PathKind::PurePosix), "pathlib", "PurePosixPath"),
    (Kind::Path(PathKind::Windows), "pathlib", "WindowsPath"),
    (Kind::Path(PathKind::PureWindows), "pathlib", "PureWindowsPath"),
];

/// The classes that were needed so far, at their index in [`ALL`].
static CLASSES: [PyOnceLock<Py<PyType>>; ALL.len()] = [const { PyOnceLock::new() }; ALL.len()];

/// The class of this kind, imported if necessary.
pub fn class(py: Python<'_>, kind: Kind) -> PyResult<&Bound<'_, PyType>> {
    // Every kind is in `ALL`.
    let place = ALL.iter().position(|(known, ..)| *known == kind).unwrap_or_default();
    let (_, module, name) = ALL[place];
    CLASSES[place].import(py, module, name)
}

/// The kind of a class; none for any other class, including subclasses of these.
pub fn kind_of(py: Python<'_>, class: &Bound<'_, PyType>) -> Option<Kind> {
    let known = |place: usize| CLASSES[place].get(py).is_some_and(|known| known.is(class));
    if let Some(place) = (0..ALL.len()).find(|place| known(*place)) {
        return Some(ALL[place].0);
    }
    // A class whose module is not imported has no objects.
    let own_name = class.name().ok()?;
    let modules = py.import("sys").ok()?.getattr("modules").ok()?.cast_into::<PyDict>().ok()?;
    for (place, (kind, module, name)) in ALL.iter().enumerate() {
        if own_name == *name
            && modules.contains(module).ok()?
            && CLASSES[place].import(py, module, name).ok()?.is(class)
        {
            return Some(*kind);
        }
    }
    None
}
