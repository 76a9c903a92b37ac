//! One accepted connection: its socket, and its handshake or session.

use std::collections::TryReserveError;
use std::io::{self, IoSlice, Read};
use std::time::{Duration, Instant};

use bgpy_proto::handshake::{ServerHandshake, Step};
use bgpy_proto::{Outbox, ProtocolError, Replays, ServerSession, limits};
use mio::{Interest, Registry as PollRegistry, Token as PollToken};
use socket2::{SockRef, Socket};

use super::dead_peers::Traffic;
use crate::clock;
use crate::memory::segments::Segments;
use crate::memory::{self, reclaim};
use crate::platform::{self, Private, Undelivered};
#[cfg(test)]
use crate::simulation::wire::{End, ServerEnd};
use crate::transport::Stream;
use crate::transport::listen::prepare;

/// Bytes written to one connection before the others get their turn.
const WRITE_TURN_BYTES: usize = 1 << 20;

/// Most bytes of a large message taken by one read.
const PLACED_BYTES: usize = 256 << 10;

pub(crate) struct Connection {
    stream: Private<Stream>,
    token: PollToken,
    stage: Stage,
    /// For a Unix socket both of whose ends can map them.
    pub(crate) segments: Option<Segments>,
    /// Output of the handshake; a session has its own.
    outbox: Outbox,
    /// Size of the largest message queued since the outbox was last empty.
    largest: u64,
    /// Whether the poller reports when the socket becomes writable.
    waits_to_write: bool,
    /// Whether the executing thread itself waits for the socket, so that no other thread has to.
    is_awaited: bool,
    /// Whether the peer has closed its side. The poller reports that once, perhaps together with
    /// the last bytes; from then on only EOF ends reading.
    ends: bool,
    traffic: Traffic,
    /// When a response of a stream was last written at once.
    pub(crate) written: Instant,
    /// Why its calls are refused, if they are.
    pub(crate) overloaded: Option<String>,
    /// Name for the log.
    pub(crate) peer: String,
}

enum Stage {
    Handshake(Box<ServerHandshake>),
    Session(Box<ServerSession>),
    /// A refused handshake.
    Over,
}

/// The result of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Bytes arrived, and more may be waiting.
    More,
    /// Bytes arrived, and the socket is empty.
    Emptied,
    /// The socket was empty.
    Nothing,
}

/// Why a connection is over.
#[derive(Debug)]
pub(crate) enum Over {
    Closed,
    Io(io::Error),
    Protocol(ProtocolError),
}

impl Connection {
    pub(crate) fn new(
        mut stream: Private<Stream>,
        token: PollToken,
        peer: String,
        handshake: ServerHandshake,
        registry: &PollRegistry,
    ) -> io::Result<Self> {
        // Register for writability only while output is queued: a Unix socket reports each read of
        // its peer otherwise, which costs one more wake-up per call.
        registry.register(stream.source(), token, Interest::READABLE)?;
        Ok(Self {
            stream,
            token,
            stage: Stage::Handshake(Box::new(handshake)),
            segments: None,
            outbox: Outbox::default(),
            largest: 0,
            waits_to_write: false,
            is_awaited: false,
            ends: false,
            traffic: Traffic::default(),
            written: clock::now(),
            overloaded: None,
            peer,
        })
    }

    pub(crate) fn session(&mut self) -> Option<&mut ServerSession> {
        match &mut self.stage {
            Stage::Session(session) => Some(session),
            _ => None,
        }
    }

    pub(crate) fn is_session(&self) -> bool {
        matches!(self.stage, Stage::Session(_))
    }

    /// Has the system find out whether the client still exists, once it has proven the token.
    pub(crate) fn enable_keepalive(&self) {
        if let Stream::Tcp(stream) = &*self.stream {
            // If the peer is gone, the next read shows it.
            drop(prepare(stream));
        }
    }

    /// Whether the first message was answered and the proof of the token is awaited.
    pub(crate) fn has_answered_handshake(&self) -> bool {
        matches!(&self.stage, Stage::Handshake(handshake) if handshake.has_answered())
    }

    /// Bytes that the peer has not read yet.
    pub(crate) fn backlog(&self) -> usize {
        match &self.stage {
            Stage::Session(session) => session.outbox.len(),
            _ => self.outbox.len(),
        }
    }

    /// Whether everything queued has been written, as after most reads.
    pub(crate) fn is_flushed(&self) -> bool {
        self.backlog() == 0 && self.outbox.is_empty() && !self.waits_to_write
    }

    /// Notes that a message is about to be queued. A thread that sends memory it does not own waits
    /// for the socket until that is written or copied.
    pub(crate) fn expect_message(&mut self, bytes: u64) {
        self.largest = self.largest.max(bytes);
        self.is_awaited = self.session().is_some_and(|session| session.outbox.is_shared());
    }

    /// Like [`expect_message`](Self::expect_message), for one whose memory nobody changes, so that it is written like
    /// any other.
    pub(crate) fn expect_constant(&mut self, bytes: u64) {
        self.largest = self.largest.max(bytes);
    }

    /// Whether more is queued than a peer that reads its answers leaves unread. A single message
    /// may be of any size.
    pub(crate) fn is_stuck(&self) -> bool {
        self.owed() > limits::OUTBOX_BYTES_MAX as u64 + self.largest
    }

    /// Whether so much is unread that no more requests are taken. What streams have sent ahead is bounded by
    /// their windows, and their readers must be able to say that they have read it.
    pub(crate) fn is_paused(&self) -> bool {
        self.owed() > limits::OUTBOX_PAUSE_BYTES as u64
    }

    /// Bytes that the peer has not read yet, other than of open streams.
    fn owed(&self) -> u64 {
        let ahead = match &self.stage {
            Stage::Session(session) => session.ahead(),
            _ => 0,
        };
        (self.backlog() as u64).saturating_sub(ahead)
    }

    /// Notes that EOF follows the bytes in the socket.
    pub(crate) fn expect_end(&mut self) {
        self.ends = true;
    }

    /// Reads once and processes the bytes.
    pub(crate) fn read(
        &mut self,
        scratch: &mut [u8],
        replays: &mut Replays,
    ) -> Result<Progress, Over> {
        if let Some(count) = self.read_placed() {
            return match count {
                Ok(0) => Err(Over::Closed),
                Ok(_) => {
                    self.traffic.heard = true;
                    self.feed(&[], replays).map(|()| Progress::More).map_err(Over::Protocol)
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Progress::Nothing),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Progress::More),
                Err(error) => Err(Over::Io(error)),
            };
        }
        let (count, has_descriptor) = loop {
            match self.receive(scratch) {
                Ok((0, _)) => return Err(Over::Closed),
                Ok(received) => break received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Progress::Nothing);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Over::Io(error)),
            }
        };
        self.traffic.heard = true;
        self.feed(&scratch[..count], replays).map_err(Over::Protocol)?;
        // A read stops after a descriptor, whatever follows it.
        let is_short = count < scratch.len() && !has_descriptor;
        let emptied = platform::SHORT_READ_EMPTIES && is_short && !self.ends;
        Ok(if emptied { Progress::Emptied } else { Progress::More })
    }

    /// Reads bytes, and whether a descriptor came with them.
    fn receive(&mut self, scratch: &mut [u8]) -> io::Result<(usize, bool)> {
        match (&*self.stream, &self.segments) {
            (Stream::Unix(stream), Some(segments)) => segments.recv(stream, scratch, true),
            _ => Ok((self.stream.read(scratch)?, false)),
        }
    }

    /// Reads the next bytes of a large message that is under way directly into its buffer.
    fn read_placed(&mut self) -> Option<io::Result<usize>> {
        let Stage::Session(session) = &mut self.stage else { return None };
        let (part, missing) = session.place()?;
        let most = missing.min(PLACED_BYTES);
        Some(match &*self.stream {
            Stream::Tcp(stream) => platform::read_end(stream, part, most),
            Stream::Unix(stream) => platform::read_end(stream, part, most),
            #[cfg(test)]
            Stream::Simulated(ServerEnd(wire)) => wire.read_end(End::Server, part, most),
        })
    }

    fn feed(&mut self, bytes: &[u8], replays: &mut Replays) -> Result<(), ProtocolError> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Session(mut session) => {
                let result = session.feed(bytes);
                self.stage = Stage::Session(session);
                result
            }
            Stage::Handshake(handshake) => {
                self.stage = match handshake.feed(bytes, &mut self.outbox, replays)? {
                    Step::More(handshake) => Stage::Handshake(Box::new(handshake)),
                    Step::Done(mut session) => {
                        let may_map = self.stream.is_unix() && self.overloaded.is_none();
                        if may_map && session.client().segments {
                            self.segments = Segments::new();
                        }
                        session.supply_with(match &self.segments {
                            Some(segments) => segments.supply(),
                            None => Box::new(memory::Own),
                        });
                        Stage::Session(Box::new(session))
                    }
                };
                Ok(())
            }
            Stage::Over => Ok(()),
        }
    }

    /// Writes what the socket accepts, for one turn, and registers for writability if output is
    /// left. `true` if the socket may accept more at once and no other thread writes it.
    pub(crate) fn flush(&mut self, registry: &PollRegistry) -> Result<bool, Over> {
        let mut left = WRITE_TURN_BYTES;
        let blocked = loop {
            if left == 0 {
                return Ok(!self.is_awaited);
            }
            // The rest of the handshake precedes the session's frames.
            let outbox = match &mut self.stage {
                Stage::Session(session) if self.outbox.is_empty() => &mut session.outbox,
                _ => &mut self.outbox,
            };
            if outbox.is_empty() {
                self.trim();
                self.largest = 0;
                break false;
            }
            let offer = self.segments.as_ref().zip(outbox.attached());
            let sent = if let Some((segments, segment)) = offer {
                self.stream.send_offer(outbox.front(), segment, segments)
            } else if outbox.is_single() {
                self.stream.send(&[IoSlice::new(outbox.front())])
            } else {
                self.stream.send(&outbox.slices())
            };
            match sent {
                Ok(count) => {
                    outbox.advance(count);
                    self.traffic.sent = true;
                    left = left.saturating_sub(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Over::Io(error)),
            }
        };
        let blocked = blocked && !self.is_awaited;
        if blocked != self.waits_to_write {
            self.waits_to_write = blocked;
            let interest =
                if blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            registry.reregister(self.stream.source(), self.token, interest).map_err(Over::Io)?;
        }
        Ok(false)
    }

    /// Drops what the peer will never read; `false` if it is no session, or has nothing queued.
    pub(crate) fn abandon_output(&mut self) -> bool {
        let Some(session) = self.session().filter(|session| !session.outbox.is_empty()) else {
            return false;
        };
        session.outbox.clear();
        self.largest = 0;
        true
    }

    /// Tells the client that its later requests have not run, if it can be told at once.
    pub(crate) fn say_goodbye(&mut self, registry: &PollRegistry) {
        if let Some(session) = self.session() {
            session.say_goodbye();
            drop(self.flush(registry));
        }
    }

    /// A duplicate of the socket to wait on, if memory owned by a task is still to be written.
    pub(crate) fn awaited(&mut self) -> Option<Private<Socket>> {
        let is_shared = self.session()?.outbox.is_shared();
        is_shared.then(|| Private::open(|| self.stream.try_clone()).ok())?
    }

    /// Copies a piece of queued output whose memory belongs to a task; `false` if there is none.
    pub(crate) fn own_some(&mut self) -> Result<bool, TryReserveError> {
        let Some(session) = self.session() else { return Ok(false) };
        let owned = session.outbox.own_some()?;
        self.is_awaited = session.outbox.is_shared();
        Ok(owned)
    }

    /// State of unacknowledged data sent to a TCP client; `None` if the client has sent
    /// something since the last query.
    pub(crate) fn undelivered(&mut self) -> Option<Undelivered> {
        let Stream::Tcp(stream) = &*self.stream else { return None };
        let has_been_heard = std::mem::take(&mut self.traffic.heard);
        if has_been_heard || !self.traffic.sent || !self.is_session() {
            return None;
        }
        let undelivered = platform::undelivered(stream).ok().flatten();
        // Data queued here goes to the system as soon as that has room.
        self.traffic.sent = undelivered.is_some();
        undelivered
    }

    /// Whether bytes have arrived that are not read yet.
    pub(crate) fn has_unread(&self) -> bool {
        platform::is_called(&*self.stream)
    }

    /// Makes the system discard undelivered data at close instead of retransmitting it. The peer
    /// sees a reset instead of EOF.
    pub(crate) fn discard_unsent(&self) {
        if let Stream::Tcp(stream) = &*self.stream {
            drop(SockRef::from(stream).set_linger(Some(Duration::ZERO)));
        }
    }

    /// Makes the allocator return the memory of copies of a large message.
    pub(crate) fn trim(&self) {
        if self.largest >= memory::HUGE_BYTES as u64 {
            reclaim::trim_soon();
        }
    }

    pub(crate) fn deregister(&mut self, registry: &PollRegistry) {
        // Closing the socket deregisters it as well.
        drop(registry.deregister(self.stream.source()));
    }
}
