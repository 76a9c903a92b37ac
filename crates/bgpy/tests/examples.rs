//! The examples run.

#[path = "../examples/call.rs"]
#[allow(dead_code, reason = "its main takes arguments")]
mod call;
#[path = "../examples/counter.rs"]
mod counter;

mod support;

use std::sync::mpsc::Receiver;

use bgpy::{Service, Target, Token, Value};

use support::{Running, limit, payload};

/// One test, because it sets variables of the environment, for which no other thread may look meanwhile.
#[test]
fn the_examples_run() {
    let directory = tempfile::tempdir().unwrap();
    // SAFETY: no other thread of this process is there but one that waits for this test.
    unsafe { std::env::set_var("BGPY_RUNTIME_DIR", directory.path().join("run")) };
    counter::main().unwrap();

    let token = Token::generate(32);
    // SAFETY: as above.
    unsafe { std::env::set_var("BGPY_TOKEN", token.expose()) };
    let server = Running::with_token(token, |_: Receiver<()>| {
        Service::new(|_| Ok(()), |(), text| Ok(Some(Value::from(format!("hello {text:?}")))))
    });
    server.client().initialize(payload(Value::Nil), &limit()).unwrap();
    let target: Target = server.address.to_string().parse().unwrap();
    let answer = call::call(target, "you".to_owned()).unwrap();
    assert!(answer.contains("hello") && answer.contains("you"), "{answer}");
}
