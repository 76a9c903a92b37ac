//! A server in Rust, and a client of it: `cargo run -p bgpy --example counter`.

use std::error::Error;
use std::thread;
use std::time::Duration;

use bgpy::address::Address;
use bgpy::{Client, ClientOptions, Payload, Server, ServerOptions, Service, Token, Value, Wait};

/// Starts a server on a thread, counts with it, and ends it.
///
/// # Errors
/// What went wrong.
pub fn main() -> Result<(), Box<dyn Error>> {
    let token = Token::generate(32);
    let options = ServerOptions { token: Some(token.clone()), ..ServerOptions::default() };
    let server = Server::bind(&Address::new("127.0.0.1", 0), options)?;
    let address = Address::new("127.0.0.1", server.address().port());
    let thread = thread::spawn(move || {
        // The first closure makes the state, the second one answers a call.
        let mut counter = Service::new(
            |start| start.as_u64().ok_or_else(|| "the start must be a number".to_owned()),
            |count, by| {
                *count += by.as_u64().ok_or("the argument must be a number")?;
                Ok(Some(Value::from(*count)))
            },
        );
        server.run(&mut counter)
    });

    let options = ClientOptions { token: Some(token), ..ClientOptions::default() };
    let client = Client::new(address, options);
    let wait = Wait::at_most(Duration::from_secs(10));
    client.initialize(payload(40)?, &wait)?;
    let answer = client.call(payload(2)?, &wait)?;
    println!("the counter is at {:?}", answer.message.value()?.as_u64());
    client.terminate(payload(0)?, &wait)?;
    println!("the server has ended: {:?}", thread.join().map_err(|_| "the server panicked")?);
    Ok(())
}

fn payload(number: u64) -> Result<Payload, Box<dyn Error>> {
    Ok(Value::from(number).encode()?.into())
}
