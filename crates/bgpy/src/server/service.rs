//! Servers written in Rust.

use bgpy_proto::codec::Value;
use bgpy_proto::{Delivered, Failure, FailureCode};

use super::executor::{Executor, Pace};
use super::reply::Reply;

/// Runs a Rust closure for each call, with a state of type `S` made at the first INIT.
///
/// ```
/// use bgpy::{Service, Value};
///
/// let counter = Service::new(
///     |_arguments| Ok(0_u64),
///     |count, arguments| {
///         *count += arguments.as_u64().unwrap_or(1);
///         Ok(Some(Value::from(*count)))
///     },
/// );
/// # let _ = counter;
/// ```
pub struct Service<S, I, F> {
    init: I,
    exec: F,
    state: Option<S>,
}

impl<S, I, F> Service<S, I, F>
where
    I: FnMut(Value) -> Result<S, String>,
    F: FnMut(&mut S, Value) -> Result<Option<Value>, String>,
{
    /// `init` makes the state from the message of the INIT. `exec` answers a call: `Some` value is
    /// the response, `None` sends none, and an error becomes the caller's failure.
    pub fn new(init: I, exec: F) -> Self {
        Self { init, exec, state: None }
    }
}

impl<S, I, F> Executor for Service<S, I, F>
where
    I: FnMut(Value) -> Result<S, String>,
    F: FnMut(&mut S, Value) -> Result<Option<Value>, String>,
{
    fn init(&mut self, message: Delivered, _reply: &Reply) -> Result<(), Failure> {
        self.state = Some((self.init)(decode(&message)?).map_err(task)?);
        Ok(())
    }

    fn exec(&mut self, message: Delivered, reply: &Reply) -> Result<Pace, Failure> {
        let state = self.state.as_mut().ok_or_else(|| {
            Failure::new(FailureCode::NotInitialized, "the service has no state yet")
        })?;
        let Some(response) = (self.exec)(state, decode(&message)?).map_err(task)? else {
            return Ok(Pace::Over);
        };
        let payload = response.encode().map_err(serialization)?;
        reply.respond(payload.into(), false).map_err(serialization)?;
        Ok(Pace::Over)
    }

    fn exit(&mut self, _message: Option<Delivered>, _reply: &Reply) -> Result<(), Failure> {
        self.state = None;
        Ok(())
    }
}

impl<S, I, F> std::fmt::Debug for Service<S, I, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("has_state", &self.state.is_some()).finish_non_exhaustive()
    }
}

fn decode(message: &Delivered) -> Result<Value, Failure> {
    message.value().map_err(serialization)
}

fn task(error: String) -> Failure {
    Failure::new(FailureCode::Task, error)
}

fn serialization(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureCode::Serialization, error.to_string())
}
