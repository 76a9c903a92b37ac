//! The handshake over a wire.

use bgpy_proto::handshake::{ClientHandshake, Step};
use bgpy_proto::{Outbox, ProtocolError};

use crate::client::handshake_retry::Refused;
use crate::simulation::wire::{End, Wire};

/// The result of a handshake step.
pub(super) enum Shaken {
    Done(Box<bgpy_proto::ClientSession>),
    More(Box<ClientHandshake>, bool),
    Refused(Refused),
}

/// Processes the server's messages and answers them.
pub(super) fn exchange(
    wire: &Wire,
    handshake: ClientHandshake,
    out: &mut Outbox,
    silent: bool,
) -> Shaken {
    wire.poll(End::Client);
    if send(wire, out).is_err() {
        return Shaken::Refused(Refused::Cut);
    }
    let mut buffer = [0; 4096];
    let count = match wire.read(End::Client, &mut buffer) {
        Ok(0) if silent => return Shaken::Refused(Refused::Silently),
        Ok(0) => return Shaken::Refused(Refused::Cut),
        Ok(count) => count,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            return Shaken::More(Box::new(handshake), silent);
        }
        Err(_) => return Shaken::Refused(Refused::Cut),
    };
    match handshake.feed(&buffer[..count], out) {
        Ok(Step::Done(session)) if send(wire, out).is_ok() => Shaken::Done(Box::new(session)),
        Ok(Step::Done(_)) => Shaken::Refused(Refused::Cut),
        Ok(Step::More(handshake)) => Shaken::More(Box::new(handshake), false),
        Err(ProtocolError::Unauthenticated) => Shaken::Refused(Refused::Otherwise),
        Err(error) => panic!("an honest server is not understood: {error}"),
    }
}

/// Sends a handshake message, which always fits.
pub(super) fn send(wire: &Wire, out: &mut Outbox) -> std::io::Result<()> {
    while !out.is_empty() {
        match wire.write(End::Client, &[std::io::IoSlice::new(out.front())]) {
            Ok(count) => out.advance(count),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
