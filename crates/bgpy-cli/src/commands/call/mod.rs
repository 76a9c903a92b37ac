//! `bgpy call`: calls a server with JSON.

mod underway;

use std::fs;
use std::io::{self, Read};

use bgpy::{CallError, Client, ClientOptions, Delivered, Payload, Response, Value};
use clap::Args;

use self::underway::{Ended, Underway, Watch};

use crate::Notation;
use crate::connect::{ServerArgs, Trust, advice};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::json::{from_json, to_json};
use crate::output::{self, Colors};
use crate::platform::{self, Interrupts};

/// Maximum nesting of lists and objects, which is that of `serde_json`.
const NESTED_MAX: usize = 127;

/// Call a server's exec_task with JSON, and print its answer as JSON
#[derive(Debug, Args)]
#[command(after_help = "\
Dates, decimals, arrays, dataclasses and the like are printed in their usual form in JSON, which the page of \
this command lists. For an answer without one, use --repr.

On a terminal, the progress that the task tells is shown while it runs. Ctrl-C cancels the call; a second one \
leaves at once.

Exit codes: 0 answered, 1 the task raised or did not answer, or the answer has no form in JSON, \
2 invalid JSON, 3 not running, 4 timed out, 5 wrong token, 6 not a bgpy server or another version, \
130 interrupted.

Examples:
  bgpy call trainer '{\"name\": \"context\"}'
  bgpy call trainer @request.json --timeout 1m
  echo '[1, 2, 3]' | bgpy call trainer -
  bgpy call greeter --text context                  send text, without the quotes of JSON
  bgpy call trainer '{\"epochs\": 10}' --no-wait    return as soon as the call is accepted
  bgpy call --stream writer --text Once           print each response of the task as it comes
  bgpy call other:54321 1 --no-pickle             unpickle nothing from a server that you do not trust")]
pub(crate) struct Call {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// The argument of exec_task: JSON, @FILE to read it from a file, or - for standard input
    #[arg(value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub(crate) argument: String,

    /// Send the argument as text, not as JSON
    #[arg(long)]
    pub(crate) text: bool,

    /// Print the answer as Python's repr, not as JSON
    #[arg(long, conflicts_with = "no_wait")]
    pub(crate) repr: bool,

    /// Print every response of the task, each on a line as it comes; a reader that leaves cancels the call
    #[arg(long, conflicts_with = "no_wait")]
    pub(crate) stream: bool,

    /// Return as soon as the server has accepted the call
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// Unpickle nothing from the server: the answer must be plain data
    #[arg(long)]
    pub(crate) no_pickle: bool,

    #[command(flatten)]
    pub(crate) trust: Trust,

    #[command(flatten)]
    pub(crate) colors: Colors,
}

impl Call {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let options = self.server.access.options(&self.trust)?;
        let options = ClientOptions { allow_pickle: !self.no_pickle, ..options };
        let client = Client::new(self.server.target.clone(), options);
        let payload = self.payload().map_err(|text| output::error(text, Exit::Usage))?;
        if self.no_wait {
            let wait = self.server.access.wait(context);
            return client.execute(payload, &wait).map_err(advice::failed);
        }
        // From here on, Ctrl-C cancels the call.
        let interrupts = Interrupts::watch_impatiently();
        let watch = Watch::new(context, &interrupts, self.stream);
        match Underway::new(&self, context, &watch).run(&client, payload) {
            Ended::Answered { with_error: false } => Ok(()),
            Ended::Answered { with_error: true } => {
                Err(output::error("the task responded with an error", Exit::Failed))
            }
            Ended::Failed(exit) => Err(exit),
            Ended::Interrupted => {
                output::finish(Exit::Interrupted);
                interrupts.pass_on();
                Err(Exit::Interrupted)
            }
        }
    }

    /// Prints an answer; `false` if nobody reads it.
    fn print(&self, response: Response, context: &Context<'_>) -> Result<bool, Exit> {
        let plain = if self.repr { None } else { response.message.value().ok() };
        let text = match plain.as_ref().and_then(to_json) {
            Some(json) => json.to_string(),
            None => self.shown(response.message, context)?,
        };
        Ok(output::json_text(&text, self.colors.are_wanted() && !self.repr))
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

    fn payload(&self) -> Result<Payload, String> {
        let text = match self.argument.as_str() {
            "-" => {
                let mut text = String::new();
                let read = io::stdin().read_to_string(&mut text);
                read.map(|_| text)
                    .map_err(|error| format!("cannot read standard input: {error}"))?
            }
            word => match word.strip_prefix('@') {
                Some(path) => fs::read_to_string(path)
                    .map_err(|error| format!("cannot read '{path}': {error}"))?,
                None => word.to_owned(),
            },
        };
        let value = if self.text {
            Value::Str(text)
        } else {
            let read = serde_json::from_str(&text);
            from_json(read.map_err(|error| json_error(&error, &self.argument))?)?
        };
        let encoded = value.encode().map_err(|error| error.to_string())?;
        Ok(encoded.into())
    }

    fn failed(&self, error: &CallError) -> Exit {
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

/// Describes what is wrong with the JSON, and how to write what `argument` seems to mean.
fn json_error(error: &serde_json::Error, argument: &str) -> String {
    // serde_json offers no other way to recognize this error.
    if error.to_string().starts_with("recursion limit exceeded") {
        return format!("the JSON has lists and objects nested more than {NESTED_MAX} deep");
    }
    if argument == "-" || argument.starts_with('@') {
        return format!("not valid JSON: {error}; --text sends it as text");
    }
    if argument.trim().is_empty() {
        return "the argument is empty: use null for None, or --text ''".to_owned();
    }
    if let Some(json) = as_json(argument) {
        return format!("not valid JSON: {error}; write it as {}", platform::shell_quoted(&json));
    }
    if argument.starts_with(['{', '[', '"']) {
        return format!("not valid JSON: {error}");
    }
    let text = serde_json::Value::from(argument).to_string();
    format!("not valid JSON: {error}; for text, use {} or --text", platform::shell_quoted(&text))
}

/// What an argument would be in JSON that is written as in Python.
fn as_json(argument: &str) -> Option<String> {
    let words = [("'", "\""), ("None", "null"), ("True", "true"), ("False", "false")];
    let json = words.iter().fold(argument.to_owned(), |text, (from, to)| text.replace(from, to));
    serde_json::from_str::<serde_json::Value>(&json).is_ok().then_some(json)
}
