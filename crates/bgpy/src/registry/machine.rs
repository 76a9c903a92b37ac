//! Which entries belong to this machine: several machines may share a home directory.

use crate::platform;

/// This machine and its boot, as far as known.
#[derive(Debug)]
pub(super) struct Machine(String);

impl Machine {
    pub(super) fn own() -> Self {
        Self(platform::machine())
    }

    /// Whether an entry may be from this boot of this machine. A boot has an id that no other one has; a
    /// container has it, too, under a name of its own. The id is unknown without `/proc`, here or at the
    /// server that wrote the entry; then the names decide.
    pub(super) fn may_be(&self, other: &str) -> bool {
        let parts = |name: &'_ str| {
            let (node, start) = name.rsplit_once(' ').unwrap_or((name, ""));
            (node.to_owned(), start.to_owned())
        };
        let ((node, start), (other_node, other_start)) = (parts(&self.0), parts(other));
        if start.is_empty() || other_start.is_empty() {
            node == other_node
        } else {
            start == other_start
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_has_one_id_and_an_unknown_one_may_be_any() {
        for (one, other, same) in [
            ("node a", "node a", true),
            ("node a", "node b", false),
            ("node a", "container a", true),
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
