//! Kinds of failures to start, as a server's process reports them to its starter.

use serde::{Deserialize, Serialize};

/// Why a server does not start, for its starter to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FailureKind {
    /// A setting is invalid here.
    Config,
    /// Its token can be guessed, and other machines can reach it.
    WeakToken,
    /// Another program or server has its address.
    AddressInUse,
    /// Another server has its name.
    NameTaken,
    /// The process of an earlier server still has its name.
    NameHeld,
    /// It would have to wait for itself.
    WouldDeadlock,
    /// Its tasks failed, and their files have changed since.
    Changed,
    /// Its tasks import something that its interpreter lacks.
    Import,
    /// Any other failure, and any that only another version knows.
    #[serde(other, rename = "start")]
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_kind_is_another_failure() {
        let read = |text: &str| serde_json::from_str::<FailureKind>(text).unwrap();
        for (kind, text) in [
            (FailureKind::NameTaken, "\"name-taken\""),
            (FailureKind::Changed, "\"changed\""),
            (FailureKind::Other, "\"start\""),
        ] {
            assert_eq!(serde_json::to_string(&kind).unwrap(), text);
            assert_eq!(read(text), kind);
        }
        assert_eq!(read("\"of a later version\""), FailureKind::Other);
    }
}
