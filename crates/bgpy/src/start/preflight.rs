//! Checks whether a server could be started again, before the running one is stopped.

use std::ffi::OsStr;
use std::path::Path;

use bgpy_proto::Token;

use super::interpreter::ask;
use crate::address::Address;
use crate::config::{Config, Launch};
use crate::log::{Level, Log};
use crate::registry::{Entry, Registry};
use crate::server::check_exposure;
use crate::token::token_of_environment;
use crate::transport::can_listen;

/// Imports what a server needs, and analyses its class or tasks without running them.
const PROGRAM: &str = include_str!("preflight.py");

/// Checks everything that a start needs and that can be checked without starting, while a server that
/// is to give way may still be `running`.
///
/// # Errors
/// What is missing.
pub fn check(
    config: &Config,
    registry: &Registry,
    running: Option<&Entry>,
    interrupted: &dyn Fn() -> bool,
) -> Result<(), String> {
    let launch = config.launch.as_ref().ok_or("how it was started is not known")?;
    if let Some(directory) = launch.directory.as_deref().filter(|path| !path.is_dir()) {
        return Err(format!("its working directory '{}' does not exist", directory.display()));
    }
    if let Some(path) = config.init_file.as_deref().filter(|path| !path.is_file()) {
        let what = if config.init_object.is_some() { "file" } else { "tasks file" };
        return Err(format!("its {what} '{}' does not exist", path.display()));
    }
    check_token(config)?;
    config.log_file.as_deref().map_or(Ok(()), check_log)?;
    registry.check_room().map_err(|error| {
        let place = registry.directory().display();
        format!("its registry entry cannot be written in '{place}': {error}")
    })?;
    if let Some(running) = running {
        check_place(config, registry, running)?;
    }
    check_tasks(config, launch, interrupted)
}

/// Checks that the server may listen where it is to, with the token that it is to have.
fn check_token(config: &Config) -> Result<(), String> {
    let address = Address::new(config.host.as_str(), config.port);
    let address =
        address.resolve().map_err(|error| format!("the host {}: {error}", config.host))?;
    let token = config.token.as_deref().map(Token::new).or_else(token_of_environment);
    check_exposure(address[0], config.auth, token.as_ref(), config.allow_weak_token)
        .map_err(|error| error.to_string())
}

/// Checks that the log can be written.
fn check_log(path: &Path) -> Result<(), String> {
    let shown = path.display();
    if let Some(place) = path.parent().filter(|path| !path.is_dir()) {
        return Err(format!("the directory of its log '{}' does not exist", place.display()));
    }
    let is_there = path.exists();
    // Open it like the server does, without blocking.
    let opened = Log::file(Level::Info, path);
    opened.map_err(|error| format!("its log '{shown}' cannot be written: {error}"))?;
    if !is_there {
        // The server will create it.
        drop(std::fs::remove_file(path));
    }
    Ok(())
}

/// Checks that the address and the name will be free once the server has ended.
fn check_place(config: &Config, registry: &Registry, entry: &Entry) -> Result<(), String> {
    let address = Address::new(config.host.as_str(), config.port);
    can_listen(&address, entry.address).map_err(|error| error.to_string())?;
    let Some(name) = &config.name else { return Ok(()) };
    let others = registry.named(name).map_err(|error| error.to_string())?;
    let mut others = others.into_iter().filter(|other| other.instance != entry.instance);
    let other = others.find(Entry::has_process);
    other.map_or(Ok(()), |other| {
        let pid = other.process.pid;
        Err(format!("another server (process {pid}) has taken its name"))
    })
}

/// Checks that the interpreter can be run, has bgpy, and finds a class or tasks that compile.
fn check_tasks(
    config: &Config,
    launch: &Launch,
    interrupted: &dyn Fn() -> bool,
) -> Result<(), String> {
    let python = launch.command.first().ok_or("how it was started is not known")?;
    let (kind, tasks) = match (&config.init_file, &config.init_module) {
        (Some(path), _) => ("file", path.as_os_str()),
        (None, module) => ("module", OsStr::new(module.as_deref().unwrap_or_default())),
    };
    let words = [python.as_os_str(), "-P".as_ref(), "-c".as_ref(), PROGRAM.as_ref()];
    let object = config.init_object.as_deref();
    let origin = [kind.as_ref(), tasks, object.unwrap_or_default().as_ref()];
    let words = words.into_iter().chain(origin).map(OsStr::to_owned);
    let command = words.chain(config.search_path.iter().cloned()).collect();
    let trial = Launch { command, ..launch.clone() };
    let shown = Path::new(python).display();
    let output = ask(&mut trial.command(), interrupted)
        .map_err(|error| format!("its interpreter '{shown}' cannot be run: {error}"))?;
    if output.status.success() && output.stdout.trim_ascii().ends_with(b"checked") {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let reason = words.trim().lines().last().unwrap_or("it printed no error").trim().to_owned();
    let what = object.unwrap_or("the tasks");
    Err(format!("its interpreter '{shown}' cannot load {what}: {reason}"))
}
