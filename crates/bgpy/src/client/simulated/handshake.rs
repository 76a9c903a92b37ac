//! What a greeting asks for, over a wire.

use std::io::{self, IoSlice};
use std::time::Duration;

use super::server;
use crate::client::greeting::Greeting;
use crate::error::ConnectError;
use crate::simulation::wire::{End, Wire};

/// The connection that was opened last.
pub(super) fn last(wires: &[Wire]) -> &Wire {
    wires.last().expect("a greeting dials before it talks")
}

/// Sends a handshake message, which always fits.
pub(super) fn send(wire: &Wire, greeting: &mut Greeting) -> Result<(), ConnectError> {
    wire.poll(End::Client);
    while !greeting.out.is_empty() {
        match wire.write(End::Client, &[IoSlice::new(greeting.out.front())]) {
            Ok(count) => greeting.out.advance(count),
            Err(_) => return greeting.cut(),
        }
    }
    Ok(())
}

/// Receives what has arrived; `None` if nothing has.
pub(super) fn receive(wire: &Wire, greeting: &mut Greeting) -> Option<Result<(), ConnectError>> {
    wire.poll(End::Client);
    let mut buffer = [0; 4096];
    match wire.read(End::Client, &mut buffer) {
        Ok(count) => Some(greeting.received(&buffer[..count])),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(_) => Some(greeting.cut()),
    }
}

/// Connecting takes too long.
pub(super) fn timeout() -> ConnectError {
    let (after, process, connected) = (Duration::ZERO, None, false);
    ConnectError::Timeout { server: server(), after, process, connected }
}
