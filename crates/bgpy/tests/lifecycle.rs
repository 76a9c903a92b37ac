//! How servers begin and end, and what their calls are answered when they do.

mod support;

use std::net::{IpAddr, TcpListener};
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bgpy::address::Address;
use bgpy::registry::Registry;
use bgpy::{
    CallError, CallKind, Client, ClientOptions, ConnectError, Delivered, Ended, Executor, Failure,
    FailureCode, Payload, Reply, ServeError, Server, ServerOptions, Service, State, Token, Value,
    Wait, Want,
};
use support::{LIMIT, LONG, Running, call, limit, payload, until};

type Exec = dyn FnMut(Value, &Reply) -> Result<(), Failure>;
type Exit = dyn FnMut(Option<Value>, &Reply) -> Result<(), Failure>;

/// An executor of closures that writes down its exits.
struct Custom {
    start: Result<bool, Failure>,
    exec: Box<Exec>,
    exit: Box<Exit>,
}

impl Custom {
    fn new(exec: impl FnMut(Value, &Reply) -> Result<(), Failure> + 'static) -> Self {
        Self { start: Ok(true), exec: Box::new(exec), exit: Box::new(|_, _| Ok(())) }
    }

    fn exit(
        mut self,
        exit: impl FnMut(Option<Value>, &Reply) -> Result<(), Failure> + 'static,
    ) -> Self {
        self.exit = Box::new(exit);
        self
    }

    /// Sends what each exit was called with.
    fn telling_exits(self, exits: Sender<Option<Value>>) -> Self {
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

    fn exec(&mut self, message: Delivered, reply: &Reply) -> Result<(), Failure> {
        (self.exec)(message.value().unwrap(), reply)
    }

    fn exit(&mut self, message: Option<Delivered>, reply: &Reply) -> Result<(), Failure> {
        (self.exit)(message.map(|message| message.value().unwrap()), reply)
    }
}

fn failed(text: &str) -> Failure {
    Failure::new(FailureCode::Task, text)
}

/// Answers what it is sent; a text waits before, until it is released.
fn echo(held: Receiver<()>) -> Custom {
    Custom::new(move |value, reply| {
        if matches!(value, Value::Str(_)) {
            let _ = held.recv();
        }
        let sent = reply.respond(value.encode().unwrap().into(), false);
        sent.map(drop).map_err(|error| failed(&error.to_string()))
    })
}

/// Options that leave nothing outside the directory and take nothing from the user's.
fn options(registry: Option<&Registry>) -> ServerOptions {
    ServerOptions {
        token: Some(Token::generate(32)),
        registry: registry.cloned(),
        ..ServerOptions::default()
    }
}

fn loopback(port: u16) -> Address {
    Address::new("127.0.0.1", port)
}

/// A call on a thread of its own.
fn calling(
    server: &Running,
    value: impl Into<Value>,
) -> thread::JoinHandle<Result<Value, CallError>> {
    let (client, value) = (server.client(), value.into());
    thread::spawn(move || call(&client, value))
}

/// A call that runs until it is released.
fn occupy(server: &Running) -> thread::JoinHandle<Result<Value, CallError>> {
    let waiting = calling(server, "held");
    until(&server.client(), "busy", |status| status.busy_s.is_some());
    waiting
}

fn code(result: Result<Value, CallError>) -> FailureCode {
    match result.unwrap_err() {
        CallError::Failed { failure, .. } => failure.code,
        error => panic!("{error}"),
    }
}

/// The files of a registry, but for what is remembered of servers that have ended.
fn left_behind(registry: &Registry) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(registry.directory()) else { return Vec::new() };
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "ended").collect()
}

#[test]
fn port_0_takes_a_free_port_and_tells_it() {
    let first = Server::bind(&loopback(0), options(None)).unwrap();
    let second = Server::bind(&loopback(0), options(None)).unwrap();
    assert_ne!(first.address().port(), 0);
    assert_ne!(first.address().port(), second.address().port());
    assert_eq!(first.socket(), None);
}

#[test]
fn ipv6_is_served() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: no IPv6 here");
        return;
    }
    for host in ["::1", "[::1]"] {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::at(directory.path().join("run"));
        let options = options(Some(&registry));
        let token = options.token.clone();
        let server = Server::bind(&Address::new(host, 0), options).unwrap();
        let address = Address::new(host, server.address().port());
        assert!(server.address().is_ipv6());
        assert_eq!(registry.find(&address.resolve().unwrap()).unwrap().len(), 1);
        let thread = thread::spawn(move || server.run(&mut echo(mpsc::channel().1)));
        let client = Client::new(address, ClientOptions { token, ..ClientOptions::default() });
        assert_eq!(call(&client, 5_u64).unwrap(), Value::Int(5));
        client.terminate(payload(Value::Nil), &limit()).unwrap();
        assert!(matches!(thread.join().unwrap(), Ended::Orderly));
    }
}

#[test]
fn an_address_in_use_is_told_and_nothing_is_left_behind() {
    let directory = tempfile::tempdir().unwrap();
    let registry = Registry::at(directory.path().join("run"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = loopback(taken.local_addr().unwrap().port());
    let refused = Server::bind(&address, options(Some(&registry))).unwrap_err();
    assert!(
        matches!(&refused, ServeError::AddressInUse { address: told } if *told == address.to_string())
    );
    assert_eq!(refused.kind(), "address-in-use");
    assert_eq!(left_behind(&registry), [""; 0]);
    drop(taken);
    drop(Server::bind(&address, options(Some(&registry))).unwrap());
    // One that never ran leaves nothing either.
    assert_eq!(left_behind(&registry), [""; 0]);
    Server::bind(&address, options(None)).unwrap();
}

#[test]
fn an_address_in_use_is_told_whatever_the_name_of_the_host_stands_for() {
    let address = Address::new("localhost", 0);
    let running = Server::bind(&address, options(None)).unwrap();
    let again = Address::new("localhost", running.address().port());
    let refused = Server::bind(&again, options(None)).unwrap_err();
    assert!(matches!(refused, ServeError::AddressInUse { .. }), "{refused}");
}

#[test]
fn addresses_that_cannot_be_had_are_refused() {
    let elsewhere = Server::bind(&Address::new("192.0.2.1", 0), options(None)).unwrap_err();
    assert!(matches!(elsewhere, ServeError::Bind { .. }), "{elsewhere}");
    let nowhere = Server::bind(&Address::new("no\0where", 0), options(None)).unwrap_err();
    assert!(matches!(nowhere, ServeError::Resolve { .. }), "{nowhere}");
}

#[test]
fn other_machines_are_kept_out_by_a_real_token() {
    let anywhere = Address::new("0.0.0.0", 0);
    let weak = ServerOptions { token: Some(Token::new("hunter2")), ..options(None) };
    let refused = Server::bind(&anywhere, weak.clone()).unwrap_err();
    assert!(matches!(refused, ServeError::WeakToken { .. }), "{refused}");
    Server::bind(&anywhere, ServerOptions { allow_weak_token: true, ..weak }).unwrap();
    let open = ServerOptions { auth: false, ..options(None) };
    let refused = Server::bind(&anywhere, open.clone()).unwrap_err();
    assert!(matches!(refused, ServeError::Unprotected { .. }), "{refused}");
    assert!(Server::bind(&loopback(0), open).unwrap().address().ip().is_loopback());
}

#[test]
fn without_a_registry_a_token_that_was_given_is_enough() {
    let directory = tempfile::tempdir().unwrap();
    // A file where the directory should be.
    let path = directory.path().join("run");
    std::fs::write(&path, "").unwrap();
    let registry = Registry::at(&path);

    let made_up = ServerOptions { token: None, ..options(Some(&registry)) };
    let refused = Server::bind(&loopback(0), made_up).unwrap_err();
    let ServeError::Registry { directory: Some(told), .. } = &refused else { panic!("{refused}") };
    assert_eq!(*told, path);
    assert!(refused.to_string().contains("pass a token"), "{refused}");

    let given = options(Some(&registry));
    let token = given.token.clone();
    let server = Server::bind(&loopback(0), given).unwrap();
    assert_eq!(server.socket(), None);
    let address = loopback(server.address().port());
    let thread = thread::spawn(move || server.run(&mut echo(mpsc::channel().1)));
    let client = Client::new(address, ClientOptions { token, ..ClientOptions::default() });
    assert_eq!(call(&client, 5_u64).unwrap(), Value::Int(5));
    client.terminate(payload(Value::Nil), &limit()).unwrap();
    assert!(matches!(thread.join().unwrap(), Ended::Orderly));
}

#[test]
fn a_name_without_a_registry_is_refused_in_words() {
    let named = ServerOptions { name: Some("trainer".parse().unwrap()), ..options(None) };
    let refused = Server::bind(&loopback(0), named).unwrap_err().to_string();
    assert!(refused.starts_with("there is no place to keep the server's name in: "), "{refused}");
}

#[test]
fn an_entry_that_cannot_be_written_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let registry = Registry::at(directory.path().join("run"));
    registry.prepare().unwrap();
    let options = ServerOptions { token: None, ..options(Some(&registry)) };
    // A directory where the entry belongs, which is not the server's to remove.
    let entry = registry.log_path(options.instance).with_extension("json");
    std::fs::create_dir(&entry).unwrap();
    std::fs::write(entry.join("somebodys"), "").unwrap();
    let refused = Server::bind(&loopback(0), options).unwrap_err();
    assert!(matches!(refused, ServeError::Registry { .. }), "{refused}");
    assert!(refused.to_string().contains("with something in it"), "{refused}");
    std::fs::remove_dir_all(&entry).unwrap();
    assert_eq!(left_behind(&registry), [""; 0]);
}

#[test]
fn calls_wait_for_a_server_that_listens_but_does_not_run_yet() {
    let options = options(None);
    let token = options.token.clone();
    let server = Server::bind(&loopback(0), options).unwrap();
    let address = loopback(server.address().port());
    let client = Client::new(address, ClientOptions { token, ..ClientOptions::default() });
    thread::scope(|scope| {
        let early = scope.spawn(|| call(&client, 5_u64).unwrap());
        let (started, start) = mpsc::channel();
        scope.spawn(move || {
            start.recv().unwrap();
            server.run(&mut echo(mpsc::channel().1))
        });
        let late = client.open(&Wait::at_most(Duration::from_millis(50))).unwrap_err();
        assert!(matches!(late, ConnectError::Timeout { .. }), "{late}");
        started.send(()).unwrap();
        assert_eq!(early.join().unwrap(), Value::Int(5));
        client.terminate(payload(Value::Nil), &limit()).unwrap();
    });
}

#[test]
fn a_start_that_fails_ends_the_server_and_answers_those_who_wait() {
    let directory = tempfile::tempdir().unwrap();
    let registry = Registry::at(directory.path().join("run"));
    let options = options(Some(&registry));
    let token = options.token.clone();
    let server = Server::bind(&loopback(0), options).unwrap();
    let address = loopback(server.address().port());
    let client = Client::new(address.clone(), ClientOptions { token, ..ClientOptions::default() });
    let (fail, failing) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        struct Starting(Receiver<()>);
        impl Executor for Starting {
            fn start(&mut self) -> Result<bool, Failure> {
                let _ = self.0.recv();
                Err(failed("no weights"))
            }
            fn init(&mut self, _: Delivered, _: &Reply) -> Result<(), Failure> {
                unreachable!("it never started")
            }
            fn exec(&mut self, _: Delivered, _: &Reply) -> Result<(), Failure> {
                unreachable!("it never started")
            }
            fn exit(&mut self, _: Option<Delivered>, _: &Reply) -> Result<(), Failure> {
                unreachable!("it never started")
            }
        }
        server.run(&mut Starting(failing))
    });
    // While it starts it takes calls.
    assert_eq!(client.status(&limit()).unwrap().state, State::Starting);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| call(&client, 1_u64));
        until(&client, "queued", |status| status.queue == 1);
        fail.send(()).unwrap();
        assert_eq!(code(waiting.join().unwrap()), FailureCode::Stopping);
    });
    let ended = thread.join().unwrap();
    assert!(
        matches!(&ended, Ended::Start(failure) if failure.message == "no weights"),
        "{ended:?}"
    );
    assert_eq!(left_behind(&registry), [""; 0]);
    drop(TcpListener::bind(("127.0.0.1", address.port)).unwrap());
}

#[test]
fn a_stop_answers_the_queue_and_runs_exit() {
    let (exits, exited) = mpsc::channel();
    let server = Running::start(move |held| echo(held).telling_exits(exits));
    let running = occupy(&server);
    let queued: Vec<_> = (0..3_u64).map(|number| calling(&server, number)).collect();
    let looker = server.client();
    until(&looker, "queued", |status| status.queue == 3);
    server.stopper.stop(LONG);
    for call in queued {
        assert_eq!(code(call.join().unwrap()), FailureCode::Stopping);
    }
    // Who is connected hears how it stands; nobody new gets in, and nobody finds it.
    assert_eq!(looker.status(&limit()).unwrap().state, State::Stopping);
    assert_eq!(code(call(&looker, 1_u64)), FailureCode::Stopping);
    let refused = server.client().ping(&limit()).unwrap_err();
    assert!(matches!(refused, CallError::Connect(ConnectError::NotRunning { .. })), "{refused}");
    assert_eq!(left_behind(&server.registry), [""; 0]);
    drop(TcpListener::bind(("127.0.0.1", server.address.port)).unwrap());
    assert!(exited.try_recv().is_err(), "a task runs still");
    server.release();
    assert_eq!(running.join().unwrap().unwrap(), "held".into());
    assert!(matches!(server.join(), Ended::Orderly));
    assert_eq!(exited.iter().collect::<Vec<_>>(), [None]);
}

#[test]
fn a_stop_while_idle_and_a_second_one() {
    let (exits, exited) = mpsc::channel();
    let server = Running::start(move |held| echo(held).telling_exits(exits));
    assert_eq!(call(&server.client(), 1_u64).unwrap(), Value::Int(1));
    server.stopper.stop(LONG);
    server.stopper.stop(LONG);
    let stopper = server.stopper.clone();
    assert!(matches!(server.join(), Ended::Orderly));
    stopper.stop(LONG);
    assert_eq!(exited.iter().collect::<Vec<_>>(), [None]);
}

#[test]
fn a_server_without_tasks_has_nothing_to_exit_from() {
    let never =
        |held| Custom { start: Ok(false), ..echo(held).exit(|_, _| unreachable!("no tasks")) };
    let stopped = Running::start(never);
    stopped.client().ping(&limit()).unwrap();
    stopped.stopper.stop(LONG);
    assert!(matches!(stopped.join(), Ended::Orderly));
    let terminated = Running::start(never);
    terminated.client().terminate(payload(Value::Nil), &limit()).unwrap();
    assert!(matches!(terminated.join(), Ended::Orderly));
}

#[test]
fn an_exit_that_fails_is_told_to_whoever_can_hear_it() {
    let failing = |held| echo(held).exit(|_, _| Err(failed("cannot save")));
    let is_told = |ended| matches!(ended, Ended::ExitTask(Failure { message, .. }) if message == "cannot save");
    let stopped = Running::start(failing);
    stopped.client().ping(&limit()).unwrap();
    stopped.stopper.stop(LONG);
    assert!(is_told(stopped.join()));
    let terminated = Running::start(failing);
    let told = terminated.client().terminate_and_wait(payload(Value::Nil), &limit()).unwrap_err();
    assert!(matches!(&told, CallError::Failed { .. }) && told.to_string().contains("cannot save"));
    assert!(is_told(terminated.join()));
}

#[test]
fn exit_runs_once_when_a_stop_comes_while_it_runs() {
    let (exits, exited) = mpsc::channel();
    let server = Running::start(move |held| {
        Custom::new(|_, _| Ok(())).exit(move |value, reply| {
            exits.send(value).unwrap();
            let _ = held.recv();
            reply.respond(payload("saved"), false).unwrap();
            Ok(())
        })
    });
    let client = server.client();
    let terminating =
        thread::spawn(move || client.terminate_and_wait(payload("bye"), &limit()).unwrap());
    assert_eq!(exited.recv_timeout(LIMIT).unwrap(), Some("bye".into()));
    server.stopper.stop(LONG);
    server.release();
    terminating.join().unwrap();
    assert!(matches!(server.join(), Ended::Orderly));
    assert_eq!(exited.iter().collect::<Vec<_>>(), [], "exit_task ran again");
}

#[test]
fn calls_before_an_exit_run_and_calls_behind_it_are_refused() {
    let (exits, exited) = mpsc::channel();
    let server = Running::start(move |held| echo(held).telling_exits(exits));
    let running = occupy(&server);
    let ahead = calling(&server, 1_u64);
    let looker = server.client();
    until(&looker, "queued", |status| status.queue == 1);
    // Nobody but the server's own end stops it: not even whoever asked for it.
    let terminator = server.client();
    terminator.terminate(payload("bye"), &limit()).unwrap();
    terminator.close();
    let status = until(&looker, "queued", |status| status.queue == 2);
    assert_eq!(status.state, State::Stopping);
    assert_eq!(code(call(&looker, 2_u64)), FailureCode::Stopping);
    let again = looker.terminate(payload(Value::Nil), &limit()).unwrap_err();
    assert_eq!(code(Err(again)), FailureCode::Stopping);
    server.release();
    assert_eq!(running.join().unwrap().unwrap(), "held".into());
    assert_eq!(ahead.join().unwrap().unwrap(), Value::Int(1));
    assert!(matches!(server.join(), Ended::Orderly));
    assert_eq!(exited.iter().collect::<Vec<_>>(), [Some("bye".into())]);
}

#[test]
fn a_successor_takes_the_port_as_soon_as_exit_is_acked() {
    let mut port = 0;
    for _ in 0..50 {
        let own = options(None);
        let token = own.token.clone();
        let server = Server::bind(&loopback(port), own).unwrap();
        port = server.address().port();
        let thread = thread::spawn(move || server.run(&mut echo(mpsc::channel().1)));
        let client =
            Client::new(loopback(port), ClientOptions { token, ..ClientOptions::default() });
        assert_eq!(call(&client, 1_u64).unwrap(), Value::Int(1));
        client.terminate(payload(Value::Nil), &limit()).unwrap();
        // Connections of the predecessor may be open still.
        drop(Server::bind(&loopback(port), options(None)).unwrap());
        drop(client);
        assert!(matches!(thread.join().unwrap(), Ended::Orderly));
    }
}

/// The same when the server is busy with others in the turn in which the EXIT comes.
#[cfg(unix)]
#[test]
fn a_successor_takes_the_port_also_from_a_server_that_is_busy() {
    use std::io::Write;
    use std::os::fd::{BorrowedFd, OwnedFd};
    use support::peer::{ACK, EXIT, Peer, frame, ping};

    /// Is deaf to its sockets for as long as it handles a signal.
    struct Deaf {
        deaf: Sender<()>,
        hear: Receiver<()>,
    }
    impl Executor for Deaf {
        fn init(&mut self, _: Delivered, _: &Reply) -> Result<(), Failure> {
            Ok(())
        }
        fn exec(&mut self, _: Delivered, _: &Reply) -> Result<(), Failure> {
            Ok(())
        }
        fn exit(&mut self, _: Option<Delivered>, _: &Reply) -> Result<(), Failure> {
            Ok(())
        }
        fn signalled(&mut self) {
            self.deaf.send(()).unwrap();
            let _ = self.hear.recv();
        }
    }

    let directory = tempfile::tempdir().unwrap();
    let registry = Registry::at(directory.path().join("run"));
    let own = options(Some(&registry));
    let token = own.token.clone().unwrap();
    let server = Server::bind(&loopback(0), own).unwrap();
    let (port, socket) = (server.address().port(), server.socket().unwrap().clone());
    let descriptor = server.signals().descriptor().unwrap();
    // SAFETY: the server owns the descriptor and lives; it is only duplicated.
    let signal: OwnedFd =
        unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned().unwrap();
    let (deaf, is_deaf) = mpsc::channel();
    let (hear, heard) = mpsc::channel();
    let thread = thread::spawn(move || server.run(&mut Deaf { deaf, hear: heard }));

    let mut closer = Peer::connect(&socket, &token);
    let mut crowd: Vec<_> = (0..64).map(|_| Peer::connect(&socket, &token)).collect();
    std::fs::File::from(signal).write_all(&[1]).unwrap();
    is_deaf.recv_timeout(LIMIT).unwrap();
    closer.send(&frame(EXIT, ACK, 0, 1, 0));
    let pings: Vec<u8> = (1..=10_000).flat_map(ping).collect();
    for peer in &mut crowd {
        peer.stream.set_nonblocking(true).unwrap();
        // As much as the socket takes.
        assert!(peer.stream.write(&pings).unwrap() > 0);
    }
    hear.send(()).unwrap();
    closer.expect(bgpy_proto::Kind::Ack, 1);
    let successor = Server::bind(&loopback(port), options(None));
    assert!(successor.is_ok(), "{successor:?}");
    assert_eq!(left_behind(&registry), [""; 0]);
    drop((closer, crowd));
    assert!(matches!(thread.join().unwrap(), Ended::Orderly));
}

#[test]
fn connections_end_with_the_server_though_somebody_keeps_a_handle_of_it() {
    let (kept, keep) = mpsc::channel();
    let server = Running::start(move |_| {
        Custom::new(move |_, reply| {
            kept.send(reply.clone()).unwrap();
            Ok(())
        })
    });
    let client = server.client();
    let link = client.link(&limit()).unwrap();
    link.accepted(CallKind::Exec, payload(1_u64), &limit()).unwrap();
    let reply: Reply = keep.recv_timeout(LIMIT).unwrap();
    let stopper = server.stopper.clone();
    stopper.stop(LONG);
    assert!(matches!(server.join(), Ended::Orderly));
    let closed = link.wait_closed(&Wait::at_most(Duration::from_secs(2)));
    assert!(closed.is_ok(), "{closed:?}");
    assert!(!reply.is_wanted());
    assert!(!reply.respond(payload(1_u64), false).unwrap());
}

#[test]
fn a_panic_is_a_failure_of_its_call_only() {
    let server = Running::start(|_| {
        let mut first = true;
        Service::new(
            move |_| {
                assert!(!std::mem::take(&mut first), "no weights");
                Ok(0_u64)
            },
            |sum, value| {
                *sum += 1;
                let number = value.as_u64().expect("a number");
                assert!(number != 13, "unlucky");
                Ok(Some(Value::from(*sum)))
            },
        )
    });
    let client = server.client();
    let failed = client.initialize(payload(Value::Nil), &limit()).unwrap_err();
    assert!(failed.to_string().contains("the task panicked: no weights"), "{failed}");
    assert_eq!(client.status(&limit()).unwrap().state, State::Uninitialized);
    assert_eq!(code(call(&client, 1_u64)), FailureCode::NotInitialized);
    assert!(client.initialize(payload(Value::Nil), &limit()).unwrap());
    for (argument, told) in [(Value::from(13_u64), "unlucky"), (Value::Nil, "a number")] {
        let failed = call(&client, argument).unwrap_err();
        assert!(
            matches!(&failed, CallError::Failed { failure, .. } if failure.code == FailureCode::Task)
        );
        assert!(failed.to_string().contains(told), "{failed}");
    }
    assert_eq!(call(&client, 1_u64).unwrap(), Value::Int(3));
}

#[test]
fn a_panic_in_exit_ends_the_server_as_a_failure() {
    let server = Running::start(|held| echo(held).exit(|_, _| panic!("disk full")));
    let told = server.client().terminate_and_wait(payload(Value::Nil), &limit()).unwrap_err();
    assert!(told.to_string().contains("disk full"), "{told}");
    assert!(
        matches!(server.join(), Ended::ExitTask(failure) if failure.message.contains("disk full"))
    );
}

#[test]
fn an_init_that_fails_leaves_the_calls_behind_it_without_tasks() {
    let (hold, held) = mpsc::channel::<()>();
    let server = Running::start(move |_| {
        Service::new(
            move |_| {
                let _ = held.recv();
                Err::<(), _>("no weights".to_owned())
            },
            |(), value| Ok(Some(value)),
        )
    });
    let client = server.client();
    thread::scope(|scope| {
        let init = scope.spawn(|| client.initialize(payload(Value::Nil), &limit()));
        until(&server.client(), "busy", |status| status.busy_s.is_some());
        // It is accepted in the hope that the INIT succeeds.
        let behind = calling(&server, 1_u64);
        until(&server.client(), "queued", |status| status.queue == 1);
        hold.send(()).unwrap();
        assert!(init.join().unwrap().unwrap_err().to_string().contains("no weights"));
        assert_eq!(code(behind.join().unwrap()), FailureCode::NotInitialized);
    });
}

#[test]
fn every_response_arrives_where_all_are_wanted() {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let seen = taken.clone();
    let server = Running::start(move |_| {
        Custom::new(move |value, reply| {
            for part in 0..3_u64 {
                let answer = Value::List(vec![value.clone(), Value::from(part)]);
                let wanted = reply.is_wanted();
                let went = reply.respond(payload(answer), part == 2).unwrap();
                assert_eq!(wanted, went);
                seen.lock().unwrap().push(went);
            }
            Ok(())
        })
    });
    let client = server.client();
    let taken = || std::mem::take(&mut *taken.lock().unwrap());
    let mut responses = Vec::new();
    client
        .call_all(payload(7_u64), &limit(), |message, error| {
            responses.push((message.value().unwrap(), error));
        })
        .unwrap();
    let expected = |part: u64| (Value::List(vec![Value::Int(7), Value::from(part)]), part == 2);
    assert_eq!(responses, [expected(0), expected(1), expected(2)]);
    assert_eq!(taken(), [true; 3]);
    // Only the first one goes to whoever wants no more, and none to whoever wants the ack.
    let response = client.call(payload(7_u64), &limit()).unwrap();
    assert_eq!(response.message.value().unwrap(), expected(0).0);
    client.execute(payload(7_u64), &limit()).unwrap();
    until(&client, "idle", |status| status.calls == 3 && status.state == State::Ready);
    assert_eq!(taken(), [true, false, false, false, false, false]);
}

#[test]
fn a_reply_may_be_used_from_elsewhere_and_too_late() {
    let (replies, kept) = mpsc::channel::<Reply>();
    let server = Running::start(move |held| {
        Custom::new(move |_, reply| {
            replies.send(reply.clone()).unwrap();
            let _ = held.recv();
            Ok(())
        })
    });
    let waiting = calling(&server, 1_u64);
    let reply = kept.recv_timeout(LIMIT).unwrap();
    assert!(reply.is_wanted());
    let too_many = Payload { data: vec![0xc0], buffers: vec![Vec::new().into(); 1 << 16] };
    assert!(reply.respond(too_many, false).is_err());
    assert!(reply.respond(payload(2_u64), false).unwrap());
    assert_eq!(waiting.join().unwrap().unwrap(), Value::Int(2));
    assert!(!reply.is_wanted() && !reply.respond(payload(3_u64), false).unwrap());
    server.release();

    let client = server.client();
    let unanswered = thread::spawn(move || call(&client, 1_u64));
    let reply = kept.recv_timeout(LIMIT).unwrap();
    server.release();
    assert!(matches!(unanswered.join().unwrap(), Err(CallError::NoResponse { .. })));
    assert!(!reply.respond(payload(4_u64), false).unwrap());
}

#[test]
fn a_task_hears_that_its_caller_has_left() {
    let (heard, hears) = mpsc::channel();
    let server = Running::start(move |_| {
        Custom::new(move |_, reply| {
            let since = Instant::now();
            while reply.is_wanted() && since.elapsed() < LIMIT {
                thread::yield_now();
            }
            heard.send(reply.is_wanted()).unwrap();
            Ok(())
        })
    });
    // By closing the connection, by the end of its patience, and by the end of its process, which
    // looks like the first to the server.
    let client = server.client();
    let link = client.link(&limit()).unwrap();
    let call = link.begin(CallKind::Exec, Want::First, payload(1_u64), &limit()).unwrap();
    until(&server.client(), "busy", |status| status.busy_s.is_some());
    link.close();
    assert_eq!(hears.recv_timeout(LIMIT), Ok(false));
    drop(call);
    let patience = Wait::at_most(Duration::from_millis(50));
    let late = server.client().call(payload(1_u64), &patience).unwrap_err();
    assert!(matches!(late, CallError::Timeout { accepted: true, .. }), "{late}");
    assert_eq!(hears.recv_timeout(LIMIT), Ok(false));
}

#[test]
fn messages_above_the_limit_of_either_side_are_not_sent() {
    let options = ServerOptions { message_bytes_max: 1 << 16, ..options(None) };
    let token = options.token.clone();
    let server = Server::bind(&loopback(0), options).unwrap();
    let address = loopback(server.address().port());
    let thread = thread::spawn(move || server.run(&mut echo(mpsc::channel().1)));
    let large = || Value::Bytes(vec![1; 1 << 17]);
    let client_of = |message_bytes_max| {
        let options =
            ClientOptions { token: token.clone(), message_bytes_max, ..ClientOptions::default() };
        Client::new(address.clone(), options)
    };
    let client = client_of(1 << 20);
    let refused = call(&client, large()).unwrap_err();
    assert!(refused.to_string().contains("takes 65536 at most"), "{refused}");
    assert_eq!(
        call(&client, Value::Bytes(vec![1; 1 << 15])).unwrap(),
        Value::Bytes(vec![1; 1 << 15])
    );
    let modest = client_of(1 << 12);
    let failed = call(&modest, Value::Bytes(vec![1; 1 << 15])).unwrap_err();
    assert!(failed.to_string().contains("takes 4096 at most"), "{failed}");
    assert_eq!(call(&modest, 1_u64).unwrap(), Value::Int(1));
    client.terminate(payload(Value::Nil), &limit()).unwrap();
    assert!(matches!(thread.join().unwrap(), Ended::Orderly));
}

#[test]
fn a_server_without_authentication_takes_everybody_on_this_machine() {
    let options = ServerOptions { auth: false, ..options(None) };
    let token = options.token.clone();
    let server = Server::bind(&loopback(0), options).unwrap();
    assert!(matches!(server.address().ip(), IpAddr::V4(ip) if ip.is_loopback()));
    let address = loopback(server.address().port());
    let thread = thread::spawn(move || server.run(&mut echo(mpsc::channel().1)));
    let careful = Client::new(address.clone(), ClientOptions::default());
    let refused = careful.ping(&limit()).unwrap_err();
    assert!(matches!(refused, CallError::Connect(ConnectError::NoToken { .. })), "{refused}");
    let proven = Client::new(address.clone(), ClientOptions { token, ..ClientOptions::default() });
    assert_eq!(call(&proven, 1_u64).unwrap(), Value::Int(1));
    let client = Client::new(address, ClientOptions { auth: false, ..ClientOptions::default() });
    assert_eq!(call(&client, 1_u64).unwrap(), Value::Int(1));
    client.terminate(payload(Value::Nil), &limit()).unwrap();
    assert!(matches!(thread.join().unwrap(), Ended::Orderly));
}

#[test]
fn without_a_token_nobody_on_another_machine_is_talked_to() {
    let elsewhere = Address::new("192.0.2.1", 54321);
    let client = Client::new(elsewhere, ClientOptions { auth: false, ..ClientOptions::default() });
    let refused = client.ping(&limit()).unwrap_err();
    assert!(matches!(refused, CallError::Connect(ConnectError::Unprotected { .. })), "{refused}");
}

const ALONE: &str = "BGPY_TEST_ALONE";

/// Runs a test of this file in a process of its own; none says that this is that process.
fn alone(test: &str) -> Option<ExitStatus> {
    if std::env::var_os(ALONE).is_some() {
        return None;
    }
    let program = std::env::current_exe().unwrap();
    Some(
        Command::new(program)
            .args([test, "--exact", "--nocapture"])
            .env(ALONE, "1")
            .status()
            .unwrap(),
    )
}

#[cfg(unix)]
#[test]
fn a_task_that_outlasts_the_grace_is_killed_with_its_process() {
    use std::os::unix::process::ExitStatusExt;
    if let Some(status) = alone("a_task_that_outlasts_the_grace_is_killed_with_its_process") {
        assert_eq!(status.signal(), Some(9), "{status}");
        return;
    }
    let server = Running::start(echo);
    let running = occupy(&server);
    server.stopper.stop(Duration::from_millis(50));
    // It is never released.
    let _ = running.join();
}

#[test]
fn a_process_outlives_its_server_that_ended_within_the_grace() {
    if let Some(status) = alone("a_process_outlives_its_server_that_ended_within_the_grace") {
        assert!(status.success(), "{status}");
        return;
    }
    let grace = Duration::from_millis(100);
    let server = Running::start(echo);
    server.client().ping(&limit()).unwrap();
    server.stopper.stop(grace);
    assert!(matches!(server.join(), Ended::Orderly));
    // And one that is told to end before it runs, which it then never does.
    let server = Server::bind(&loopback(0), options(None)).unwrap();
    server.stopper().stop(grace);
    drop(server);
    // Nothing is to happen: there is nothing to wait for but time.
    let (_never, nothing) = mpsc::channel::<()>();
    assert_eq!(nothing.recv_timeout(10 * grace), Err(RecvTimeoutError::Timeout));
}
