//! What the registry knows of the servers that a target means.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::absence::{hindrance, hint, is_about_to_start};
use super::options::ClientOptions;
use super::route::Routes;
use crate::error::ConnectError;
use crate::platform::WithLimit;
use crate::registry::{Entry, Meant, Registry, is_of_this_machine};
use crate::restart::Failing;
use crate::target::Target;

/// Where a [search](super::search::Search) looks servers up. Never waits for a server.
pub(super) trait Lookup {
    /// What is known now of the servers that are meant.
    fn find(&self) -> Result<Found, ConnectError>;

    /// Whether a process is about to start a server that is meant, which would explain the error.
    fn is_about_to_start(&self, error: &ConnectError) -> bool;

    /// One of these servers that has no process now, and is restarted.
    fn down(&self, instances: &[String]) -> Option<Down>;

    /// The error to report for this one, with the reason if that is known.
    fn explain(&self, error: ConnectError) -> ConnectError;
}

/// What is known of the servers that are meant.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) routes: Routes,
    pub(super) instances: Vec<String>,
    /// How long each of them pauses before its next restart, if it does.
    pub(super) pauses: Vec<Option<Duration>>,
    /// How the first of them has failed.
    pub(super) failing: Option<Failing>,
    /// Whether one of them is restarted when it fails.
    pub(super) comes_back: bool,
}

/// A server that is restarted and has no process now.
#[derive(Debug)]
pub(super) struct Down {
    pub(super) failing: Option<Failing>,
}

/// A look-up in the registry of this user.
pub(super) struct RegistryLookup<'a> {
    target: &'a Target,
    options: &'a ClientOptions,
    registry: Option<Registry>,
    /// Why the registry cannot be trusted, if it cannot.
    doubt: Option<io::Error>,
    /// The addresses of a target that is one.
    addresses: Vec<SocketAddr>,
}

impl<'a> RegistryLookup<'a> {
    /// # Errors
    /// [`ConnectError`] if the target needs a registry and there is none to be trusted, or if its host
    /// name cannot be resolved.
    pub(super) fn new(
        target: &'a Target,
        options: &'a ClientOptions,
    ) -> Result<Self, ConnectError> {
        let registry = match (Registry::of_user(), target) {
            (Ok(registry), _) => Some(registry),
            // Without a registry no name can be resolved.
            (Err(error), Target::Name(_)) => return Err(distrusted(target, &error)),
            (Err(_), _) => None,
        };
        let doubt = registry.as_ref().and_then(|registry| registry.trust().err());
        if let Some(doubt) = &doubt
            && !matches!(target, Target::Address(_))
        {
            return Err(distrusted(target, doubt));
        }
        let addresses = match target {
            Target::Address(address) => address
                .resolve()
                .map_err(|source| ConnectError::Resolve { host: address.host.clone(), source })?,
            Target::Name(_) | Target::Socket(_) => Vec::new(),
        };
        Ok(Self { target, options, registry, doubt, addresses })
    }

    fn meant(&self) -> Option<Meant<'_>> {
        let registry = self.registry.as_ref()?;
        Some(Meant { registry, target: self.target, addresses: &self.addresses })
    }

    fn entries(&self) -> Result<Vec<Arc<Entry>>, ConnectError> {
        let Some(meant) = self.meant() else { return Ok(Vec::new()) };
        let entries = meant.registry.entries().map_err(|error| distrusted(self.target, &error))?;
        // Clients that find the entry of a dead server mark it as dead.
        let is_meant =
            |entry: &mut Entry| meant.includes(entry) && !meant.registry.mark_dead(entry);
        let entries = entries.into_iter().filter_map(|mut entry| {
            let is_meant = is_meant(&mut entry);
            is_meant.then(|| Arc::new(entry))
        });
        Ok(entries.collect())
    }

    /// Why the registry cannot be trusted, if the token that is missing may be there.
    fn doubt_about(&self, error: &ConnectError) -> Option<&io::Error> {
        let misses_token =
            matches!(error, ConnectError::NoToken { .. } | ConnectError::Auth { .. });
        let is_here = || self.addresses.iter().any(|address| is_of_this_machine(address.ip()));
        let doubt = self.doubt.as_ref().filter(|_| misses_token && self.options.token.is_none());
        doubt.filter(|_| is_here())
    }
}

impl Lookup for RegistryLookup<'_> {
    fn find(&self) -> Result<Found, ConnectError> {
        let entries = self.entries()?;
        let unix_socket = self.options.unix_socket;
        Ok(Found {
            routes: Routes::to(self.target, &self.addresses, &entries, unix_socket),
            instances: entries.iter().map(|entry| entry.instance.clone()).collect(),
            pauses: entries.iter().map(|entry| entry.pause()).collect(),
            failing: entries.first().and_then(|entry| entry.failing.clone()),
            comes_back: entries.iter().any(|entry| entry.is_restarted()),
        })
    }

    fn is_about_to_start(&self, error: &ConnectError) -> bool {
        self.doubt_about(error).is_none() && self.meant().as_ref().is_some_and(is_about_to_start)
    }

    fn down(&self, instances: &[String]) -> Option<Down> {
        let registry = self.registry.as_ref()?;
        let mut known = instances.iter().filter_map(|instance| registry.entry(instance));
        let down = known.find(|entry| entry.is_restarted() && entry.has_lost_process())?;
        Some(Down { failing: down.failing })
    }

    fn explain(&self, error: ConnectError) -> ConnectError {
        if let Some(doubt) = self.doubt_about(&error) {
            return distrusted(self.target, doubt);
        }
        if !matches!(error, ConnectError::NotRunning { .. } | ConnectError::NoSuchName { .. }) {
            return error;
        }
        let Some(meant) = self.meant() else { return error };
        match (hindrance(&meant), error) {
            (Ok(hindrance @ Some(_)), _) => {
                ConnectError::Stopping { server: self.target.to_string(), hindrance }
            }
            (Err(error), _) => distrusted(self.target, &error),
            (Ok(None), ConnectError::NoSuchName { name, .. }) => {
                let (unreadable, hint) = (meant.registry.unreadable(), hint(meant.registry, &name));
                ConnectError::NoSuchName { name, unreadable, hint }
            }
            (Ok(None), absent) => absent,
        }
    }
}

fn distrusted(target: &Target, doubt: &io::Error) -> ConnectError {
    let (server, doubt) = (target.to_string(), WithLimit(doubt).to_string());
    ConnectError::Registry { server, doubt }
}
