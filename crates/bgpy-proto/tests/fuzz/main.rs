//! A million seeded inputs for each decoder, in every test run and on a stable compiler.
//!
//! What must be true of an input stands in the `fuzz` directory, which `cargo fuzz` shares. Here
//! are the inputs, and a bound on the memory that each may take.

mod corpora;
mod inputs;
mod maps;
#[path = "../meter/mod.rs"]
mod meter;
#[path = "../random/mod.rs"]
mod random;
#[path = "../../../../fuzz/src/lib.rs"]
mod targets;

use std::fmt::Write;

use bgpy_proto::limits::{HANDSHAKE_BYTES_MAX, RESERVE_BYTES_MAX};

use inputs::{ANSWERS, REQUESTS};
use random::Random;

const INPUTS: usize = 1_000_000;

#[test]
fn frames() {
    let random = &mut Random::new(1);
    let kinds = [&REQUESTS[..], &ANSWERS[..]].concat();
    let mut reached = 0;
    for _ in 0..INPUTS {
        let mut stream = Vec::new();
        if random.one_in(10) {
            let length = random.magnitude(8);
            stream = random.bytes(length);
        } else {
            for call in 0..=random.below(3) {
                let kind = kinds[random.below(kinds.len())];
                stream.extend(inputs::frame(random, kind, 0, 0, call as u64));
            }
            inputs::mutate_some(random, &mut stream);
        }
        stream.insert(0, random.word() as u8);
        // The stream is cut three times, and its frames are encoded again.
        let limit = 3 * RESERVE_BYTES_MAX + 64 * stream.len() + 4096;
        reached += usize::from(bounded(&stream, limit, targets::frame));
    }
    assert!(reached > INPUTS / 4, "only {reached} inputs held a frame");
}

#[test]
fn payloads() {
    let random = &mut Random::new(2);
    let messages = inputs::messages();
    let mut reached = 0;
    for round in 0..INPUTS {
        let mut message = match random.below(10) {
            0 => {
                let length = random.magnitude(7);
                random.bytes(length)
            }
            1..5 => inputs::value(random, 5).encode().expect("it is flat"),
            _ => messages[round % messages.len()].clone(),
        };
        inputs::mutate_some(random, &mut message);
        // Decoded and encoded more than once; `codec.rs` knows the bound of a single decoding.
        let limit = 512 * message.len() + 4096;
        reached += usize::from(bounded(&message, limit, targets::payload));
    }
    assert!(reached > INPUTS / 4, "only {reached} inputs were a message");
}

#[test]
fn handshakes() {
    let random = &mut Random::new(3);
    let hellos = inputs::hellos();
    let mut reached = 0;
    for round in 0..INPUTS {
        // Where the client's side is played an input costs ten times as much: a key is computed.
        let role: u8 = match random.below(100) {
            0..30 => 0,
            30..91 => 1,
            91..96 => 2,
            96 => 3,
            97..99 => 4,
            _ => 5,
        };
        let mut input = match role {
            0 | 2 => inputs::first_message(random),
            // Zeros leave a genuine message as it is, which seldom teaches anything new.
            1 | 3 => {
                let mut alteration = vec![0; 1 + random.below(200)];
                let at = random.below(alteration.len());
                alteration[at] = 1 << random.below(8);
                alteration
            }
            _ => hellos[round % hellos.len()].clone(),
        };
        inputs::mutate_some(random, &mut input);
        input.insert(0, role + 6 * random.below(3) as u8);
        let limit = 256 * input.len() + 32 * HANDSHAKE_BYTES_MAX;
        reached += usize::from(bounded(&input, limit, targets::handshake));
    }
    assert!(reached > INPUTS / 25, "only {reached} inputs got an answer");
}

#[test]
fn requests() {
    let random = &mut Random::new(4);
    let (mut server, mut reached) = (targets::Server::connect(), 0);
    for _ in 0..INPUTS / 2 {
        if server.stream.is_none() && random.one_in(4) {
            server.stream();
        }
        let mut stream = Vec::new();
        let mut call = server.last_call;
        for _ in 0..=random.below(4) {
            // A mutation may have left the highest id there is.
            call = call.saturating_add(1 + u64::from(random.one_in(8)));
            let kind = REQUESTS[random.below(REQUESTS.len())];
            stream.extend(inputs::request(random, kind, call, server.stream.as_ref()));
        }
        if random.one_in(16) {
            inputs::mutate_some(random, &mut stream);
        }
        // The session and the second reading of the stream may each reserve memory.
        let limit = 2 * RESERVE_BYTES_MAX + 256 * stream.len() + (64 << 10);
        if bounded(&stream, limit, |stream| server.feed(stream)) {
            reached += 1;
        } else {
            server = targets::Server::connect();
        }
    }
    assert!(reached > INPUTS / 4, "only {reached} inputs were understood");
    assert!(targets::session(&[0]), "silence ends a session");
}

#[test]
fn answers() {
    let random = &mut Random::new(5);
    let (mut client, mut reached) = (targets::Client::connect(), 0);
    for _ in 0..INPUTS / 2 {
        client.ask();
        let mut stream = inputs::answers(random, &client.asked);
        if random.one_in(16) {
            inputs::mutate_some(random, &mut stream);
        }
        let limit = 2 * RESERVE_BYTES_MAX + 256 * stream.len() + (64 << 10);
        if bounded(&stream, limit, |stream| client.feed(stream)) {
            reached += 1;
        } else {
            client = targets::Client::connect();
        }
    }
    assert!(reached > INPUTS / 4, "only {reached} inputs were understood");
    assert!(targets::session(&[1]), "silence ends a session");
}

/// Runs a target and holds it to a bound of memory. An input that breaks it, or the oracle, is
/// shown so that it can become a test of its own.
fn bounded(input: &[u8], limit: usize, target: impl FnOnce(&[u8]) -> bool) -> bool {
    let shown = Shown(input);
    let (peak, reached) = meter::peak_bytes(|| target(input));
    assert!(peak <= limit, "{peak} bytes for an input of {}", input.len());
    std::mem::forget(shown);
    reached
}

/// Shows an input when it is dropped, that is, when its target panics.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        let mut hex = String::new();
        for byte in self.0 {
            write!(hex, "{byte:02x}").expect("a string takes every text");
        }
        eprintln!("the input was {hex}");
    }
}
