//! Which socket reaches a server: the Unix socket of its entry, else TCP.

use std::net::SocketAddr;
use std::path::Path;

use bgpy_proto::handshake::Suite;
use socket2::Socket;

use super::attempt::{Attempt, sealed_suite};
use super::link::Link;
use crate::error::ConnectError;
use crate::name::Name;
use crate::platform;
use crate::registry::Entry;

impl Attempt<'_> {
    pub(super) fn by_name(&self, name: &Name, entries: &[Entry]) -> Result<Link, ConnectError> {
        for entry in entries {
            match self.by_entry(entry) {
                // This server has died; its predecessor may still run.
                Err(ConnectError::NotRunning { .. }) => {}
                result => return result,
            }
        }
        Err(ConnectError::NoSuchName { name: name.clone(), unreadable: None, hint: None })
    }

    pub(super) fn by_entry(&self, entry: &Entry) -> Result<Link, ConnectError> {
        match self.by_own_file(entry)? {
            Some(link) => Ok(link),
            None => self.by_tcp(&[entry.reachable()], Some(entry)),
        }
    }

    pub(super) fn by_address(
        &self,
        addresses: &[SocketAddr],
        entries: &[Entry],
    ) -> Result<Link, ConnectError> {
        for entry in entries {
            // If nothing listens on the Unix socket any more, another program may have the address.
            if let Some(link) = self.by_own_file(entry)? {
                return Ok(link);
            }
        }
        self.by_tcp(addresses, entries.first())
    }

    pub(super) fn by_socket(
        &self,
        path: &Path,
        entry: Option<&Entry>,
    ) -> Result<Link, ConnectError> {
        match entry {
            Some(entry) => self.by_entry(entry),
            None => self.by_file(path, None)?.ok_or_else(|| self.dialer.not_running()),
        }
    }

    /// Connects by the Unix socket of an entry; `None` if the server is not there. Something else
    /// may be in the socket's place until the server has restored it; it does not know the token.
    fn by_own_file(&self, entry: &Entry) -> Result<Option<Link>, ConnectError> {
        let path = entry.socket.as_deref().filter(|_| self.options.unix_socket);
        let Some(path) = path.filter(|path| platform::is_socket(path)) else { return Ok(None) };
        match self.by_file(path, Some(entry)) {
            Err(ConnectError::NotRunning { .. }) => Ok(None),
            result => result,
        }
    }

    /// Connects by a Unix socket; `None` if nothing listens on it.
    fn by_file(&self, path: &Path, entry: Option<&Entry>) -> Result<Option<Link>, ConnectError> {
        // There is no network in between.
        let process = entry.map(|entry| entry.process.pid);
        let slow = |error| match error {
            ConnectError::Timeout { server, after, connected, .. } => {
                ConnectError::Timeout { server, after, process, connected }
            }
            error => error,
        };
        self.greet(&|| self.connect_file(path, entry), Suite::Clear, entry).map_err(slow)
    }

    /// Opens a connection to a Unix socket; `None` if the server does not listen on it.
    fn connect_file(
        &self,
        path: &Path,
        entry: Option<&Entry>,
    ) -> Result<Option<Socket>, ConnectError> {
        let Some(socket) = self.dialer.unix(path)? else { return Ok(None) };
        // Another process would not know the token, and might never answer.
        if entry.is_some_and(|entry| !entry.may_listen_by(platform::peer_process(&socket))) {
            return Ok(None);
        }
        let server = &self.dialer.server;
        self.options.log.debug(format_args!("connected to {server} by its socket"));
        Ok(Some(socket))
    }

    fn by_tcp(
        &self,
        addresses: &[SocketAddr],
        entry: Option<&Entry>,
    ) -> Result<Link, ConnectError> {
        let mut refused = None;
        for address in addresses {
            if self.wants_no_proof() && self.token(entry).is_none() && !address.ip().is_loopback() {
                return Err(ConnectError::Unprotected { server: self.dialer.server.clone() });
            }
            match self.greet(&|| self.connect_tcp(*address), sealed_suite(), entry) {
                Ok(Some(link)) => return Ok(link),
                Ok(None) => {}
                // The server may listen at another address of the host.
                Err(error @ (ConnectError::NotRunning { .. } | ConnectError::Io { .. })) => {
                    refused = refused.or(Some(error));
                }
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or_else(|| self.dialer.not_running()))
    }

    fn connect_tcp(&self, address: SocketAddr) -> Result<Option<Socket>, ConnectError> {
        let socket = self.dialer.tcp(address)?;
        self.options.log.debug(format_args!("connected to {}", self.dialer.server));
        Ok(Some(socket))
    }
}
