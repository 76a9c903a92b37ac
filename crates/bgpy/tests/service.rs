//! A Rust server and Rust clients, over both transports.

mod support;

use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use bgpy::address::Address;
use bgpy::{
    CallError, Client, ClientOptions, ConnectError, Ended, FailureCode, Service, State, Token,
    Value, Wait,
};

use support::{Running, call, payload};

/// A server that adds numbers. A text makes it fail, a list makes it wait until it is released.
fn adder() -> Running {
    Running::start(|hold: Receiver<()>| {
        Service::new(
            |start| start.as_u64().ok_or("a number is wanted".to_owned()),
            move |sum, value| match value {
                Value::Nil => Ok(None),
                Value::Str(text) => Err(text),
                Value::List(_) => {
                    hold.recv().unwrap();
                    Ok(Some(Value::from(*sum)))
                }
                value => {
                    *sum += value.as_u64().unwrap();
                    Ok(Some(Value::from(*sum)))
                }
            },
        )
    })
}

fn end(server: Running) -> Ended {
    server.client().terminate(payload(Value::Nil), &Wait::forever()).unwrap();
    server.join()
}

#[test]
fn initialises_calls_and_ends() {
    let server = adder();
    let client = server.client();
    let wait = Wait::forever();
    assert_eq!(client.status(&wait).unwrap().state, State::Uninitialized);
    let early = call(&client, 1_u64).unwrap_err();
    assert!(
        matches!(&early, CallError::Failed { failure, .. } if failure.code == FailureCode::NotInitialized)
    );
    assert!(client.initialize(payload(40_u64), &wait).unwrap());
    assert!(!client.initialize(payload(0_u64), &wait).unwrap());
    assert_eq!(call(&client, 2_u64).unwrap(), Value::Int(42));
    assert!(matches!(call(&client, Value::Nil), Err(CallError::NoResponse { .. })));
    let failed = call(&client, "on purpose").unwrap_err();
    assert!(failed.to_string().contains("on purpose"), "{failed}");
    client.execute(payload(1_u64), &wait).unwrap();
    assert_eq!(call(&client, 0_u64).unwrap(), Value::Int(43));
    assert_eq!(client.status(&wait).unwrap().calls, 5);
    assert!(matches!(end(server), Ended::Orderly));
}

#[test]
fn serves_others_while_a_task_runs() {
    let server = adder();
    server.client().initialize(payload(0_u64), &Wait::forever()).unwrap();
    let slow = server.client();
    let waiting = thread::spawn(move || call(&slow, Value::List(vec![])).unwrap());
    let other = server.client();
    while other.status(&Wait::forever()).unwrap().state != State::Busy {}
    other.execute(payload(5_u64), &Wait::forever()).unwrap();
    let status = other.status(&Wait::forever()).unwrap();
    assert_eq!((status.queue, status.clients), (1, 2));
    assert!(status.busy_s.is_some());
    let limited = other.call(payload(7_u64), &Wait::at_most(Duration::from_millis(50)));
    assert!(matches!(limited, Err(CallError::Timeout { accepted: true, .. })), "{limited:?}");
    // The answer shows that the server has read all that was sent before.
    other.ping(&Wait::forever()).unwrap();
    server.release();
    assert_eq!(waiting.join().unwrap(), Value::Int(0));
    // The call that timed out was taken back before it ran.
    assert_eq!(call(&other, 0_u64).unwrap(), Value::Int(5));
    end(server);
}

#[test]
fn a_client_is_shared_by_threads() {
    let server = adder();
    let client = server.client();
    client.initialize(payload(0_u64), &Wait::forever()).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut last = 0;
                for _ in 0..200 {
                    let sum = call(&client, 1_u64).unwrap().as_u64().unwrap();
                    assert!(sum > last);
                    last = sum;
                }
            });
        }
    });
    assert_eq!(call(&client, 0_u64).unwrap(), Value::Int(1600));
    end(server);
}

#[test]
fn large_messages_pass_in_both_directions() {
    let server = adder();
    let client = server.client();
    client.initialize(payload(0_u64), &Wait::forever()).unwrap();
    let text = "x".repeat(20 << 20);
    let failed = call(&client, text.as_str()).unwrap_err().to_string();
    assert!(failed.contains("bytes left out"));
    end(server);
}

#[test]
fn a_wrong_token_is_refused() {
    let server = adder();
    let options = ClientOptions { token: Some(Token::generate(32)), ..ClientOptions::default() };
    let stranger = Client::new(server.address.clone(), options);
    let refused = stranger.ping(&Wait::forever()).unwrap_err();
    assert!(matches!(refused, CallError::Connect(ConnectError::Auth { token: true, .. })));
    server.client().ping(&Wait::forever()).unwrap();
    end(server);
}

#[test]
fn nobody_listens() {
    let client = Client::new(Address::new("127.0.0.1", 1), ClientOptions::default());
    let refused = client.ping(&Wait::forever()).unwrap_err();
    assert!(matches!(refused, CallError::Connect(ConnectError::NotRunning { .. })), "{refused}");
}
