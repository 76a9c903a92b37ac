//! What differs between operating systems, behind one set of functions.
//!
//! Only the Unix half has been run, on Linux; the other is kept small and follows the same contract.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(not(unix))]
mod other;
#[cfg(not(unix))]
pub(crate) use other::*;

#[cfg(target_os = "linux")]
pub(crate) mod segment;
