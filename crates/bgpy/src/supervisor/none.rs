//! On systems without supervisors, the started process is the server.

use std::io;
use std::process::ExitStatus;

use super::Role;
use crate::bootstrap::{Orders, StartReporter};
use crate::config::Config;
use crate::error::ServeError;

/// Whether this system has supervisors.
pub const IS_SUPPORTED: bool = false;

/// Never constructed on this system.
#[derive(Debug)]
pub enum Supervisor {}

impl Supervisor {
    /// Waits for the end of the server.
    pub fn run(self) -> ExitStatus {
        match self {}
    }
}

/// Reads the configuration from standard input. This process is the server.
///
/// # Errors
/// The system's error.
pub fn divide(_fork: impl FnOnce() -> io::Result<Option<u32>>) -> io::Result<Role> {
    let (config, reporter) = (Orders::take()?.config.into(), StartReporter::to_parent()?);
    Ok(Role::Server { reporter, config, supervised: Box::default() })
}

/// Not on this system.
///
/// # Errors
/// Always.
pub fn run_in_foreground(_config: Config) -> Result<ExitStatus, ServeError> {
    let text = "servers cannot be started again on this system";
    Err(io::Error::new(io::ErrorKind::Unsupported, text).into())
}
