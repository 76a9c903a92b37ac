//! What is called: `exec_task`, or a method of a server's object.
//!
//! The first word decides. A name of Python that is not JSON is a method, because `exec_task` could never be called
//! with it; everything else is an argument of `exec_task`, which costs the server no question.

use bgpy::methods::{Method, MethodKind, MethodTable};
use bgpy::misspelling;
use bgpy::server::NO_METHODS;
use bgpy::{CallError, CallHead, CallKind, Client, Payload, Value, Wait, Want};
use clap::Args;

use super::json_argument;
use crate::connect::{advice, completion};
use crate::exit::Exit;
use crate::output;
use crate::service::arguments::message;
use crate::service::literal::is_name;
use crate::service::methods;

/// The words that say what is called, and with what.
#[derive(Debug, Args)]
pub(crate) struct Words {
    /// A method or property; or JSON for exec_task, @FILE to read that from a file, - for standard input
    #[arg(value_name = "METHOD|JSON", allow_hyphen_values = true, add = completion::of_call())]
    pub(crate) argument: String,

    /// Arguments of the method, NAME=VALUE or by position
    #[arg(value_name = "ARG", allow_negative_numbers = true, add = completion::of_call())]
    pub(crate) more: Vec<String>,

    /// Send the argument to exec_task as text, not as JSON
    #[arg(long)]
    pub(crate) text: bool,
}

/// A call to make.
pub(crate) struct Request {
    /// The method; without one, `exec_task` is called.
    pub(crate) method: Option<Method>,
    pub(crate) payload: Payload,
}

impl Request {
    fn new(method: Option<Method>, value: Value) -> Result<Self, Exit> {
        let encoded = value.encode().map_err(|error| output::error(error, Exit::Usage))?;
        Ok(Self { method, payload: encoded.into() })
    }

    /// The kind of the method, if one is called.
    pub(super) fn kind(&self) -> Option<MethodKind> {
        self.method.as_ref().map(|method| method.kind)
    }

    /// Names the method in the head of a call.
    pub(super) fn note_in(&self, head: &mut CallHead) {
        if let Some(method) = &self.method {
            head.method = Some(method.name.clone());
            // Nobody else will have the result.
            head.attached = true;
        }
    }

    /// Makes the call, and returns when the server has accepted it.
    pub(super) fn accepted(self, client: &Client, wait: &Wait<'_>) -> Result<(), CallError> {
        let Self { method, payload } = self;
        let head = CallHead { method: method.map(|method| method.name), ..CallHead::default() };
        client.calling(payload, wait, |link, payload| {
            let mut call = link.begin(CallKind::Exec, Want::Ack, &head, payload, wait)?;
            call.step(wait).map(drop)
        })
    }
}

impl Words {
    /// What they stand for. `suits` says why a method cannot be called by the command, if it cannot.
    pub(crate) fn request(
        &self,
        client: &Client,
        wait: &Wait<'_>,
        suits: impl FnOnce(&Method) -> Result<(), String>,
    ) -> Result<Request, Exit> {
        let word = self.argument.as_str();
        let refused = |text: &str| Err(output::error(text, Exit::Usage));
        let is_name = is_name(word);
        let is_alone = self.more.is_empty();
        if is_alone && (self.text || !is_name || ["true", "false", "null"].contains(&word)) {
            return self.of_task();
        }
        if self.text {
            return refused("--text is for exec_task, which takes a single argument");
        }
        if !is_name {
            let text = format_args!(
                "{word:?} is not the name of a method, and exec_task takes a single argument"
            );
            return Err(output::error(text, Exit::Usage));
        }
        let table = match methods(client, wait) {
            Ok(table) => table,
            // It can only be meant as an argument of exec_task.
            Err(CallError::NoMethods { why, .. }) if why == NO_METHODS && is_alone => {
                return self.of_task();
            }
            Err(CallError::NoMethods { why, server }) if why == NO_METHODS => {
                let text = format_args!(
                    "{server} runs tasks, and has no methods: pass the single argument of its exec_task, as JSON"
                );
                return Err(output::error(text, Exit::Usage));
            }
            Err(error) => return Err(advice::failed(error)),
        };
        self.of_method(&table, client, suits)
    }

    fn of_task(&self) -> Result<Request, Exit> {
        let value = json_argument::read(&self.argument, self.text)
            .map_err(|text| output::error(text, Exit::Usage))?;
        Request::new(None, value)
    }

    fn of_method(
        &self,
        table: &MethodTable,
        client: &Client,
        suits: impl FnOnce(&Method) -> Result<(), String>,
    ) -> Result<Request, Exit> {
        let refused = |text: String| Err(output::error(text, Exit::Usage));
        let (name, target) = (self.argument.as_str(), client.target());
        let Some(method) = table.get(name) else {
            let hint = match nearest(table, name) {
                Some(other) => format!("did you mean {other}?"),
                None => format!("`bgpy methods {target}` lists them"),
            };
            return refused(format!("{} on {target} has no method {name}; {hint}", table.class));
        };
        if let Err(text) = suits(method) {
            return refused(text);
        }
        match message(method, &self.more) {
            Ok(value) => Request::new(Some(method.clone()), value),
            Err(text) => refused(text),
        }
    }
}

/// The method whose name is most like another one, if some is.
fn nearest<'a>(table: &'a MethodTable, name: &str) -> Option<&'a str> {
    misspelling::nearest(name, table.methods.iter().map(|method| method.name.as_str()))
}
