//! The classes of the standard library whose objects are plain data, in addition to the built-in types.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use bgpy_proto::codec::PathKind;

use crate::lazy::Lazy;

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

/// The classes, each imported at its first use.
static ALL: [(Kind, Lazy); 12] = [
    (Kind::DateTime, Lazy::new("datetime", "datetime")),
    (Kind::Date, Lazy::new("datetime", "date")),
    (Kind::Time, Lazy::new("datetime", "time")),
    (Kind::Span, Lazy::new("datetime", "timedelta")),
    (Kind::Offset, Lazy::new("datetime", "timezone")),
    (Kind::Region, Lazy::new("zoneinfo", "ZoneInfo")),
    (Kind::Decimal, Lazy::new("decimal", "Decimal")),
    (Kind::Uuid, Lazy::new("uuid", "UUID")),
    (Kind::Path(PathKind::Posix), Lazy::new("pathlib", "PosixPath")),
    (Kind::Path(PathKind::PurePosix), Lazy::new("pathlib", "PurePosixPath")),
    (Kind::Path(PathKind::Windows), Lazy::new("pathlib", "WindowsPath")),
    (Kind::Path(PathKind::PureWindows), Lazy::new("pathlib", "PureWindowsPath")),
];

/// The class of this kind, imported if necessary.
pub fn class(py: Python<'_>, kind: Kind) -> PyResult<&Bound<'_, PyType>> {
    // Every kind is in `ALL`.
    let place = ALL.iter().position(|(known, ..)| *known == kind).unwrap_or_default();
    Ok(ALL[place].1.get(py)?.cast()?)
}

/// The kind of a class; none for any other class, including subclasses of these.
pub fn kind_of(py: Python<'_>, class: &Bound<'_, PyType>) -> Option<Kind> {
    let is_it = |known: &Lazy| known.known(py).is_some_and(|known| known.is(class));
    if let Some((kind, _)) = ALL.iter().find(|(_, known)| is_it(known)) {
        return Some(*kind);
    }
    // A class whose module is not imported has no objects.
    let own_name = class.name().ok()?;
    let modules = py.import("sys").ok()?.getattr("modules").ok()?.cast_into::<PyDict>().ok()?;
    for (kind, known) in &ALL {
        if own_name == known.attribute
            && modules.contains(known.module).ok()?
            && known.get(py).ok()?.is(class)
        {
            return Some(*kind);
        }
    }
    None
}
