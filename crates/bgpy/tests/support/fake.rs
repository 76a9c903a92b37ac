//! Servers that hold the token and break any other rule.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bgpy::address::Address;
use bgpy::{Client, ClientOptions, Token};
use bgpy_proto::handshake::{ServerHandshake, Step};
use bgpy_proto::{Outbox, Replays, Request, ServerHello, ServerSession};

use super::LIMIT;

/// A server that treats its connections, one after the other, as it is told.
pub struct Fake {
    pub address: Address,
    token: Token,
    pub thread: JoinHandle<()>,
}

/// The server's side of a connection.
pub struct Host {
    pub stream: TcpStream,
    pub session: ServerSession,
}

impl Fake {
    /// `treat` is called with each connection and its number, until it says that it was the last.
    pub fn raw(mut treat: impl FnMut(TcpStream, &Token, usize) -> bool + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
        let token = Token::generate(32);
        let known = token.clone();
        let thread = thread::spawn(move || {
            for number in 0.. {
                let stream = listener.accept().unwrap().0;
                stream.set_read_timeout(Some(LIMIT)).unwrap();
                if treat(stream, &known, number) {
                    break;
                }
            }
        });
        Self { address, token, thread }
    }

    /// As `raw`, after the handshake and the first request.
    pub fn shaken(mut treat: impl FnMut(Host, Request) + Send + 'static) -> Self {
        Self::raw(move |stream, token, _| {
            let mut host = Host::new(stream, token);
            let request = host.request().expect("a request");
            treat(host, request);
            true
        })
    }

    pub fn client(&self) -> Client {
        let options = ClientOptions { token: Some(self.token.clone()), ..ClientOptions::default() };
        Client::new(self.address.clone(), options)
    }
}

impl Host {
    pub fn new(mut stream: TcpStream, token: &Token) -> Self {
        let mut handshake = ServerHandshake::new(token.psk(), ServerHello::default(), false);
        let mut out = Outbox::default();
        loop {
            let mut buffer = [0; 4096];
            let count = stream.read(&mut buffer).unwrap();
            assert_ne!(count, 0, "the client left");
            match handshake.feed(&buffer[..count], &mut out, &mut Replays::default()).unwrap() {
                Step::Done(session) => return Self { stream, session },
                Step::More(more) => handshake = more,
            }
            while !out.is_empty() {
                let count = stream.write(out.front()).unwrap();
                out.advance(count);
            }
        }
    }

    /// The next request; none when the client has left.
    pub fn request(&mut self) -> Option<Request> {
        loop {
            if let Some(request) = self.session.poll() {
                return Some(request);
            }
            let mut buffer = [0; 64 << 10];
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.session.feed(&buffer[..count]).unwrap(),
            }
            self.flush();
        }
    }

    /// What waits to be sent; sends nothing.
    pub fn take(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !self.session.outbox.is_empty() {
            let front = self.session.outbox.front().to_vec();
            self.session.outbox.advance(front.len());
            bytes.extend(front);
        }
        bytes
    }

    pub fn flush(&mut self) {
        let bytes = self.take();
        // The client may have left.
        let _ = self.stream.write_all(&bytes);
    }

    /// Waits until the client has left.
    pub fn note_gone(mut self) {
        while self.request().is_some() {}
    }
}

pub fn id_of(request: &Request) -> u64 {
    match request {
        Request::Call { id, .. }
        | Request::Cancel { id, .. }
        | Request::Credit { id }
        | Request::CallbackReply { id, .. }
        | Request::Abort { id, .. }
        | Request::Jobs { id, .. }
        | Request::Status { id }
        | Request::Methods { id }
        | Request::Log { id, .. }
        | Request::Debug { id, .. } => *id,
    }
}

/// Each limit of time is generous here: what matters is that there is one.
pub fn in_time<T>(act: impl FnOnce() -> T) -> T {
    let since = Instant::now();
    let result = act();
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    result
}
