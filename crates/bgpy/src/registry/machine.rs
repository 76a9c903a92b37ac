//! Which entries belong to this machine: several machines may share a home directory.

use crate::platform;

/// This machine and its boot, as far as known.
#[derive(Debug)]
pub(super) struct Machine(String);

impl Machine {
    pub(super) fn own() -> Self {
        Self(platform::machine())
    }

    /// Whether an entry may be from this boot of this machine. The boot is unknown without `/proc`,
    /// here or at the server that wrote it; an unknown boot matches any.
    pub(super) fn may_be(&self, other: &str) -> bool {
        let parts = |name: &'_ str| {
            let (node, start) = name.rsplit_once(' ').unwrap_or((name, ""));
            (node.to_owned(), start.to_owned())
        };
        let ((node, start), (other_node, other_start)) = (parts(&self.0), parts(other));
        node == other_node && (start == other_start || start.is_empty() || other_start.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_start_is_no_other_one() {
        for (one, other, same) in [
            ("node a", "node a", true),
            ("node a", "node b", false),
            ("node a", "other a", false),
            ("node ", "node a", true),
            ("node a", "node ", true),
            ("node ", "node ", true),
            ("node ", "other ", false),
            ("node ", "other a", false),
            ("node", "node", true),
            ("node", "other", false),
        ] {
            assert_eq!(Machine(one.to_owned()).may_be(other), same, "{one:?} {other:?}");
        }
    }
}
