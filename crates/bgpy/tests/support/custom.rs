//! An executor of closures.

use std::sync::mpsc::{Receiver, Sender};
use std::thread;

use super::{Running, call, until};
use bgpy::address::Address;
use bgpy::registry::Registry;
use bgpy::{
    CallError, Delivered, Executor, Failure, FailureCode, Pace, Reply, ServerOptions, Token, Value,
};

pub type Exec = dyn FnMut(Value, &Reply) -> Result<(), Failure>;

pub type Exit = dyn FnMut(Option<Value>, &Reply) -> Result<(), Failure>;

/// An executor of closures that writes down its exits.
pub struct Custom {
    pub start: Result<bool, Failure>,
    pub exec: Box<Exec>,
    pub exit: Box<Exit>,
}

impl Custom {
    pub fn new(exec: impl FnMut(Value, &Reply) -> Result<(), Failure> + 'static) -> Self {
        Self { start: Ok(true), exec: Box::new(exec), exit: Box::new(|_, _| Ok(())) }
    }

    pub fn exit(
        mut self,
        exit: impl FnMut(Option<Value>, &Reply) -> Result<(), Failure> + 'static,
    ) -> Self {
        self.exit = Box::new(exit);
        self
    }

    /// Sends what each exit was called with.
    pub fn telling_exits(self, exits: Sender<Option<Value>>) -> Self {
        self.exit(move |value, _| {
            exits.send(value).unwrap();
            Ok(())
        })
    }
}

impl Executor for Custom {
    fn start(&mut self) -> Result<bool, Failure> {
        self.start.clone()
    }

    fn init(&mut self, _message: Delivered, _reply: &Reply) -> Result<(), Failure> {
        Ok(())
    }

    fn exec(&mut self, message: Delivered, reply: &Reply) -> Result<Pace, Failure> {
        (self.exec)(message.value().unwrap(), reply).map(|()| Pace::Over)
    }

    fn exit(&mut self, message: Option<Delivered>, reply: &Reply) -> Result<(), Failure> {
        (self.exit)(message.map(|message| message.value().unwrap()), reply)
    }
}

pub fn failed(text: &str) -> Failure {
    Failure::new(FailureCode::Task, text)
}

/// Answers what it is sent; a text waits before, until it is released.
pub fn echo(held: Receiver<()>) -> Custom {
    Custom::new(move |value, reply| {
        if matches!(value, Value::Str(_)) {
            let _ = held.recv();
        }
        let sent = reply.respond(value.encode().unwrap().into(), false);
        sent.map(drop).map_err(|error| failed(&error.to_string()))
    })
}

/// Options that leave nothing outside the directory and take nothing from the user's.
pub fn options(registry: Option<&Registry>) -> ServerOptions {
    ServerOptions {
        token: Some(Token::generate(32)),
        registry: registry.cloned(),
        ..ServerOptions::default()
    }
}

pub fn loopback(port: u16) -> Address {
    Address::new("127.0.0.1", port)
}

/// A call on a thread of its own.
pub fn calling(
    server: &Running,
    value: impl Into<Value>,
) -> thread::JoinHandle<Result<Value, CallError>> {
    let (client, value) = (server.client(), value.into());
    thread::spawn(move || call(&client, value))
}

/// A call that runs until it is released.
pub fn occupy(server: &Running) -> thread::JoinHandle<Result<Value, CallError>> {
    let waiting = calling(server, "held");
    until(&server.client(), "busy", |status| status.busy_s.is_some());
    waiting
}

pub fn code(result: Result<Value, CallError>) -> FailureCode {
    match result.unwrap_err() {
        CallError::Failed { failure, .. } => failure.code,
        error => panic!("{error}"),
    }
}

/// The files of a registry, but for what is remembered of servers that have ended.
pub fn left_behind(registry: &Registry) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(registry.directory()) else { return Vec::new() };
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "ended").collect()
}
