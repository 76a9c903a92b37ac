//! Host names and ports.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// The address of a server, as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// A name, an IPv4 or an IPv6 address; IPv6 with or without brackets.
    pub host: String,
    /// The port; with 0 a server chooses a free one.
    pub port: u16,
}

impl Address {
    /// Takes host and port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// The socket addresses of the host, at least one. An IPv4-mapped IPv6 address
    /// (`::ffff:127.0.0.1`) is converted to IPv4.
    ///
    /// # Errors
    /// The resolver's error, also if it finds no address.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let host = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let mut addresses: Vec<_> =
            (host.unwrap_or(&self.host), self.port).to_socket_addrs()?.collect();
        addresses.iter_mut().for_each(|address| address.set_ip(address.ip().to_canonical()));
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(addresses)
    }
}

impl FromStr for Address {
    type Err = String;

    /// Parses `host:port`, or `[address]:port` for IPv6.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            |what: &str| format!("'{text}' is not an address: {what}, as in 127.0.0.1:54321");
        let (host, port) = text.rsplit_once(':').ok_or_else(|| wrong("it has no port"))?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if bare.is_none() && host.contains(':') {
            return Err(format!(
                "'{text}' is not an address: write IPv6 with brackets, as in [{host}]:{port}"
            ));
        }
        let host = bare.unwrap_or(host);
        if host.is_empty() || host.contains('\0') {
            return Err(wrong("it has no host"));
        }
        match port.parse() {
            Ok(port) if port > 0 => Ok(Self::new(host, port)),
            _ => Err(wrong("its port must be a number from 1 to 65535")),
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') && !self.host.starts_with('[') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_is_ipv4_however_it_is_written() {
        for (host, meant) in [
            ("::ffff:127.0.0.1", "127.0.0.1:80"),
            ("[::ffff:7f00:2]", "127.0.0.2:80"),
            ("::ffff:0.0.0.0", "0.0.0.0:80"),
            ("::ffff:192.0.2.1", "192.0.2.1:80"),
            ("::1", "[::1]:80"),
            ("::", "[::]:80"),
        ] {
            assert_eq!(
                Address::new(host, 80).resolve().unwrap(),
                [meant.parse().unwrap()],
                "{host}"
            );
        }
    }

    #[test]
    fn ipv6_is_shown_in_brackets_and_taken_with_or_without() {
        for host in ["::1", "[::1]"] {
            let address = Address::new(host, 80);
            assert_eq!(address.to_string(), "[::1]:80");
            assert_eq!(address.resolve().unwrap(), ["[::1]:80".parse().unwrap()]);
        }
        assert_eq!(Address::new("localhost", 1).to_string(), "localhost:1");
    }
}
