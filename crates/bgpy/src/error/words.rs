//! Texts shared by several errors.

use std::fmt;

/// The message for a server that accepts no more calls.
pub(super) struct Stopping<'a>(pub(super) &'a str);

impl fmt::Display for Stopping<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.0;
        write!(
            f,
            "{server} is stopping and takes no more calls: wait for its end (`bgpy wait {server} --for \
             exit`), then start another"
        )
    }
}
