//! Finding a Python interpreter.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::platform::{PYTHON_NAMES, VIRTUAL_ENV_PROGRAMS, interpreter_directories};

/// Where to look.
pub(super) struct Environment<'a> {
    /// `BGPY_PYTHON`: a path, or a name to be found on `PATH`. If it is set, nothing else is tried.
    pub(super) setting: Option<OsString>,
    /// This program.
    pub(super) executable: Option<PathBuf>,
    /// `VIRTUAL_ENV`.
    pub(super) virtual_env: Option<OsString>,
    /// `PATH`.
    pub(super) path: Option<OsString>,
    /// Whether a file can be run.
    pub(super) is_executable: &'a dyn Fn(&Path) -> bool,
    /// Whether bgpy is installed in a virtual environment.
    pub(super) has_bgpy: &'a dyn Fn(&Path) -> bool,
}

/// Why there is no interpreter.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotFound {
    /// `BGPY_PYTHON` is not an interpreter.
    Setting(OsString),
    /// None was found anywhere.
    Nowhere {
        beside: Option<PathBuf>,
        virtual_env: Option<PathBuf>,
        /// How many directories `PATH` has.
        path: usize,
    },
}

/// The interpreter to use: the one that the user has set, else that of the active virtual environment if
/// bgpy is installed in it, else the one that this program was installed with, else that of the active
/// virtual environment all the same, else the first on `PATH`.
pub(super) fn find(environment: &Environment<'_>) -> Result<PathBuf, NotFound> {
    let on_path = directories(environment.path.as_deref());
    if let Some(setting) = environment.setting.as_deref().filter(|setting| !setting.is_empty()) {
        return find_setting(setting, &on_path, environment.is_executable)
            .ok_or_else(|| NotFound::Setting(setting.to_owned()));
    }
    let beside = environment.executable.as_deref().and_then(Path::parent).map(Path::to_owned);
    let virtual_env = environment.virtual_env.as_deref().filter(|directory| !directory.is_empty());
    let is_first =
        virtual_env.is_some_and(|directory| (environment.has_bgpy)(Path::new(directory)));
    let virtual_env = virtual_env.map(|directory| Path::new(directory).join(VIRTUAL_ENV_PROGRAMS));
    let first = virtual_env.iter().filter(|_| is_first);
    let own: Vec<_> = beside.iter().flat_map(|place| interpreter_directories(place)).collect();
    let places = first.chain(&own).chain(&virtual_env).chain(&on_path);
    let mut candidates =
        places.flat_map(|place| PYTHON_NAMES.iter().map(move |name| place.join(name)));
    match candidates.find(|candidate| (environment.is_executable)(candidate)) {
        Some(python) => Ok(python),
        None => Err(NotFound::Nowhere { beside, virtual_env, path: on_path.len() }),
    }
}

fn find_setting(
    setting: &OsStr,
    on_path: &[PathBuf],
    is_executable: &dyn Fn(&Path) -> bool,
) -> Option<PathBuf> {
    let setting = Path::new(setting);
    if setting.components().count() > 1 {
        return is_executable(setting).then(|| setting.to_owned());
    }
    on_path.iter().map(|place| place.join(setting)).find(|candidate| is_executable(candidate))
}

/// The directories of `PATH`, without empty entries. Some shells take those for the working directory, but a
/// file there must not be run by accident.
fn directories(path: Option<&OsStr>) -> Vec<PathBuf> {
    let all = path.into_iter().flat_map(env::split_paths);
    all.filter(|place| !place.as_os_str().is_empty()).collect()
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = PYTHON_NAMES.join(" or ");
        match self {
            Self::Setting(setting) => write!(
                f,
                "BGPY_PYTHON is '{}', which is not an executable program: set it to a Python \
                 interpreter that has bgpy installed, or unset it",
                setting.display()
            ),
            Self::Nowhere { beside, virtual_env, path } => {
                let place = |place: &Option<PathBuf>, otherwise: &str| match place {
                    Some(place) => format!("no {names} in {}", place.display()),
                    None => otherwise.to_owned(),
                };
                let beside = place(beside, "its directory is unknown");
                let virtual_env = place(virtual_env, "not set");
                write!(
                    f,
                    "no Python interpreter found to run the server; tried\n  \
                     BGPY_PYTHON: not set\n  \
                     beside this program: {beside}\n  \
                     VIRTUAL_ENV: {virtual_env}\n  \
                     PATH: no {names} in its {path} directories\n\
                     install Python and bgpy for it, or set BGPY_PYTHON to an interpreter that has \
                     bgpy installed"
                )
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// Looks in a world where only `programs` can be run.
    fn look(setting: &str, virtual_env: &str, programs: &[&str]) -> Result<PathBuf, NotFound> {
        find(&Environment {
            setting: Some(setting.into()),
            executable: Some("/opt/bgpy/bin/bgpy".into()),
            virtual_env: Some(virtual_env.into()),
            path: Some("/usr/bin::/bin".into()),
            is_executable: &|path| programs.iter().any(|program| path == Path::new(program)),
            has_bgpy: &|path| path == Path::new("/home/me/with-bgpy"),
        })
    }

    #[test]
    fn the_active_environment_comes_first_if_it_has_bgpy() {
        let programs = ["/opt/bgpy/bin/python3", "/home/me/with-bgpy/bin/python3", "/my/python"];
        assert_eq!(look("", "/home/me/with-bgpy", &programs), Ok(programs[1].into()));
        assert_eq!(look("/my/python", "/home/me/with-bgpy", &programs), Ok(programs[2].into()));
        assert_eq!(look("", "/home/me/with-bgpy", &programs[..1]), Ok(programs[0].into()));
    }

    #[test]
    fn places_are_tried_in_their_order() {
        let order = [
            "/opt/bgpy/bin/python3",
            "/opt/bgpy/bin/python",
            "/home/me/venv/bin/python3",
            "/home/me/venv/bin/python",
            "/usr/bin/python3",
            "/usr/bin/python",
            "/bin/python3",
            "/bin/python",
        ];
        for first in 0..order.len() {
            assert_eq!(look("", "/home/me/venv", &order[first..]), Ok(order[first].into()));
        }
        assert_eq!(look("", "", &["/bin/python3"]), Ok("/bin/python3".into()));
    }

    #[test]
    fn the_setting_decides() {
        let programs = ["/opt/bgpy/bin/python3", "/my/python", "/bin/python3.13"];
        assert_eq!(look("/my/python", "", &programs), Ok("/my/python".into()));
        assert_eq!(look("python3.13", "", &programs), Ok("/bin/python3.13".into()));
        for wrong in ["/my/python2", "python3.12"] {
            let error = look(wrong, "", &programs).unwrap_err();
            assert_eq!(error, NotFound::Setting(wrong.into()));
            assert!(error.to_string().contains(wrong));
        }
    }

    #[test]
    fn an_error_names_every_place() {
        let text = look("", "/home/me/venv", &[]).unwrap_err().to_string();
        for part in ["BGPY_PYTHON", "/opt/bgpy/bin", "/home/me/venv/bin", "PATH", "2 directories"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let nothing = find(&Environment {
            setting: None,
            executable: None,
            virtual_env: None,
            path: None,
            is_executable: &|_| panic!("there is nothing to look at"),
            has_bgpy: &|_| panic!("there is nothing to look at"),
        });
        assert!(nothing.unwrap_err().to_string().contains("0 directories"));
    }

    #[test]
    fn the_working_directory_is_not_searched() {
        assert!(look("", "", &["python3", "./python3"]).is_err());
        assert!(look("python3", "", &["python3"]).is_err());
    }
}
