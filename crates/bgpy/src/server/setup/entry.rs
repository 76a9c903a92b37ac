//! The first entry of a server in the registry: made and written, or done without.

use std::io;

use super::binding::Binding;
use super::supervised::Supervised;
use super::token::ServerToken;
use crate::address::Address;
use crate::config::Config;
use crate::error::ServeError;
use crate::log::Log;
use crate::platform::{ProcessId, Stamp};
use crate::registry::{Entry, Registry};
use crate::server::options::ServerOptions;

/// A server's token, and its entry.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) token: ServerToken,
    pub(super) entry: Entry,
    /// What tells the entry from anything put in its place; `None` if it could not be written.
    pub(super) written: Option<Stamp>,
}

impl Registered {
    /// Registers a server that listens by a binding. A successor has the entry of its predecessor.
    ///
    /// # Errors
    /// [`ServeError`] if the token is not good enough, or if the entry cannot be written and the
    /// server cannot do without.
    pub(super) fn new(
        address: &Address,
        options: &ServerOptions,
        supervised: &Supervised,
        binding: &mut Binding,
        is_successor: bool,
    ) -> Result<Self, ServeError> {
        let token = ServerToken::choose(options, binding.address)?;
        let entry = entry(address, options, supervised, binding, &token);
        let without = match &binding.claim {
            _ if is_successor => WithoutEntry::KeepOld,
            None if !token.is_made_up => WithoutEntry::Warn,
            _ => WithoutEntry::Refuse,
        };
        let (registry, trouble) = (options.registry.as_ref(), binding.trouble.take());
        let written = write(&entry, registry, trouble, without, &options.log)?;
        Ok(Self { token, entry, written })
    }
}

/// What a server does if its entry cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WithoutEntry {
    /// It does not start: clients could find neither a generated token nor a name.
    Refuse,
    /// It relies on the entry of its predecessor.
    KeepOld,
    /// It runs, and its clients must be given the token.
    Warn,
}

/// The entry of a server that listens by a binding.
fn entry(
    address: &Address,
    options: &ServerOptions,
    supervised: &Supervised,
    binding: &Binding,
    token: &ServerToken,
) -> Entry {
    let mut entry = Entry::new(options.instance, &address.host, binding.address);
    entry.name.clone_from(&options.name);
    entry.token = Some(token.token.expose().to_owned());
    entry.has_chosen_token = token.is_chosen_by_user;
    entry.owns_process = options.owns_process;
    entry.config = options.config.clone().map(|config| to_be_kept(config).into());
    entry.supervisor.clone_from(&supervised.supervisor);
    entry.generation = supervised.generation;
    entry.failing.clone_from(&supervised.failing);
    entry.python.clone_from(&options.python);
    entry.log_file = options.log.path();
    entry.socket.clone_from(&binding.socket);
    entry
}

/// What the entry on disk has of a configuration: no secret that can be had elsewhere.
fn to_be_kept(mut config: Config) -> Config {
    config.token = None;
    if let Some(launch) = config.launch.as_mut().filter(|launch| !launch.environment.is_empty()) {
        let own = ProcessId::own().environment();
        if own.is_some_and(|own| launch.is_told_by(&own)) {
            launch.forget_values();
        }
    }
    config
}

/// Writes an entry, unless there was `trouble` with the registry already.
///
/// # Errors
/// [`ServeError::Registry`] if the server cannot do without.
fn write(
    entry: &Entry,
    registry: Option<&Registry>,
    trouble: Option<io::Error>,
    without: WithoutEntry,
    log: &Log,
) -> Result<Option<Stamp>, ServeError> {
    let Some(registry) = registry else { return Ok(Some(Stamp::default())) };
    let source = match trouble.map_or_else(|| registry.put(entry), Err) {
        Ok(stamp) => return Ok(Some(stamp)),
        Err(source) => source,
    };
    let directory = registry.directory();
    match without {
        WithoutEntry::Refuse => {
            let directory = Some(directory.to_owned());
            return Err(ServeError::Registry { directory, source });
        }
        WithoutEntry::KeepOld => log.error(format_args!(
            "the entry in {} cannot be written ({source}): the old entry stays until it can be written",
            directory.display()
        )),
        WithoutEntry::Warn => log.warning(format_args!(
            "no entry in {} ({source}): clients must be given the token",
            directory.display()
        )),
    }
    Ok(None)
}
