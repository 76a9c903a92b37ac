//! A connection without sockets: bytes under way, and their fate.
//!
//! Written bytes are under way until they are delivered, in pieces of any size. Each end has
//! limited room for unread bytes, and an edge-triggered poller that reports once that there is
//! something to read or room to write.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard};

use mio::event::Source;
use mio::{Interest, Registry as PollRegistry, Token as PollToken};

use crate::sync::lock;

/// Bytes that one direction accepts before they are read.
const ROOM: usize = 200 << 10;

/// A substitute for a descriptor: a number that no process opens.
pub(crate) const NO_DESCRIPTOR: i32 = i32::MAX;

/// An end of a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Client,
    Server,
}

impl End {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A handle to one connection.
#[derive(Debug, Clone)]
pub(crate) struct Wire(Arc<Mutex<State>>);

/// The accept queue of a listener.
#[derive(Debug, Clone, Default)]
pub(crate) struct Queue(Arc<Mutex<VecDeque<Wire>>>);

#[derive(Debug)]
struct State {
    /// Whether it is the Unix socket of the server's own user.
    is_own: bool,
    /// To the client, and to the server.
    ways: [Way; 2],
    /// The token under which the server's poller watches it, and whether for writability as well.
    watched: Option<(usize, bool)>,
    /// Which ends have closed it.
    closed: [bool; 2],
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    sent: VecDeque<u8>,
    arrived: VecDeque<u8>,
    /// Whether its writer has closed, and whether its reader knows.
    is_closed: bool,
    has_ended: bool,
    /// Whether the connection was reset.
    is_cut: bool,
    /// Whether nothing moves at the moment.
    is_stalled: bool,
    /// Most bytes that the next writes accept.
    most: usize,
    /// Events that the reader's poller, and the writer's, have not reported yet.
    is_news: bool,
    has_room: bool,
    was_full: bool,
}

impl Way {
    fn room(&self) -> usize {
        ROOM.saturating_sub(self.sent.len() + self.arrived.len())
    }
}

impl Wire {
    pub(crate) fn new(is_own: bool) -> Self {
        let way = || Way { most: usize::MAX, ..Way::default() };
        let (ways, closed) = ([way(), way()], [false; 2]);
        Self(Arc::new(Mutex::new(State { is_own, ways, watched: None, closed })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    pub(crate) fn is_own(&self) -> bool {
        self.state().is_own
    }

    /// Writes what fits, as one end.
    pub(crate) fn write(&self, end: End, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.state();
        let way = &mut state.ways[end.other() as usize];
        if way.is_cut || way.is_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut left = way.room().min(way.most.max(1));
        if left == 0 {
            way.was_full = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let before = left;
        for slice in slices {
            let take = slice.len().min(left);
            way.sent.extend(&slice[..take]);
            left -= take;
        }
        Ok(before - left)
    }

    /// Reads what has arrived, as one end.
    pub(crate) fn read(&self, end: End, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        let way = &mut state.ways[end as usize];
        if way.is_cut {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if way.arrived.is_empty() {
            return if way.has_ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let take = buffer.len().min(way.arrived.len());
        for (byte, arrived) in buffer.iter_mut().zip(way.arrived.drain(..take)) {
            *byte = arrived;
        }
        way.has_room |= std::mem::take(&mut way.was_full);
        Ok(take)
    }

    /// Appends to a vector what has arrived.
    pub(crate) fn read_end(&self, end: End, bytes: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let mut piece = vec![0; most];
        let count = self.read(end, &mut piece)?;
        bytes.extend_from_slice(&piece[..count]);
        Ok(count)
    }

    /// Closes one end. What it has written still arrives.
    pub(crate) fn close(&self, end: End) {
        let mut state = self.state();
        state.closed[end as usize] = true;
        if end == End::Server {
            state.watched = None;
        }
        state.ways[end.other() as usize].is_closed = true;
        let unread = &mut state.ways[end as usize];
        unread.sent.clear();
        unread.arrived.clear();
        // A further write of the peer fails.
        unread.is_closed = true;
        unread.has_room = true;
    }

    /// Delivers up to `most` bytes to an end, or EOF.
    pub(crate) fn deliver(&self, end: End, most: usize) {
        let mut state = self.state();
        let way = &mut state.ways[end as usize];
        let take = most.min(way.sent.len());
        let moved: Vec<u8> = way.sent.drain(..take).collect();
        way.arrived.extend(moved);
        way.has_ended = way.is_closed && way.sent.is_empty();
        way.is_news = true;
    }

    /// Whether anything is under way to an end.
    pub(crate) fn is_under_way(&self, end: End) -> bool {
        let state = self.state();
        let way = &state.ways[end as usize];
        !way.is_stalled && !way.is_cut && (!way.sent.is_empty() || way.is_closed && !way.has_ended)
    }

    /// Resets the connection: what was under way is lost.
    pub(crate) fn cut(&self) {
        for way in &mut self.state().ways {
            *way = Way { is_cut: true, is_news: true, has_room: true, ..Way::default() };
        }
    }

    /// Stops both directions, or lets them continue.
    pub(crate) fn stall(&self, is_stalled: bool) {
        self.state().ways.iter_mut().for_each(|way| way.is_stalled = is_stalled);
    }

    /// Limits each write to an end to `most` bytes.
    pub(crate) fn narrow(&self, end: End, most: usize) {
        self.state().ways[end as usize].most = most;
    }

    /// The events of an end's poller: whether there is something to read, or EOF, and whether there
    /// is room to write.
    pub(crate) fn poll(&self, end: End) -> (bool, bool) {
        let mut state = self.state();
        let is_news = std::mem::take(&mut state.ways[end as usize].is_news);
        let has_room = std::mem::take(&mut state.ways[end.other() as usize].has_room);
        (is_news, has_room)
    }

    /// Whether an end's poller has an event.
    pub(crate) fn has_news(&self, end: End) -> bool {
        let state = self.state();
        let wants_room = end == End::Client || state.watched.is_some_and(|(_, room)| room);
        state.ways[end as usize].is_news || wants_room && state.ways[end.other() as usize].has_room
    }

    /// The token under which the server watches it, and whether for writability as well.
    pub(crate) fn watched(&self) -> Option<(usize, bool)> {
        self.state().watched
    }

    /// Whether EOF has arrived at an end, or the connection was reset.
    pub(crate) fn has_ended(&self, end: End) -> bool {
        let way = &self.state().ways[end as usize];
        way.has_ended || way.is_cut
    }

    /// Unread bytes sent to the server, as an eavesdropper would record them.
    pub(crate) fn recorded(&self) -> Vec<u8> {
        let state = self.state();
        let way = &state.ways[End::Server as usize];
        way.arrived.iter().chain(&way.sent).copied().collect()
    }

    /// Whether both ends have closed it.
    pub(crate) fn is_over(&self) -> bool {
        self.state().closed == [true; 2]
    }
}

impl Queue {
    pub(crate) fn push(&self, wire: Wire) {
        lock(&self.0).push_back(wire);
    }

    pub(crate) fn pop(&self) -> Option<Wire> {
        lock(&self.0).pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.0).len()
    }
}

/// Registration with a server's poller, which only records the token.
impl Source for Wire {
    fn register(
        &mut self,
        _: &PollRegistry,
        token: PollToken,
        interest: Interest,
    ) -> io::Result<()> {
        let mut state = self.state();
        state.watched = Some((token.0, interest.is_writable()));
        // A poller reports what is already there.
        state.ways[End::Server as usize].is_news = true;
        Ok(())
    }

    fn reregister(
        &mut self,
        _: &PollRegistry,
        token: PollToken,
        interest: Interest,
    ) -> io::Result<()> {
        let mut state = self.state();
        state.watched = Some((token.0, interest.is_writable()));
        state.ways[End::Server as usize].is_news = true;
        let room = state.ways[End::Client as usize].room() > 0;
        state.ways[End::Client as usize].has_room |= room;
        Ok(())
    }

    fn deregister(&mut self, _: &PollRegistry) -> io::Result<()> {
        self.state().watched = None;
        Ok(())
    }
}

/// The server's end, which closes when it is dropped, as a socket does.
#[derive(Debug)]
pub(crate) struct ServerEnd(pub(crate) Wire);

impl Drop for ServerEnd {
    fn drop(&mut self) {
        self.0.close(End::Server);
    }
}

/// The server's accept queue. Waiting connections outlive it if another holder keeps the listener.
#[derive(Debug)]
pub(crate) struct ServerQueue {
    pub(crate) queue: Queue,
    pub(crate) is_own: bool,
}

impl ServerQueue {
    pub(crate) fn accept(&self) -> io::Result<ServerEnd> {
        self.queue.pop().map(ServerEnd).ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}

impl Source for ServerQueue {
    fn register(&mut self, _: &PollRegistry, _: PollToken, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn reregister(&mut self, _: &PollRegistry, _: PollToken, _: Interest) -> io::Result<()> {
        Ok(())
    }

    fn deregister(&mut self, _: &PollRegistry) -> io::Result<()> {
        Ok(())
    }
}
