//! Systems without sealed shared memory: all messages travel over the stream.

use std::io;

use bgpy_proto::{Payload, Supply};

/// Whether this system has segments.
pub(crate) const SUPPORTED: bool = false;

/// Never constructed on this system.
#[derive(Debug, Clone)]
pub(crate) enum Segments {}

/// The segments that a message was moved into.
#[derive(Debug, Default)]
pub(crate) struct Loans;

impl Segments {
    /// `None` on this system.
    pub(crate) fn new() -> Option<Self> {
        None
    }

    pub(crate) fn supply(&self) -> Box<dyn Supply> {
        match *self {}
    }

    pub(crate) fn recv<S>(&self, _: S, _bytes: &mut [u8], _now: bool) -> io::Result<(usize, bool)> {
        match *self {}
    }

    pub(crate) fn send_offer<S>(&self, _: S, _offer: &[u8], _segment: u16) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn lend(&self, _payload: &mut Payload) -> Loans {
        match *self {}
    }
}

impl Loans {
    pub(crate) fn sent(self) {}
}
