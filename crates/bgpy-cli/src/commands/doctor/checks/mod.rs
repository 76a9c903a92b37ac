//! The checks of `bgpy doctor`: one function per check, which returns its findings. Printing them is up to
//! the command.

mod answers;
mod clock;
mod directory;
mod earlier_versions;
mod leftovers;
mod port;
mod python;
mod stopping;
mod token;
mod versions;
mod wsl;

use std::env;
use std::path::PathBuf;

use bgpy::Wait;
use bgpy::registry::{DIRECTORY_VARIABLE, Registry};
use bgpy::survey::look_at_all;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Nothing to do.
    Ok,
    /// Worth knowing; nothing has to be done.
    Note,
    /// It has to be fixed.
    Error,
}

/// The result of a check.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    /// What was checked, in a word.
    pub(crate) about: &'static str,
    /// What was found.
    pub(crate) text: String,
    /// How to fix it.
    pub(crate) fix: Option<String>,
}

impl Level {
    /// Its name in the output.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Error => "error",
        }
    }
}

impl Finding {
    pub(crate) fn ok(about: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Ok, about, text: text.into(), fix: None }
    }

    pub(crate) fn note(
        about: &'static str,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { level: Level::Note, about, text: text.into(), fix: Some(fix.into()) }
    }

    pub(crate) fn error(
        about: &'static str,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { level: Level::Error, about, text: text.into(), fix: Some(fix.into()) }
    }
}

/// Runs all checks, with `program` as the interpreter for servers; removes files that are surely unused if
/// `fix` is set.
pub(crate) fn check_all(
    fix: bool,
    program: Result<PathBuf, String>,
    interrupted: &dyn Fn() -> bool,
) -> Vec<Finding> {
    let mut findings = match Registry::of_user() {
        Ok(registry) => with_registry(&registry, fix, interrupted),
        Err(error) => vec![Finding::error(
            directory::ABOUT,
            format!("there is no runtime directory: {error}"),
            format!("set {DIRECTORY_VARIABLE} to a directory of yours"),
        )],
    };
    findings.extend(versions::on_path(env::var_os("PATH").as_deref()));
    findings.extend(python::interpreter(program, interrupted));
    findings.extend(wsl::distribution());
    findings.extend(token::variable(env::var("BGPY_TOKEN").ok().as_deref()));
    findings
}

fn with_registry(registry: &Registry, fix: bool, interrupted: &dyn Fn() -> bool) -> Vec<Finding> {
    let mut findings = directory::runtime(registry);
    findings.extend(directory::socket_paths(registry));
    findings.extend(directory::survival(registry));
    findings.extend(directory::logs(registry));
    findings.extend(leftovers::leftovers(registry, fix));
    let (mut running, ended) = match registry.entries().and_then(|all| Ok((all, registry.ended()?)))
    {
        Ok(known) => known,
        Err(error) => {
            findings.push(Finding::error(
                directory::ABOUT,
                error.to_string(),
                "make the directory readable, or raise the limit of open files (ulimit -n)",
            ));
            Default::default()
        }
    };
    running.retain(bgpy::registry::Entry::has_process);
    let infos = look_at_all(registry, running.clone(), &Wait::new(None, interrupted));
    findings.extend(answers::of_servers(&infos));
    findings.extend(stopping::of_servers(&ended));
    findings.extend(earlier_versions::servers(&registry.former(), interrupted));
    findings.extend(clock::starts(&running, clock::now_ms()));
    findings.extend(versions::of_servers(&running));
    findings.extend(port::port(registry, port::DEFAULT, interrupted));
    findings
}
