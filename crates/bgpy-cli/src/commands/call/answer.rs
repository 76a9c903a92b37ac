//! How the answer of a call is printed, and why there is none.

use bgpy::{CallError, Delivered, FailureCode, Response, Value};
use clap::Args;

use crate::Notation;
use crate::connect::advice;
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::json::to_json;
use crate::output::{self, Colors, Form};

/// What helps if an answer cannot be sent.
const UNSENDABLE: &str = "; it was not sent, so --repr cannot print it, either: have the server return plain \
                          data, such as dict(row) for a row of a database, or repr(...) of it";

/// How an answer is read and printed.
#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// Print the answer as Python's repr, not as JSON
    #[arg(long, conflicts_with = "output")]
    pub(crate) repr: bool,

    /// Unpickle nothing from the server: the answer must be plain data
    #[arg(long)]
    pub(crate) no_pickle: bool,

    #[command(flatten)]
    pub(crate) form: Form,

    #[command(flatten)]
    pub(crate) colors: Colors,
}

/// The help of `--output`.
pub(crate) const OUTPUT: &str = "Output format; both are JSON, and text leaves out None";

impl AnswerArgs {
    /// Prints an answer; `false` if nobody reads it.
    pub(crate) fn print(&self, response: Response, context: &Context<'_>) -> Result<bool, Exit> {
        let text = self.text_of(response, context)?;
        Ok(output::json_text(&text, self.colors.are_wanted() && !self.repr))
    }

    /// Whether an answer of a method is printed. As at the prompt of Python, None is not, unless a script
    /// wants it.
    pub(crate) fn is_printed(&self, response: &Response) -> bool {
        self.form.is_json() || !matches!(response.message.value(), Ok(Value::Nil))
    }

    /// An answer as text.
    pub(crate) fn text_of(
        &self,
        response: Response,
        context: &Context<'_>,
    ) -> Result<String, Exit> {
        let plain = if self.repr { None } else { response.message.value().ok() };
        match plain.as_ref().and_then(to_json) {
            Some(json) => Ok(json.to_string()),
            None => self.shown(response.message, context),
        }
    }

    /// An answer as text that only Python can make of it.
    fn shown(&self, message: Delivered, context: &Context<'_>) -> Result<String, Exit> {
        let notation = if self.repr { Notation::Repr } else { Notation::Json };
        context.show(message, notation, !self.no_pickle).map_err(|error| {
            let hint = match error.contains(" has no form in JSON: ") {
                true => "; --repr prints the answer as Python shows it",
                false => "",
            };
            self.error(format!("{error}{hint}"), Exit::Failed)
        })
    }

    /// Prints why a call has failed, with the traceback of the server.
    pub(crate) fn failed(&self, error: &CallError) -> Exit {
        if let CallError::Failed { failure, .. } = error
            && let Some(traceback) = &failure.traceback
        {
            output::traceback(traceback, self.colors.are_wanted_for_messages());
        }
        let text = advice::call_error(error);
        let hint = if is_unsendable(error) { UNSENDABLE } else { "" };
        self.error(text + hint, Exit::from(error))
    }

    /// Prints an error, in which the argument of Python is replaced with the option of this command.
    fn error(&self, text: String, exit: Exit) -> Exit {
        let text =
            if self.no_pickle { text.replace("allow_pickle=False", "--no-pickle") } else { text };
        output::error(text, exit)
    }
}

/// Whether the server had an answer and could not send it: it says so itself, or by the exception of the task.
fn is_unsendable(error: &CallError) -> bool {
    let CallError::Failed { failure, .. } = error else { return false };
    let is_of_task = failure.exception.as_deref() == Some("bgpy.errors.SerializationError");
    (is_of_task || failure.code == FailureCode::Serialization)
        && failure.message.contains(" cannot be pickled: ")
}
