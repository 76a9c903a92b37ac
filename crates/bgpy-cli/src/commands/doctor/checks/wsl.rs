//! Looks at what this machine is: under Windows, Linux does not run for as long as its servers do.

use super::Finding;
use crate::platform;

const ABOUT: &str = "wsl";

/// Whether the servers of this machine end with a distribution of WSL.
pub(super) fn distribution() -> Option<Finding> {
    note(&platform::kernel_release()?)
}

fn note(release: &str) -> Option<Finding> {
    release.to_ascii_lowercase().contains("microsoft").then(|| {
        Finding::note(
            ABOUT,
            "this is a Linux distribution under Windows (WSL): Windows may stop it, and all servers in it, \
             some time after its last terminal is closed",
            "keep a terminal open, or set instanceIdleTimeout=-1 in the section [general] of .wslconfig on \
             Windows",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_wsl_are_known_by_their_kernels() {
        for release in ["4.4.0-19041-Microsoft", "5.15.167.4-microsoft-standard-WSL2"] {
            assert!(note(release).is_some(), "{release}");
        }
        assert_eq!(note("6.1.0-18-amd64"), None);
    }
}
