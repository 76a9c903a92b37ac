//! Texts shared by several errors.

use std::fmt;

use super::Hindrance;

/// The message for a server that accepts no more calls, with what its process waits for, if that is
/// known.
pub(super) struct Stopping<'a>(pub(super) &'a str, pub(super) Option<&'a Hindrance>);

impl fmt::Display for Stopping<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(server, hindrance) = self;
        match hindrance {
            None => write!(
                f,
                "{server} is stopping and takes no more calls: wait for its end (`bgpy wait {server} --for \
                 exit`), then start another"
            ),
            Some(Hindrance { pid, what }) => write!(
                f,
                "{server} is stopping and takes no more calls (process {pid}): {what}. Wait for its end \
                 (`bgpy wait {server} --for exit`) or kill it (`bgpy kill {server}`), then start another"
            ),
        }
    }
}
