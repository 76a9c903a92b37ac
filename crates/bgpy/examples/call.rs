//! Calls a server that Python or Rust runs, by its name, with a text: `cargo run -p bgpy --example call NAME TEXT`.

use std::error::Error;
use std::time::Duration;

use bgpy::{Client, ClientOptions, Target, Value, Wait};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let target: Target = arguments.next().ok_or("which server?")?.parse()?;
    let text = arguments.next().ok_or("what text?")?;
    println!("{}", call(target, text)?);
    Ok(())
}

/// Calls a server with a text, and returns its answer as it is written in Rust.
///
/// # Errors
/// What went wrong.
pub fn call(target: Target, text: String) -> Result<String, Box<dyn Error>> {
    // The token is found in the registry of this user, or in BGPY_TOKEN.
    let client = Client::new(target, ClientOptions::default());
    let wait = Wait::at_most(Duration::from_secs(10));
    let answer = client.call(Value::from(text).encode()?.into(), &wait)?;
    Ok(format!("{:?}", answer.message.value()?))
}
