//! Records what was requested, what has been executed, and what each caller was told.
//!
//! Whatever happens on the way: an answered call has run once; a call reported as not run never
//! runs; and any other call has run once or not at all.

use bgpy_proto::{CallKind, FailureCode, Want};

use super::random::Random;
use crate::client::simulated::Ended;
use crate::error::{CallError, ConnectError};

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    calls: Vec<Entry>,
    pub(crate) answered: usize,
    pub(crate) perhaps: usize,
    pub(crate) surely_not: usize,
}

#[derive(Debug)]
struct Entry {
    kind: CallKind,
    want: Want,
    digest: u64,
    effects: u32,
    told: Option<Told>,
}

/// What a caller knows about its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It has run.
    Ran,
    /// It has not run and never will.
    SurelyNot,
    /// It may have run, or may still run.
    Perhaps,
}

impl Ledger {
    /// Records a call, and returns its argument.
    pub(crate) fn wish(&mut self, kind: CallKind, want: Want, random: &mut Random) -> Vec<u8> {
        let length = if random.one_in(25) { random.magnitude(19) } else { random.magnitude(7) };
        let mut argument = (self.calls.len() as u64).to_le_bytes().to_vec();
        argument.extend(random.bytes(length));
        let digest = digest(&argument);
        self.calls.push(Entry { kind, want, digest, effects: 0, told: None });
        argument
    }

    /// Records that a task has run to its end with this argument.
    pub(crate) fn effect(&mut self, argument: &[u8]) {
        let number = number(argument);
        let call = &mut self.calls[number];
        assert_eq!(digest(argument), call.digest, "call {number} runs with what was sent");
        call.effects += 1;
        assert_eq!(call.effects, 1, "call {number} runs once");
        let may_run = call.told.is_none_or(|told| told == Told::Perhaps);
        assert!(may_run, "call {number} runs after its caller was told: {:?}", call.told);
    }

    /// A task's response.
    pub(crate) fn response(argument: &[u8], seq: u64, random: &mut Random) -> Vec<u8> {
        let length = if random.one_in(25) { random.magnitude(19) } else { random.magnitude(7) };
        let mut data: Vec<u8> =
            [&argument[..8], &seq.to_le_bytes(), &digest(argument).to_le_bytes()].concat();
        data.extend(random.bytes(length));
        let check = digest(&data);
        data.extend(check.to_le_bytes());
        data
    }

    /// Records how a call has ended for its caller.
    pub(crate) fn ended(&mut self, number: usize, ended: &Ended) -> Told {
        let call = &mut self.calls[number];
        let told = match ended {
            Ended::Well(_) if call.want == Want::Ack => Told::Perhaps,
            Ended::Well(responses) => {
                check_responses(number, call, responses);
                Told::Ran
            }
            Ended::NoResponse => Told::Ran,
            Ended::Badly(error) => told(error),
        };
        assert_eq!(call.told, None, "call {number} ends once");
        call.told = Some(told);
        let may_be_nothing = call.kind != CallKind::Exec;
        match told {
            Told::Ran => assert!(call.effects == 1 || may_be_nothing, "call {number} has not run"),
            Told::SurelyNot => assert_eq!(call.effects, 0, "call {number} has run: {ended:?}"),
            Told::Perhaps => {}
        }
        match told {
            Told::Ran => self.answered += 1,
            Told::SurelyNot => self.surely_not += 1,
            Told::Perhaps => self.perhaps += 1,
        }
        told
    }

    /// Asserts that every caller was told something.
    pub(crate) fn check_complete(&self) {
        for (number, call) in self.calls.iter().enumerate() {
            assert!(call.told.is_some(), "the caller of {number} was told nothing");
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }
}

fn check_responses(number: usize, call: &Entry, responses: &[Vec<u8>]) {
    assert!(call.want != Want::First || responses.len() == 1, "call {number} has one response");
    for (seq, data) in responses.iter().enumerate() {
        let (data, check) = data.split_at(data.len() - 8);
        assert_eq!(digest(data).to_le_bytes(), check, "a response to {number} was changed");
        let word =
            |at: usize| u64::from_le_bytes(*data[8 * at..].first_chunk().expect("it is long"));
        let said = (word(0), word(1), word(2));
        assert_eq!(said, (number as u64, seq as u64, call.digest), "a response is another call's");
    }
}

/// What an error says about whether the call has run.
fn told(error: &CallError) -> Told {
    match error {
        CallError::Connect(ConnectError::Protocol { source, .. }) => {
            panic!("an honest server is not understood: {source}")
        }
        CallError::Connect(_) => Told::SurelyNot,
        CallError::Failed { failure, .. } => match failure.code {
            FailureCode::Task => Told::Ran,
            FailureCode::Stopping | FailureCode::NotInitialized | FailureCode::Overloaded => {
                Told::SurelyNot
            }
            code => panic!("nothing was wrong with it: {code:?}"),
        },
        CallError::Lost { .. } | CallError::Timeout { .. } => Told::Perhaps,
        error => panic!("nothing was wrong with it: {error}"),
    }
}

/// The number of the call that an argument belongs to.
fn number(argument: &[u8]) -> usize {
    u64::from_le_bytes(*argument.first_chunk().expect("it has a number")) as usize
}

/// A hash of a byte sequence (FNV-1a, eight bytes at a time).
fn digest(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(0xcbf2_9ce4_8422_2325 ^ bytes.len() as u64, |digest, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (digest ^ u64::from_le_bytes(word)).wrapping_mul(0x0100_0000_01b3).rotate_left(29)
    })
}
