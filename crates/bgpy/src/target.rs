//! How users name a server.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::address::Address;
use crate::name::Name;

/// A server, as a user names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// A server of this user on this machine, by its name.
    Name(Name),
    /// A server anywhere, by host and port.
    Address(Address),
    /// A server on this machine, by its Unix socket.
    Socket(PathBuf),
}

impl FromStr for Target {
    type Err = String;

    /// A path contains a slash, an address ends with a colon and a port, and everything else is a
    /// name.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(std::path::is_separator) {
            return Ok(Self::Socket(text.into()));
        }
        if text.contains(':') {
            return text.parse().map(Self::Address);
        }
        text.parse().map(Self::Name).map_err(|error: String| {
            format!("{error}; or use an address such as 127.0.0.1:54321, or the path of a socket")
        })
    }
}

impl TryFrom<&str> for Target {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Name> for Target {
    fn from(name: Name) -> Self {
        Self::Name(name)
    }
}

impl From<Address> for Target {
    fn from(address: Address) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_told_apart() {
        let address = |host, port| Target::Address(Address::new(host, port));
        for (text, target) in [
            ("trainer", Target::Name("trainer".parse().unwrap())),
            ("localhost:80", address("localhost", 80)),
            ("[::1]:80", address("::1", 80)),
            ("/run/x.sock", Target::Socket("/run/x.sock".into())),
            ("./x", Target::Socket("./x".into())),
        ] {
            assert_eq!(text.parse(), Ok(target.clone()), "{text}");
            assert_eq!(target.to_string().parse(), Ok(target), "{text}");
        }
    }

    #[test]
    fn a_refusal_says_what_would_do() {
        for (text, part) in [
            ("my server", "127.0.0.1:54321"),
            ("localhost:", "localhost:"),
            ("localhost:http", "port"),
            ("localhost:0", "port"),
            ("localhost:65536", "port"),
            ("::1:80", "[::1]:80"),
            (":80", "host"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
