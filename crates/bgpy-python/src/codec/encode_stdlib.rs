//! Encodes objects of the standard library: dates, decimals, paths, members of enumerations.
//!
//! Each is reduced as pickle would reduce it, and is plain only if the result is what the class itself makes.

use crate::once::interned;
use bgpy_proto::codec::{Date, DateTime, PathKind, Span, Time, Zone, ext, text, write};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyComplex, PyDict, PyString, PyTuple, PyType};

use super::path::{NotPlain, Reason, Step};
use super::plain::Plain;
use super::stdlib::{Kind, kind_of};
use crate::lazy::Lazy;

/// The protocol passed to `__reduce_ex__`; from 4 on, the state of a time includes its fold.
const PICKLE_PROTOCOL: u8 = 5;

impl<'py> Plain<'py> {
    /// Appends an object that is not of a built-in type.
    pub(super) fn stdlib(
        &mut self,
        object: &Bound<'py, PyAny>,
        shared: bool,
        depth: usize,
    ) -> Result<(), NotPlain> {
        let start = self.out.len();
        let class = object.get_type();
        if class.is(self.py.get_type::<PyComplex>()) {
            self.once(object, shared)?;
            self.complex(object);
            return self.close(object, ext::COMPLEX, start);
        }
        let Some(kind) = kind_of(self.py, &class) else {
            return self.member(object, &class, depth);
        };
        // `zoneinfo` caches its zones, so a region is one object wherever it occurs.
        if kind != Kind::Region {
            self.once(object, shared)?;
        }
        let written = match kind {
            Kind::Path(path) => return self.path(object, path, depth),
            Kind::Date => date(object).map(|date| {
                date.append(&mut self.out);
                ext::DATE
            }),
            Kind::Time => self.time(object).map(|time| {
                time.append(&mut self.out);
                ext::TIME
            }),
            Kind::DateTime => self.datetime(object).map(|both| {
                both.append(&mut self.out);
                ext::DATETIME
            }),
            Kind::Span => span(object).map(|span| {
                span.append(&mut self.out);
                ext::SPAN
            }),
            Kind::Offset | Kind::Region => zone(object, kind).map(|zone| {
                zone.append(&mut self.out);
                ext::ZONE
            }),
            Kind::Decimal => self.decimal(object).map(|()| ext::DECIMAL),
            Kind::Uuid => self.uuid(object).map(|()| ext::UUID),
        };
        let kind = written.ok_or_else(|| self.not_plain(object, Reason::Type))?;
        self.close(object, kind, start)
    }

    fn complex(&mut self, object: &Bound<'py, PyAny>) {
        // SAFETY: a complex that is held.
        let parts = unsafe {
            [
                ffi::PyComplex_RealAsDouble(object.as_ptr()),
                ffi::PyComplex_ImagAsDouble(object.as_ptr()),
            ]
        };
        parts.iter().for_each(|part| self.out.extend(part.to_bits().to_be_bytes()));
    }

    fn time(&mut self, object: &Bound<'py, PyAny>) -> Option<Time> {
        let (state, zone) = self.moment(object)?;
        let [hour, rest @ ..] = <[u8; 6]>::try_from(state.as_bytes()).ok()?;
        Some(clock(rest, hour & 0x7f, hour & 0x80 != 0, zone)).filter(Time::is_valid)
    }

    fn datetime(&mut self, object: &Bound<'py, PyAny>) -> Option<DateTime> {
        let (state, zone) = self.moment(object)?;
        let [high, low, month, day, hour, rest @ ..] =
            <[u8; 10]>::try_from(state.as_bytes()).ok()?;
        let date = Date { year: u16::from_be_bytes([high, low]), month: month & 0x7f, day };
        let time = clock(rest, hour, month & 0x80 != 0, zone);
        Some(DateTime { date, time }).filter(DateTime::is_valid)
    }

    /// State and zone of a time or a datetime.
    fn moment(
        &mut self,
        object: &Bound<'py, PyAny>,
    ) -> Option<(Bound<'py, PyBytes>, Option<Zone>)> {
        let parts = parts(object)?;
        let state = parts.get_item(0).ok()?.cast_into_exact::<PyBytes>().ok()?;
        let Ok(tz) = parts.get_item(1) else { return Some((state, None)) };
        let kind = kind_of(self.py, &tz.get_type())?;
        if kind == Kind::Offset {
            // Several times may share one `timezone` object, which must stay one.
            // SAFETY: the zone is held, by `tz`, the reduced parts and the time itself.
            let shared = unsafe { ffi::Py_REFCNT(tz.as_ptr()) } > 3;
            self.once(&tz, shared && !is_utc(&tz)).ok()?;
        }
        Some((state, Some(zone(&tz, kind)?)))
    }

    fn decimal(&mut self, object: &Bound<'py, PyAny>) -> Option<()> {
        let written = object.str().ok()?;
        let written = written.to_str().ok().filter(|written| text::is_decimal(written))?;
        self.room(object, written.len()).ok()?;
        self.out.extend_from_slice(written.as_bytes());
        Some(())
    }

    fn uuid(&mut self, object: &Bound<'py, PyAny>) -> Option<()> {
        static SAFE: Lazy = Lazy::new("uuid", "SafeUUID");
        let unknown = SAFE.get(self.py).ok()?.getattr(interned!(self.py, "unknown")).ok()?;
        if !object.getattr(interned!(self.py, "is_safe")).ok()?.is(&unknown) {
            return None;
        }
        let number: u128 = object.getattr(interned!(self.py, "int")).ok()?.extract().ok()?;
        self.out.extend(number.to_be_bytes());
        Some(())
    }

    fn path(
        &mut self,
        object: &Bound<'py, PyAny>,
        kind: PathKind,
        depth: usize,
    ) -> Result<(), NotPlain> {
        let start = self.out.len();
        // The parts of a path count as one level of depth, as for the decoder.
        self.inside(object, false, depth)?;
        let odd = |plain: &Self| plain.not_plain(object, Reason::Type);
        let parts = parts(object).ok_or_else(|| odd(self))?;
        if !parts.iter().all(|part| part.is_exact_instance_of::<PyString>()) {
            return Err(odd(self));
        }
        self.out.push(kind as u8);
        for part in parts.iter() {
            self.part(&part)?;
        }
        self.close(object, ext::PATH, start)
    }

    /// Appends a text without noting it: pickle copies the parts of a path, too.
    fn part(&mut self, part: &Bound<'py, PyAny>) -> Result<(), NotPlain> {
        let known = part.cast::<PyString>().ok().and_then(|part| part.to_str().ok());
        match known {
            Some(known) => {
                self.room(part, known.len())?;
                write::str(&mut self.out, known).map_err(|_| self.not_plain(part, Reason::Form))
            }
            None => self.surrogates(part),
        }
    }

    fn member(
        &mut self,
        object: &Bound<'py, PyAny>,
        class: &Bound<'py, PyType>,
        depth: usize,
    ) -> Result<(), NotPlain> {
        let head = self.enumeration(class).ok_or_else(|| self.not_plain(object, Reason::Type))?;
        let value = value_of(object).ok_or_else(|| self.not_plain(object, Reason::Type))?;
        // A member is a singleton, so it may occur several times.
        let deeper = self.inside(object, false, depth)?;
        let start = self.out.len();
        self.room(object, self.enums[head].1.len())?;
        self.out.extend_from_slice(&self.enums[head].1);
        // The value belongs to the class, so being shared with the class means nothing: it gets a `visited` of
        // its own. Members inside the value use that too, so that values that contain each other end.
        let outermost = !std::mem::replace(&mut self.in_member, true);
        let visited = outermost.then(|| std::mem::take(&mut self.visited));
        // SAFETY: the value is held.
        let written = unsafe { self.append(value.as_ptr(), deeper) };
        if let Some(visited) = visited {
            (self.visited, self.in_member) = (visited, false);
        }
        written.map_err(|found| found.at(|| Step::Value))?;
        self.close(object, ext::MEMBER, start)
    }

    /// The index in `enums` of a class, if it is an enumeration that the receiver can import.
    fn enumeration(&mut self, class: &Bound<'py, PyType>) -> Option<usize> {
        if let Some(known) = self.enums.iter().position(|(known, _)| known.is(class)) {
            return Some(known);
        }
        // On an error, nothing counts as an enumeration.
        let base = enum_class(self.py).ok()?;
        // SAFETY: both are types that are held. Unlike `issubclass`, this runs no code of a metaclass.
        if unsafe { ffi::PyType_IsSubtype(class.as_type_ptr(), base.as_type_ptr()) } == 0 {
            return None;
        }
        static NAMED: Lazy = Lazy::new("bgpy._by_value", "enumeration");
        let named = NAMED.get(self.py).ok()?;
        let found = named.call1((class,));
        let (module, name): (String, String) = found.and_then(|found| found.extract()).ok()?;
        let mut head = Vec::new();
        write::str(&mut head, &module).ok()?;
        write::str(&mut head, &name).ok()?;
        self.enums.push((class.clone(), head));
        Some(self.enums.len() - 1)
    }
}

/// The class of all enumerations.
pub fn enum_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static ENUM: Lazy = Lazy::new("enum", "Enum");
    Ok(ENUM.get(py)?.cast()?)
}

/// The arguments with which pickle would call the object's class.
fn parts<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyTuple>> {
    let reduced =
        object.call_method1(interned!(object.py(), "__reduce_ex__"), (PICKLE_PROTOCOL,)).ok()?;
    let reduced = reduced.cast_into_exact::<PyTuple>().ok()?;
    let is_plain = reduced.len() == 2 && reduced.get_item(0).ok()?.is(object.get_type());
    is_plain.then_some(reduced.get_item(1).ok()?)?.cast_into_exact::<PyTuple>().ok()
}

fn date(object: &Bound<'_, PyAny>) -> Option<Date> {
    let state = parts(object)?.get_item(0).ok()?.cast_into_exact::<PyBytes>().ok()?;
    Date::read(state.as_bytes())
}

fn span(object: &Bound<'_, PyAny>) -> Option<Span> {
    let (days, seconds, microseconds) = parts(object)?.extract().ok()?;
    Some(Span { days, seconds, microseconds }).filter(|span| span.is_valid())
}

fn clock([minute, second, us @ ..]: [u8; 5], hour: u8, fold: bool, zone: Option<Zone>) -> Time {
    let [high, middle, low] = us;
    let microsecond = u32::from_be_bytes([0, high, middle, low]);
    Time { hour, minute, second, microsecond, fold, zone: zone.map(Box::new) }
}

/// A time zone that means the same on the other side.
fn zone(object: &Bound<'_, PyAny>, kind: Kind) -> Option<Zone> {
    match kind {
        Kind::Offset => {
            let made_from = object.call_method0(interned!(object.py(), "__getinitargs__")).ok()?;
            let made_from = made_from.cast_into_exact::<PyTuple>().ok()?;
            let offset = span(&made_from.get_item(0).ok()?)?.to_microseconds();
            let name = match made_from.get_item(1) {
                Ok(name) => Some(name.cast_exact::<PyString>().ok()?.to_str().ok()?.to_owned()),
                Err(_) => None,
            };
            Some(Zone::Offset { microseconds: i64::try_from(offset).ok()?, name })
        }
        Kind::Region => {
            // A zone made with `no_cache` is a distinct object, and one read from a file has no key.
            let reduced = object
                .call_method0(interned!(object.py(), "__reduce__"))
                .ok()?
                .cast_into::<PyTuple>()
                .ok()?;
            let made_from = reduced.get_item(1).ok()?.cast_into_exact::<PyTuple>().ok()?;
            let is_cached = made_from.get_item(1).ok()?.is_truthy().ok()?;
            let key = made_from.get_item(0).ok()?.cast_into_exact::<PyString>().ok()?;
            let key = key.to_str().ok().filter(|key| is_cached && !key.is_empty())?;
            Some(Zone::Region(key.to_owned()))
        }
        _ => None,
    }
}

fn is_utc(zone: &Bound<'_, PyAny>) -> bool {
    zone.getattr("utc").is_ok_and(|utc| utc.is(zone))
}

/// The value of an enumeration's member, from its own dict.
fn value_of<'py>(member: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    // SAFETY: the member is held; the result is a new reference, or NULL with an error.
    let dict = unsafe {
        let dict = ffi::PyObject_GenericGetDict(member.as_ptr(), std::ptr::null_mut());
        Bound::from_owned_ptr_or_opt(member.py(), dict)
    };
    let Some(dict) = dict else {
        drop(PyErr::take(member.py()));
        return None;
    };
    dict.cast_into::<PyDict>().ok()?.get_item(interned!(member.py(), "_value_")).ok()?
}
