//! What the calls of a server are answered.

mod support;

use std::sync::mpsc::{self};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bgpy::{
    CallError, CallKind, Client, ClientOptions, Ended, FailureCode, Payload, Reply, Server,
    ServerOptions, Service, State, Value, Wait, Want,
};
use support::custom::*;
use support::{LIMIT, Running, call, limit, payload, until};

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
    let call = link
        .begin(CallKind::Exec, Want::First, &link.head(&limit()), payload(1_u64), &limit())
        .unwrap();
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
    assert!(refused.to_string().contains("accepts at most 65536"), "{refused}");
    assert_eq!(
        call(&client, Value::Bytes(vec![1; 1 << 15])).unwrap(),
        Value::Bytes(vec![1; 1 << 15])
    );
    let modest = client_of(1 << 12);
    let failed = call(&modest, Value::Bytes(vec![1; 1 << 15])).unwrap_err();
    assert!(failed.to_string().contains("accepts at most 4096"), "{failed}");
    assert_eq!(call(&modest, 1_u64).unwrap(), Value::Int(1));
    client.terminate(payload(Value::Nil), &limit()).unwrap();
    assert!(matches!(thread.join().unwrap(), Ended::Orderly));
}
