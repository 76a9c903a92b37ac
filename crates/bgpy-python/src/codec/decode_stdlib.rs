//! Decodes objects of the standard library from the contents of their extensions.

use bgpy_proto::codec::text::{has_surrogates, is_decimal};
use bgpy_proto::codec::{Date, DateTime, Item, PathKind, Reader, Span, Time, Zone, complex, ext};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyModule, PyString, PyType};

use super::decode::{Decoder, malformed};
use super::encode_stdlib::enum_class;
use super::stdlib::{Kind, class};
use super::unknown_member::UnknownMember;
use super::{builtins, enum_flags};
use crate::exceptions::{must_pass_on, serialization_error};
use crate::lazy::Lazy;

/// The object of an extension whose contents are not values themselves.
pub fn atom<'py>(py: Python<'py>, kind: i8, contents: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let unknown = || malformed(py, bgpy_proto::codec::CodecError::Extension(kind));
    match kind {
        ext::BIG_INT if !contents.is_empty() => big_int(py, contents),
        ext::SURROGATES if has_surrogates(contents) => surrogates(py, contents),
        ext::BYTEARRAY => Ok(builtins::bytearray(py, contents)?.into_any()),
        ext::COMPLEX => {
            let (real, imaginary) = complex(contents).ok_or_else(unknown)?;
            // SAFETY: the result is a new reference, or NULL with an error.
            unsafe {
                let complex = ffi::PyComplex_FromDoubles(real, imaginary);
                Bound::from_owned_ptr_or_err(py, complex)
            }
        }
        ext::DATE => date(py, Date::read(contents).ok_or_else(unknown)?),
        ext::TIME => time(py, &Time::read(contents).ok_or_else(unknown)?),
        ext::DATETIME => datetime(py, &DateTime::read(contents).ok_or_else(unknown)?),
        ext::SPAN => span(py, Span::read(contents).ok_or_else(unknown)?),
        ext::ZONE => zone(py, &Zone::read(contents).ok_or_else(unknown)?),
        ext::DECIMAL => {
            let text = std::str::from_utf8(contents).ok().filter(|text| is_decimal(text));
            class(py, Kind::Decimal)?.call1((text.ok_or_else(unknown)?,))
        }
        ext::UUID if contents.len() == 16 => {
            let keywords = builtins::dict(py)?;
            keywords.set_item("bytes", builtins::bytes(py, contents)?)?;
            class(py, Kind::Uuid)?.call((), Some(&keywords))
        }
        _ => Err(unknown()),
    }
}

fn big_int<'py>(py: Python<'py>, contents: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let signed = builtins::dict(py)?;
    signed.set_item("signed", true)?;
    let arguments = (builtins::bytes(py, contents)?, "little");
    py.get_type::<pyo3::types::PyInt>().call_method("from_bytes", arguments, Some(&signed))
}

fn surrogates<'py>(py: Python<'py>, contents: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the bytes live; the result is a new reference, or NULL with an error.
    unsafe {
        let (bytes, length) = (contents.as_ptr().cast(), contents.len() as ffi::Py_ssize_t);
        let text = ffi::PyUnicode_DecodeUTF8(bytes, length, c"surrogatepass".as_ptr());
        Bound::from_owned_ptr_or_err(py, text)
    }
}

// Dates and times are made as pickle makes them, from the bytes of their state, which are validated already.
// That takes less than half the time of their ordinary constructors.

fn date(py: Python<'_>, date: Date) -> PyResult<Bound<'_, PyAny>> {
    let [high, low] = date.year.to_be_bytes();
    class(py, Kind::Date)?.call1((builtins::bytes(py, &[high, low, date.month, date.day])?,))
}

fn time<'py>(py: Python<'py>, time: &Time) -> PyResult<Bound<'py, PyAny>> {
    let [_, us @ ..] = time.microsecond.to_be_bytes();
    let hour = time.hour | u8::from(time.fold) << 7;
    let state = builtins::bytes(py, &[hour, time.minute, time.second, us[0], us[1], us[2]])?;
    moment(class(py, Kind::Time)?, state, time.zone.as_deref())
}

fn datetime<'py>(py: Python<'py>, both: &DateTime) -> PyResult<Bound<'py, PyAny>> {
    let DateTime { date, time } = both;
    let ([high, low], [_, us @ ..]) = (date.year.to_be_bytes(), time.microsecond.to_be_bytes());
    let month = date.month | u8::from(time.fold) << 7;
    let clock = [time.hour, time.minute, time.second];
    let state = [&[high, low, month, date.day][..], &clock, &us].concat();
    moment(class(py, Kind::DateTime)?, builtins::bytes(py, &state)?, time.zone.as_deref())
}

fn moment<'py>(
    class: &Bound<'py, PyType>,
    state: Bound<'py, PyBytes>,
    own_zone: Option<&Zone>,
) -> PyResult<Bound<'py, PyAny>> {
    match own_zone {
        Some(own_zone) => class.call1((state, zone(class.py(), own_zone)?)),
        None => class.call1((state,)),
    }
}

fn span(py: Python<'_>, span: Span) -> PyResult<Bound<'_, PyAny>> {
    class(py, Kind::Span)?.call1((span.days, span.seconds, span.microseconds))
}

fn zone<'py>(py: Python<'py>, zone: &Zone) -> PyResult<Bound<'py, PyAny>> {
    match zone {
        Zone::Region(key) => class(py, Kind::Region)?.call1((key,)),
        Zone::Offset { microseconds, name } => {
            let offset = class(py, Kind::Span)?.call1((0, 0, *microseconds))?;
            let class = class(py, Kind::Offset)?;
            match name {
                Some(name) => class.call1((offset, name)),
                None => class.call1((offset,)),
            }
        }
    }
}

/// A path from the contents of its extension.
pub fn path<'py>(
    decoder: &mut Decoder<'py>,
    contents: &[u8],
    depth: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let py = decoder.py;
    let unknown = || malformed(py, bgpy_proto::codec::CodecError::Extension(ext::PATH));
    let (number, parts) = contents.split_first().ok_or_else(unknown)?;
    let kind = PathKind::from_number(*number).ok_or_else(unknown)?;
    // The parts of a path may not refer to buffers.
    let outside = std::mem::take(&mut decoder.outside);
    let parts = decoder.tuple(parts, depth);
    decoder.outside = outside;
    let parts = parts?;
    if !parts.iter().all(|part| part.is_exact_instance_of::<PyString>()) {
        return Err(unknown());
    }
    class(py, Kind::Path(kind))?.call1(parts)
}

/// A member of an enumeration from the contents of its extension.
pub fn member<'py>(
    decoder: &mut Decoder<'py>,
    contents: &[u8],
    depth: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let py = decoder.py;
    let mut inner = Reader::new(contents);
    let (Item::Str(module), Item::Str(name)) =
        (decoder.next(&mut inner)?, decoder.next(&mut inner)?)
    else {
        return Err(malformed(py, bgpy_proto::codec::CodecError::Extension(ext::MEMBER)));
    };
    let value = decoder.value(&mut inner, depth)?;
    inner.finish().map_err(|error| malformed(py, error))?;
    let class = enumeration(decoder, module, name);
    let made = class.and_then(|class| {
        if !decoder.policy.allow_pickle {
            enum_flags::check(&class, &value, module, name)?;
        }
        class.call1((&value,))
    });
    match made {
        Err(error) if decoder.policy.is_for_show && !must_pass_on(&error, py) => {
            let (class, value) = (format!("{module}.{name}"), value.unbind());
            Ok(Bound::new(py, UnknownMember { class, value })?.into_any())
        }
        made => made,
    }
}

/// The class of an enumeration.
///
/// Without `allow_pickle`, a peer must not be able to make this side import modules or run code. So the name
/// is looked up in the dicts of modules and classes: `getattr` may run a module's `__getattr__`.
fn enumeration<'py>(
    decoder: &mut Decoder<'py>,
    module: &str,
    name: &str,
) -> PyResult<Bound<'py, PyType>> {
    let py = decoder.py;
    let imported = loaded(py, module)?;
    let found = match imported {
        Some(module) => Some(module),
        None if decoder.policy.allow_pickle => Some(py.import(module)?.into_any()),
        None => None,
    };
    let Some(mut found) = found else {
        let text = format!(
            "the message contains a member of {module}.{name}, whose module is not imported here, and \
             allow_pickle=False does not let a message import it: import it first, or send the value"
        );
        return Err(serialization_error(py, text, None));
    };
    for part in name.split('.') {
        let inside = match found.cast::<PyModule>() {
            Ok(module) => module.dict().get_item(part)?,
            Err(_) if found.is_instance_of::<PyType>() => {
                found.getattr("__dict__")?.call_method1("get", (part,)).map(Some)?
            }
            Err(_) => None,
        };
        let missing = || {
            let text = format!(
                "the message contains a member of {module}.{name}, which does not exist here"
            );
            serialization_error(py, text, None)
        };
        found = inside.filter(|found| !found.is_none()).ok_or_else(missing)?;
    }
    let class = found.cast_into::<PyType>().ok().filter(|class| {
        enum_class(py).is_ok_and(|base| {
            // SAFETY: both are types that are held.
            unsafe { ffi::PyType_IsSubtype(class.as_type_ptr(), base.as_type_ptr()) != 0 }
        })
    });
    class.ok_or_else(|| {
        let text = format!(
            "the message contains a member of {module}.{name}, which is not an enumeration here"
        );
        serialization_error(py, text, None)
    })
}

/// A module from `sys.modules`.
fn loaded<'py>(py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    static MODULES: Lazy = Lazy::new("sys", "modules");
    let modules = MODULES.get(py)?.cast::<PyDict>()?;
    Ok(modules.get_item(name)?.filter(|module| module.is_instance_of::<PyModule>()))
}
