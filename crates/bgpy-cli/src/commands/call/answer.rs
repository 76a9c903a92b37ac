//! How the answer of a call is printed, and why there is none.

use bgpy::{CallError, Delivered, Response};
use clap::Args;

use crate::Notation;
use crate::connect::advice;
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::json::to_json;
use crate::output::{self, Colors};

/// How an answer is read and printed.
#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// Print the answer as Python's repr, not as JSON
    #[arg(long)]
    pub(crate) repr: bool,

    /// Unpickle nothing from the server: the answer must be plain data
    #[arg(long)]
    pub(crate) no_pickle: bool,

    #[command(flatten)]
    pub(crate) colors: Colors,
}

impl AnswerArgs {
    /// Prints an answer; `false` if nobody reads it.
    pub(crate) fn print(&self, response: Response, context: &Context<'_>) -> Result<bool, Exit> {
        let text = self.text_of(response, context)?;
        Ok(output::json_text(&text, self.colors.are_wanted() && !self.repr))
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
        self.error(advice::call_error(error), Exit::from(error))
    }

    /// Prints an error, in which the argument of Python is replaced with the option of this command.
    fn error(&self, text: String, exit: Exit) -> Exit {
        let text =
            if self.no_pickle { text.replace("allow_pickle=False", "--no-pickle") } else { text };
        output::error(text, exit)
    }
}
