//! Errors about exhausted descriptors, with the limit that was reached.

use std::fmt;
use std::io;

use super::descriptor_limit;

/// Adds to an error that the process has reached its descriptor limit, and what that limit is.
pub(crate) struct WithLimit<'a>(pub(crate) &'a io::Error);

impl fmt::Display for WithLimit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        let Some(limit) = descriptor_limit(self.0) else { return Ok(()) };
        write!(
            f,
            ": this process has reached its limit of {limit} open files (RLIMIT_NOFILE); close some, or raise \
             the limit (ulimit -n)"
        )
    }
}
