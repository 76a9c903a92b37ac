//! A server that hostile peers attack, and those who watch that others notice nothing.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::{Running, Witness, call, limit, payload, until};
use bgpy::{Client, ClientOptions, Executor, Service, State, Value};
use bgpy_proto::{Failure, Frame};
use socket2::SockRef;

/// A list of a number answers with so many bytes, a tuple of one fails with so long a text, and a
/// text waits to be released. Anything else comes back.
pub fn tasks(held: std::sync::mpsc::Receiver<()>) -> impl Executor {
    let size = |items: &[Value]| items[0].as_u64().unwrap() as usize;
    Service::new(
        |_| Ok(()),
        move |(), value| match value {
            Value::List(items) => Ok(Some(Value::Bytes(vec![7; size(&items)]))),
            Value::Tuple(items) => Err("x".repeat(size(&items))),
            Value::Str(text) => {
                // Nobody holds any more when the test is over.
                let _ = held.recv();
                Ok(Some(Value::Str(text)))
            }
            value => Ok(Some(value)),
        },
    )
}

pub fn server() -> Running {
    let server = Running::start(tasks);
    assert!(server.client().initialize(payload(Value::Nil), &limit()).unwrap());
    server
}

/// Calls over one connection, and over a new one now and then.
pub fn caller(server: &Running) -> Witness {
    let (mut client, address, token) =
        (server.client(), server.address.clone(), server.token.clone());
    Witness::new(move |round| {
        if round % 32 == 0 {
            let options = ClientOptions { token: Some(token.clone()), ..Default::default() };
            client = Client::new(address.clone(), options);
        }
        assert_eq!(call(&client, round).unwrap(), Value::from(round));
    })
}

/// Asks for the status, which needs no turn of the tasks.
pub fn onlooker(server: &Running) -> Witness {
    let client = server.client();
    Witness::new(move |_| assert!(client.status(&limit()).unwrap().clients > 0))
}

/// Nobody is connected any more but the client that looks, and calls are answered.
pub fn is_as_before(server: &Running) {
    let client = server.client();
    until(&client, "alone", |status| status.clients == 1);
    assert_eq!(call(&client, 1_u64).unwrap(), Value::Int(1));
}

/// Closes a connection with a reset.
pub fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

pub fn list(size: u64) -> Value {
    Value::List(vec![Value::from(size)])
}

pub fn failure(frame: &Frame) -> Failure {
    Failure::decode(&frame.payload.data).unwrap()
}

/// Small, reproducible randomness (xorshift64*).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Holds the executing thread with a task; it goes on when the server is told to release it.
pub fn occupy(server: &Running) -> thread::JoinHandle<()> {
    let client = server.client();
    let waiting = thread::spawn(move || assert_eq!(call(&client, "held").unwrap(), "held".into()));
    until(&server.client(), "busy", |status| status.state == State::Busy);
    waiting
}
