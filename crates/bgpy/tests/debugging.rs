//! Debug requests: a thread of their own answers them, whoever waits for the answer.

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bgpy::address::Address;
use bgpy::server::{Debugger, Running as Task};
use bgpy::{
    CallError, Client, ClientOptions, DebugReply, DebugRequest, Delivered, Executor, Failure, Pace,
    Reply, Service, Token, Value, Wait,
};

use bgpy_proto::handshake::{ServerHandshake, Step};
use bgpy_proto::{Outbox, Replays, ServerHello};

use support::{LIMIT, Running, limit};

/// Tells that it was asked, and answers once it is told to.
struct Slow {
    asked: SyncSender<DebugRequest>,
    answers: Mutex<Receiver<DebugReply>>,
}

impl Debugger for Slow {
    fn answer(&self, request: DebugRequest, _running: Option<Task>, most: usize) -> DebugReply {
        assert_eq!(most, 256 << 10);
        self.asked.send(request).unwrap();
        self.answers.lock().unwrap().recv().unwrap_or_else(|_| DebugReply::refused("over"))
    }
}

struct Debugged(Arc<Slow>);

impl Executor for Debugged {
    fn init(&mut self, _message: Delivered, _reply: &Reply) -> Result<(), Failure> {
        Ok(())
    }

    fn exec(&mut self, _message: Delivered, _reply: &Reply) -> Result<Pace, Failure> {
        Ok(Pace::Over)
    }

    fn exit(&mut self, _message: Option<Delivered>, _reply: &Reply) -> Result<(), Failure> {
        Ok(())
    }

    fn debugger(&mut self) -> Option<Arc<dyn Debugger>> {
        Some(self.0.clone())
    }
}

fn slow() -> (Running, Receiver<DebugRequest>, SyncSender<DebugReply>) {
    let ((asked, requests), (answer, answers)) = (sync_channel(100), sync_channel(100));
    let debugger = Arc::new(Slow { asked, answers: Mutex::new(answers) });
    (Running::start(move |_| Debugged(debugger)), requests, answer)
}

fn refusal(outcome: Result<DebugReply, CallError>) -> String {
    match outcome {
        Err(CallError::Failed { failure, .. }) => failure.message,
        outcome => panic!("not refused: {outcome:?}"),
    }
}

#[test]
fn the_server_goes_on_while_its_debugger_takes_its_time() {
    let (server, requests, answer) = slow();
    let client = server.client();
    let link = client.link(&limit()).unwrap();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| link.debug(&DebugRequest::Stacks, &limit()));
        assert_eq!(requests.recv_timeout(LIMIT), Ok(DebugRequest::Stacks));
        // Another request on the same connection is answered meanwhile.
        link.ping(&limit()).unwrap();
        link.status(&limit()).unwrap();
        answer.send(DebugReply::Stacks { stacks: "main".into() }).unwrap();
        let reply = asking.join().unwrap().unwrap();
        assert_eq!(reply, DebugReply::Stacks { stacks: "main".into() });
    });
}

#[test]
fn a_reply_to_a_client_that_has_gone_goes_to_nobody() {
    let (server, requests, answer) = slow();
    let gone = server.client();
    let short = Wait::new(Some(Duration::from_millis(50)), &|| false);
    let outcome = gone.debug(&DebugRequest::Open { prompt: true }, &short);
    assert!(matches!(outcome, Err(CallError::Timeout { .. })), "{outcome:?}");
    requests.recv_timeout(LIMIT).unwrap();
    drop(gone);
    answer.send(DebugReply::Done { done: true }).unwrap();
    let next = server.client();
    answer.send(DebugReply::Stacks { stacks: "next".into() }).unwrap();
    let reply = next.debug(&DebugRequest::Stacks, &limit()).unwrap();
    assert_eq!(reply, DebugReply::Stacks { stacks: "next".into() });
}

#[test]
fn too_many_requests_are_refused_at_once() {
    let (server, requests, answer) = slow();
    let client = server.client();
    let link = client.link(&limit()).unwrap();
    std::thread::scope(|scope| {
        let asking: Vec<_> =
            (0..70).map(|_| scope.spawn(|| link.debug(&DebugRequest::Stacks, &limit()))).collect();
        requests.recv_timeout(LIMIT).unwrap();
        while asking.iter().filter(|asking| asking.is_finished()).count() < 5 {
            std::thread::yield_now();
        }
        for _ in 0..65 {
            answer.send(DebugReply::Done { done: true }).unwrap();
        }
        let outcomes = asking.into_iter().map(|asking| asking.join().unwrap());
        let (done, refused): (Vec<_>, Vec<_>) = outcomes.partition(Result::is_ok);
        assert_eq!((done.len(), refused.len()), (65, 5));
        for outcome in refused {
            assert!(refusal(outcome).contains("64 debug requests wait already"));
        }
    });
}

#[test]
fn a_server_without_an_interpreter_refuses() {
    let exec = |_: Value| -> Result<Option<Value>, String> { Ok(None) };
    let server = Running::start(move |_| Service::new(|_| Ok(()), move |(), value| exec(value)));
    let outcome = server.client().debug(&DebugRequest::Stacks, &limit());
    assert!(refusal(outcome).contains("does not run Python"));
}

#[test]
fn a_server_of_an_older_version_is_not_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::new("127.0.0.1", listener.local_addr().unwrap().port());
    let token = Token::generate(32);
    let psk = token.psk();
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let hello = ServerHello { bgpy: "1.0.0".into(), debug: false, ..ServerHello::default() };
        let mut handshake = ServerHandshake::new(psk, hello, false);
        let (mut out, mut buffer) = (Outbox::default(), [0; 4096]);
        loop {
            let count = stream.read(&mut buffer).unwrap();
            match handshake.feed(&buffer[..count], &mut out, &mut Replays::default()).unwrap() {
                Step::Done(_) => break,
                Step::More(more) => handshake = more,
            }
            while !out.is_empty() {
                let count = stream.write(out.front()).unwrap();
                out.advance(count);
            }
        }
        // Nothing comes but the end.
        assert_eq!(stream.read(&mut buffer).unwrap(), 0);
    });
    let client = Client::new(address, ClientOptions { token: Some(token), ..Default::default() });
    let outcome = client.debug(&DebugRequest::Stacks, &limit());
    let Err(error @ CallError::CannotDebug { .. }) = outcome else { panic!("{outcome:?}") };
    assert!(error.to_string().contains("bgpy 1.0.0 on 127.0.0.1"), "{error}");
    client.close();
    server.join().unwrap();
}
