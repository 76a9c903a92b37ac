//! Names of servers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::misspelling::nearest;

/// Longest name, in characters: it is part of file names.
const LENGTH_MAX: usize = 64;

/// The name of a server, unique among a user's running servers.
///
/// It starts with a letter and consists of ASCII letters, digits, `.`, `_` and `-`, so that it is
/// never mistaken for an address or a path, and is a valid file name on every system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The one among other names for which this may be a misspelling.
    pub fn nearest(&self, others: impl IntoIterator<Item = Self>) -> Option<Self> {
        nearest(self.as_str(), others)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let may_stand = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
        if begins && text.len() <= LENGTH_MAX && text.chars().all(may_stand) {
            return Ok(Self(text));
        }
        let shown: String = text.chars().take(LENGTH_MAX).collect();
        let more = if shown.len() < text.len() { "..." } else { "" };
        Err(format!(
            "{shown:?}{more} cannot be the name of a server: use a letter and up to {} more \
             letters, digits, '.', '_' or '-'",
            LENGTH_MAX - 1
        ))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_path_or_an_address_is_no_name() {
        for good in ["trainer", "t", "Model-2.v1_b", &"x".repeat(64)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        let long = "x".repeat(300);
        for bad in ["", "a b", "a/b", "..", "-x", "7", "host:1", "naïve", "a\n", &long] {
            let error = bad.parse::<Name>().unwrap_err();
            assert!(error.contains("letter") && error.len() < 250, "{bad}: {error}");
        }
    }
}
