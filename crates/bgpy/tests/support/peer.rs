//! Peers that shake hands as they should and then send what they like.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use bgpy::{Token, Value};
use bgpy_proto::framing::Framing;
use bgpy_proto::handshake::{ClientHandshake, Step, Suite};
use bgpy_proto::{ClientHello, ClientSession, Frame, Kind, Outbox, Psk};

use super::{LIMIT, Running, payload};

pub const INIT: u8 = 0x01;
pub const EXEC: u8 = 0x02;
pub const EXIT: u8 = 0x03;
pub const CANCEL: u8 = 0x04;
pub const PING: u8 = 0x05;
pub const STATUS: u8 = 0x06;
pub const LOG: u8 = 0x08;

pub const ACK: u8 = 0;
pub const FIRST: u8 = 1;
pub const ALL: u8 = 2;

pub fn shake_hands(
    stream: &mut (impl Read + Write),
    suite: Suite,
    psk: &Psk,
) -> io::Result<ClientSession> {
    let (session, confirmation) = shake_hands_but_confirm(stream, suite, psk)?;
    stream.write_all(&confirmation)?;
    Ok(session)
}

/// Shakes hands up to the last message, which is returned instead of being sent.
pub fn shake_hands_but_confirm(
    stream: &mut (impl Read + Write),
    suite: Suite,
    psk: &Psk,
) -> io::Result<(ClientSession, Vec<u8>)> {
    let mut out = Outbox::default();
    let mut handshake = ClientHandshake::start(suite, psk, &ClientHello::default(), &mut out);
    stream.write_all(out.front())?;
    out.advance(out.len());
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match handshake.feed(&buffer[..count], &mut out).map_err(io::Error::other)? {
            Step::More(more) => handshake = more,
            Step::Done(session) => return Ok((session, out.front().to_vec())),
        }
    }
}

/// A peer on TCP, where whatever is sent has to be sealed.
pub fn sealed(server: &Running, suite: Suite) -> (TcpStream, ClientSession) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.address.port)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    let session = shake_hands(&mut stream, suite, &server.token.psk()).unwrap();
    (stream, session)
}

/// A peer on the Unix socket, where frames are not sealed, so that any bytes can follow the
/// handshake.
pub struct Peer {
    pub stream: UnixStream,
    framing: Framing,
    frames: VecDeque<Frame>,
}

impl Peer {
    pub fn new(server: &Running) -> Self {
        Self::connect(&server.socket, &server.token)
    }

    pub fn connect(socket: &Path, token: &Token) -> Self {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        shake_hands(&mut stream, Suite::Clear, &token.psk()).unwrap();
        Self { stream, framing: Framing::new(u64::MAX), frames: VecDeque::new() }
    }

    /// The same connection, to be read on another thread.
    pub fn reader(&self) -> Self {
        let stream = self.stream.try_clone().unwrap();
        Self { stream, framing: Framing::new(u64::MAX), frames: VecDeque::new() }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next frame; none at the end of the connection.
    pub fn receive(&mut self) -> Option<Frame> {
        let mut buffer = vec![0; 64 << 10];
        while self.frames.is_empty() {
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.framing.feed(&buffer[..count], &mut self.frames).unwrap(),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("neither a frame nor an end: {error}"),
            }
        }
        self.frames.pop_front()
    }

    /// The next frame, which has to be this one. Calls that wait may be acked before any is answered:
    /// that depends on who happens to poll.
    pub fn expect(&mut self, kind: Kind, call: u64) -> Frame {
        let mut frame = self.receive().expect("the connection lives");
        while frame.kind == Kind::Ack && kind != Kind::Ack {
            frame = self.receive().expect("the connection lives");
        }
        assert_eq!((frame.kind, frame.call), (kind, call));
        frame
    }

    /// Whether the server ends the connection, whatever it sends before.
    pub fn is_ended(&mut self) -> bool {
        while self.receive().is_some() {}
        true
    }
}

/// A frame of any make.
pub fn frame(kind: u8, flags: u8, buffers: u16, call: u64, length: u64) -> Vec<u8> {
    let mut bytes = vec![kind, flags];
    bytes.extend(buffers.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(call.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes
}

pub fn exec(want: u8, call: u64, argument: impl Into<Value>) -> Vec<u8> {
    let data = payload(argument).data;
    let mut bytes = frame(EXEC, want, 0, call, data.len() as u64);
    bytes.extend(data);
    bytes
}

pub fn ping(call: u64) -> Vec<u8> {
    frame(PING, 0, 0, call, 0)
}
