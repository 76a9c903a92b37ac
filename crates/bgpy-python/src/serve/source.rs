//! Where the program of a server comes from, and the import of its file or module.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use bgpy::Delivered;
use bgpy::config::Config;
use pyo3::prelude::*;

/// What a server imports its program from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub location: Location,
    /// What makes its object; None if it has three tasks.
    pub object: Option<Object>,
}

/// The file or module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A Python file.
    File(PathBuf),
    /// A module that can be imported.
    Module(String),
}

/// What makes the object of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// A class or function, by its qualified name.
    pub factory: String,
    /// Keyword arguments, as a user has written them.
    pub arguments: Vec<(String, String)>,
}

/// Where the program of a server comes from.
#[derive(Debug)]
pub enum Origin {
    Source(Source),
    /// What makes the object, in the process that runs the server.
    Here(Py<PyAny>),
    /// The message of the first client, kept for restarts.
    Client(Box<Delivered>),
}

/// What this process is importing for its server. It is locked only with the GIL held, as `os.fork` holds it,
/// so a forked child never inherits it locked.
static BEING_IMPORTED: Mutex<Option<Location>> = Mutex::new(None);

impl Origin {
    /// What is started, in words.
    pub fn what(&self) -> &str {
        match self {
            Self::Source(Source { object: Some(object), .. }) => &object.factory,
            Self::Here(_) => "the object",
            Self::Source(_) | Self::Client(_) => "the tasks",
        }
    }
}

impl Source {
    /// The file or module that a configuration names.
    pub fn of(config: &Config) -> Option<Self> {
        let file = config.init_file.clone().map(Location::File);
        let location = file.or_else(|| config.init_module.clone().map(Location::Module))?;
        let arguments = config.init_arguments.clone();
        let object = config.init_object.clone().map(|factory| Object { factory, arguments });
        Some(Self { location, object })
    }

    /// Imports the file or module.
    pub fn import<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &self.location {
            Location::File(path) => {
                let path = std::path::absolute(path)?;
                importing(Location::File(path.clone()), || {
                    py.import("bgpy._tasks_file")?.call_method1("imported", (path.as_os_str(),))
                })
            }
            Location::Module(name) => {
                look_in_working_directory(py)?;
                importing(self.location.clone(), || {
                    py.import("importlib")?.call_method1("import_module", (name,))
                })
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Location::File(path) => write!(f, "'{}'", path.display()),
            Location::Module(name) => write!(f, "module '{name}'"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(source) => source.fmt(f),
            Self::Here(_) => f.write_str("this process"),
            Self::Client(_) => f.write_str("the first client"),
        }
    }
}

/// Whether a server would import what this process is importing right now: it would start the next server, and
/// so on.
pub fn is_being_imported(config: &Config) -> bool {
    let imported = BEING_IMPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    imported.is_some() && *imported == Source::of(config).map(|source| source.location)
}

/// Runs `import`, with `location` noted in the meantime.
fn importing<T>(location: Location, import: impl FnOnce() -> T) -> T {
    let set = |location| *BEING_IMPORTED.lock().unwrap_or_else(PoisonError::into_inner) = location;
    set(Some(location));
    let imported = import();
    set(None);
    imported
}

/// Lets modules be imported from the working directory too, as `python -m` does.
fn look_in_working_directory(py: Python<'_>) -> PyResult<()> {
    let search_path = py.import("sys")?.getattr("path")?;
    let here = py.import("os")?.call_method0("getcwd")?;
    if !search_path.contains(&here)? {
        search_path.call_method1("append", (here,))?;
    }
    Ok(())
}
