//! Where a server finds what it serves: a file or module, perhaps with a class or function in it, and the arguments
//! of that.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use bgpy::misspelling::nearest_file;
use clap::Args;
use unicode_ident::{is_xid_continue, is_xid_start};

use crate::exit::Exit;
use crate::output;

/// Keyword arguments of a class.
#[derive(Debug, Default, Args)]
pub(crate) struct With {
    /// Keyword argument of the class: text where its parameter is annotated as str, else JSON if it is valid JSON, else
    /// text; can be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = named)]
    pub(crate) with: Vec<(String, String)>,
}

/// What `bgpy start` and the like are told to serve.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) location: Location,
    /// A class or function in it, by its qualified name; without one, the location has three tasks.
    pub(crate) object: Option<String>,
}

/// A file or module.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Location {
    File(PathBuf),
    Module(String),
}

impl With {
    /// The arguments for the object of an origin.
    pub(crate) fn arguments(&self, object: Option<&str>) -> Result<Vec<(String, String)>, Exit> {
        let refused = |text: String| Err(output::error(text, Exit::Usage));
        if object.is_none() && !self.with.is_empty() {
            return refused(
                "--with passes arguments to a class, and none is named: write it behind the file or module, as in \
                 counter.py:Counter"
                    .into(),
            );
        }
        let is_repeated = |(index, (name, _)): &(usize, &(String, String))| {
            self.with[..*index].iter().any(|(other, _)| other == name)
        };
        if let Some((_, (name, _))) = self.with.iter().enumerate().find(is_repeated) {
            return refused(format!("--with {name}=... is given twice"));
        }
        Ok(self.with.clone())
    }
}

impl Origin {
    /// Reads what a user has written: FILE, MODULE, FILE:CLASS or MODULE:CLASS.
    pub(crate) fn read(text: &OsStr) -> Result<Self, Exit> {
        let (location, object) = split(text);
        let path = Path::new(&location);
        let is_file = path.extension().is_some_and(|extension| extension == "py")
            || path.components().count() > 1;
        let location = if is_file { file(path)? } else { module(path)? };
        Ok(Self { location, object })
    }

    /// The name that its server has by default, which may be no valid one.
    pub(crate) fn default_name(&self) -> String {
        match &self.location {
            Location::File(path) => {
                path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
            }
            Location::Module(name) => name.rsplit('.').next().unwrap_or_default().to_owned(),
        }
    }
}

/// Splits off the class or function behind the last colon. A path of Windows has another colon, with a path behind
/// it.
pub(crate) fn split(text: &OsStr) -> (OsString, Option<String>) {
    let whole = || (text.to_owned(), None);
    let bytes = text.as_encoded_bytes();
    let Some(colon) = bytes.iter().rposition(|byte| *byte == b':') else { return whole() };
    let object = str::from_utf8(&bytes[colon + 1..]).ok().filter(|name| is_qualified_name(name));
    match object {
        Some(name) if colon > 0 && !name.ends_with(".py") => {
            // SAFETY: what stands before a character of ASCII in an `OsStr` is one, too.
            let location = unsafe { OsStr::from_encoded_bytes_unchecked(&bytes[..colon]) };
            (location.to_owned(), Some(name.to_owned()))
        }
        _ => whole(),
    }
}

fn is_qualified_name(text: &str) -> bool {
    text.split('.').all(is_identifier)
}

/// Whether a text may be a name in Python.
pub(crate) fn is_identifier(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first == '_' || is_xid_start(first))
        && letters.all(is_xid_continue)
}

fn file(path: &Path) -> Result<Location, Exit> {
    let absolute = absolute(path)?;
    if absolute.is_file() {
        return Ok(Location::File(absolute));
    }
    let shown = path.display();
    let text = if absolute.is_dir() {
        format!("'{shown}' is a directory: pass a Python file or the name of a module")
    } else {
        let hint = nearest_file(path);
        let hint = hint.map(|file| format!("; did you mean '{}'?", file.display()));
        format!("no such file: '{shown}'{}", hint.unwrap_or_default())
    };
    Err(output::error(text, Exit::Usage))
}

fn module(path: &Path) -> Result<Location, Exit> {
    let module = path.to_string_lossy().into_owned();
    if path.extension().is_some() && path.is_file() {
        let text = format_args!(
            "'{module}' does not end in .py, so it would be taken for a module name: write \
             './{module}' for the file"
        );
        return Err(output::error(text, Exit::Usage));
    }
    Ok(Location::Module(module))
}

pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Exit> {
    std::path::absolute(path)
        .map_err(|error| output::error(format_args!("'{}': {error}", path.display()), Exit::Usage))
}

/// Parses a keyword argument.
fn named(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if is_identifier(name) && !text.contains('\0') => {
            Ok((name.into(), value.into()))
        }
        _ => Err("use NAME=VALUE".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_stands_behind_the_last_colon() {
        for (text, location, object) in [
            ("counter.py:Counter", "counter.py", Some("Counter")),
            ("./my counter.py:Outer.Inner", "./my counter.py", Some("Outer.Inner")),
            ("package.module:make", "package.module", Some("make")),
            (r"C:\tasks\counter.py:Zähler_2", r"C:\tasks\counter.py", Some("Zähler_2")),
            (r"C:\tasks\counter.py", r"C:\tasks\counter.py", None),
            ("C:/counter.py", "C:/counter.py", None),
            ("C:counter.py", "C:counter.py", None),
            ("counter.py", "counter.py", None),
            ("counter.py:", "counter.py:", None),
            ("counter.py:2", "counter.py:2", None),
            ("counter.py:a.", "counter.py:a.", None),
            (":Counter", ":Counter", None),
        ] {
            assert_eq!(
                split(OsStr::new(text)),
                (location.into(), object.map(str::to_owned)),
                "{text}"
            );
        }
    }

    #[test]
    fn names_and_values_are_split_at_the_first_sign() {
        assert_eq!(named("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(named("größe_2="), Ok(("größe_2".into(), String::new())));
        for text in ["a", "=b", "a-b=c", "2=c", "a=\0"] {
            assert!(named(text).is_err(), "{text}");
        }
    }
}
