//! How servers begin and end, and what their calls are answered then.

mod support;

use std::net::TcpListener;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use bgpy::registry::Registry;
use bgpy::{
    CallError, CallKind, Client, ClientOptions, ConnectError, Delivered, Ended, Executor, Failure,
    FailureCode, Pace, Reply, Server, State, Value, Wait,
};
use support::custom::*;
use support::{LIMIT, LONG, Running, call, limit, payload, until};

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
            fn exec(&mut self, _: Delivered, _: &Reply) -> Result<Pace, Failure> {
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
    assert!(can_only_be_looked_into(&server.registry));
    let registry = server.registry.clone();
    drop(TcpListener::bind(("127.0.0.1", server.address.port)).unwrap());
    assert!(exited.try_recv().is_err(), "a task runs still");
    server.release();
    assert_eq!(running.join().unwrap().unwrap(), "held".into());
    assert!(matches!(server.join(), Ended::Orderly));
    assert_eq!(exited.iter().collect::<Vec<_>>(), [None]);
    assert_eq!(left_behind(&registry), [""; 0]);
}

/// Whether a server has left nothing but the socket for those who want to see why it does not end.
fn can_only_be_looked_into(registry: &Registry) -> bool {
    let left = left_behind(registry);
    left.len() == usize::from(cfg!(unix)) && left.iter().all(|name| name.ends_with(".stop"))
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
        deaf: mpsc::Sender<()>,
        hear: Receiver<()>,
    }
    impl Executor for Deaf {
        fn init(&mut self, _: Delivered, _: &Reply) -> Result<(), Failure> {
            Ok(())
        }
        fn exec(&mut self, _: Delivered, _: &Reply) -> Result<Pace, Failure> {
            Ok(Pace::Over)
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
    assert!(can_only_be_looked_into(&registry));
    drop((closer, crowd));
    assert!(matches!(thread.join().unwrap(), Ended::Orderly));
    assert_eq!(left_behind(&registry), [""; 0]);
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
fn a_panic_in_exit_ends_the_server_as_a_failure() {
    let server = Running::start(|held| echo(held).exit(|_, _| panic!("disk full")));
    let told = server.client().terminate_and_wait(payload(Value::Nil), &limit()).unwrap_err();
    assert!(told.to_string().contains("disk full"), "{told}");
    assert!(
        matches!(server.join(), Ended::ExitTask(failure) if failure.message.contains("disk full"))
    );
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
