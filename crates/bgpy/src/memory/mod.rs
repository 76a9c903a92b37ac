//! Memory for large messages: allocated, pooled for reuse, returned to the system, and shared with
//! processes on the same machine.

pub(crate) mod buffer_pool;
mod grow;
pub(crate) mod reclaim;
#[cfg(not(target_os = "linux"))]
#[path = "no_segments.rs"]
pub(crate) mod segments;
#[cfg(target_os = "linux")]
pub(crate) mod segments;

pub use buffer_pool::reuse;
pub(crate) use grow::{HUGE_BYTES, Own};
