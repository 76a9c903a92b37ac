//! The routes to a server, in the order to try them: the Unix socket of its entry, else TCP.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::ConnectError;
use crate::name::Name;
use crate::platform;
use crate::registry::Entry;
use crate::target::Target;

/// What to connect to.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// A Unix socket.
    File(PathBuf),
    Tcp(SocketAddr),
}

/// One route.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) way: Way,
    /// The server's entry in the registry, if it was found there.
    pub(super) entry: Option<Arc<Entry>>,
}

impl Route {
    /// Whether a process that listens there may be the server. Another one would not know the token,
    /// and might never answer.
    pub(super) fn may_be_served_by(&self, process: Option<u32>) -> bool {
        self.entry.as_ref().is_none_or(|entry| entry.may_listen_by(process))
    }
}

/// The routes that have not been tried, and what the others have shown.
#[derive(Debug, Default)]
pub(super) struct Routes {
    untried: VecDeque<Route>,
    /// The name by which they were found. Servers of one name succeed each other, so a route on which
    /// none listens says nothing about the others.
    name: Option<Name>,
    /// Why the first route that counts has failed.
    failure: Option<ConnectError>,
}

impl Routes {
    /// The routes to what a target means, of which `entries` are known. `unix_socket` allows the
    /// sockets of the entries.
    pub(super) fn to(
        target: &Target,
        addresses: &[SocketAddr],
        entries: &[Arc<Entry>],
        unix_socket: bool,
    ) -> Self {
        let mut routes = Self::default();
        match (target, entries.first()) {
            (Target::Name(name), _) => {
                routes.name = Some(name.clone());
                entries.iter().for_each(|entry| routes.add(entry, unix_socket));
            }
            (Target::Socket(_), Some(entry)) => routes.add(entry, unix_socket),
            (Target::Socket(path), None) => routes.add_file(path, None),
            (Target::Address(_), first) => {
                // If nothing listens on the Unix socket any more, another program may have the
                // address.
                entries.iter().filter(|_| unix_socket).for_each(|entry| routes.add_own_file(entry));
                addresses.iter().for_each(|address| routes.add_tcp(*address, first));
            }
        }
        routes
    }

    /// The routes to the server of one entry.
    pub(super) fn to_entry(entry: &Arc<Entry>, unix_socket: bool) -> Self {
        let mut routes = Self::default();
        routes.add(entry, unix_socket);
        routes
    }

    /// The route to a server that accepts no more calls, for those who look into it.
    pub(super) fn to_stopping(entry: &Arc<Entry>) -> Option<Self> {
        let mut routes = Self::default();
        routes.add_file(entry.debug_socket.as_deref()?, Some(entry));
        Some(routes)
    }

    fn add(&mut self, entry: &Arc<Entry>, unix_socket: bool) {
        if unix_socket {
            self.add_own_file(entry);
        }
        self.add_tcp(entry.reachable(), Some(entry));
    }

    /// The Unix socket of an entry. Something else may be in its place until the server has restored
    /// it; it does not know the token.
    fn add_own_file(&mut self, entry: &Arc<Entry>) {
        if let Some(path) = entry.socket.as_deref().filter(|path| platform::is_socket(path)) {
            self.add_file(path, Some(entry));
        }
    }

    fn add_file(&mut self, path: &Path, entry: Option<&Arc<Entry>>) {
        self.untried.push_back(Route { way: Way::File(path.to_owned()), entry: entry.cloned() });
    }

    pub(super) fn add_tcp(&mut self, address: SocketAddr, entry: Option<&Arc<Entry>>) {
        self.untried.push_back(Route { way: Way::Tcp(address), entry: entry.cloned() });
    }

    /// The next route to try.
    pub(super) fn next(&mut self) -> Option<Route> {
        self.untried.pop_front()
    }

    /// Notes that a route has failed; without a `failure`, nothing listens there.
    ///
    /// # Errors
    /// The failure, if it says enough: no other route is to be tried.
    pub(super) fn failed(
        &mut self,
        route: &Route,
        failure: Option<ConnectError>,
    ) -> Result<(), ConnectError> {
        match (failure, &route.way) {
            (None, _) | (Some(ConnectError::NotRunning { .. }), Way::File(_)) => {}
            (Some(ConnectError::NotRunning { .. }), _) if self.name.is_some() => {}
            // The file of a server of this user's has lost its permissions: the server restores them, and can
            // be reached over TCP meanwhile.
            (Some(ConnectError::Io { source, .. }), Way::File(_))
                if route.entry.is_some() && source.kind() == ErrorKind::PermissionDenied => {}
            // The server may listen at another address of the host.
            (
                Some(error @ (ConnectError::NotRunning { .. } | ConnectError::Io { .. })),
                Way::Tcp(_),
            ) if self.name.is_none() => {
                self.failure.get_or_insert(error);
            }
            (Some(error), _) => return Err(error),
        }
        Ok(())
    }

    /// The error when all routes have failed.
    pub(super) fn exhausted(&mut self, server: &str) -> ConnectError {
        if let Some(name) = self.name.take() {
            return ConnectError::NoSuchName { name, unreadable: None, hint: None };
        }
        let server = server.to_owned();
        self.failure.take().unwrap_or(ConnectError::NotRunning { server })
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use bgpy_proto::Id;

    use super::*;

    fn denied() -> Option<ConnectError> {
        let source = io::Error::from(ErrorKind::PermissionDenied);
        Some(ConnectError::Io { server: "trainer".to_owned(), source })
    }

    #[test]
    fn a_socket_without_permissions_does_not_hide_the_other_routes_of_its_server() {
        let entry = Arc::new(Entry::new(Id::random(), "127.0.0.1", ([127, 0, 0, 1], 1).into()));
        let mut routes = Routes::default();
        routes.add_file(Path::new("/run/trainer.sock"), Some(&entry));
        routes.add_tcp(entry.address, Some(&entry));
        let file = routes.next().unwrap();
        assert!(routes.failed(&file, denied()).is_ok());
        assert!(matches!(routes.next().unwrap().way, Way::Tcp(_)));
    }

    #[test]
    fn a_socket_that_a_user_names_may_be_denied() {
        let mut routes = Routes::default();
        routes.add_file(Path::new("/run/trainer.sock"), None);
        let file = routes.next().unwrap();
        assert!(routes.failed(&file, denied()).is_err());
    }
}
