//! `bgpy call`: calls a server with JSON.

use std::fs;
use std::io::{self, Read};

use bgpy::{CallKind, Client, ClientOptions, Payload};
use clap::Args;

use crate::World;
use crate::exit::Exit;
use crate::json::{from_json, to_json};
use crate::output;
use crate::reach::{Reach, Trust};
use crate::told;

/// Lists and objects in each other that are read, which is the limit of `serde_json`.
const NESTED_MAX: usize = 127;

/// Call a server's exec_task with JSON, and print its answer as JSON
#[derive(Debug, Args)]
#[command(after_help = "\
An answer that JSON cannot hold, a tuple or an array for example, is printed as Python shows it.

Exit codes: 0 answered, 1 the task raised or did not answer, 2 no JSON, 3 no server there, 4 timed out,
5 wrong token, 6 not a bgpy server or one of another version.

Examples:
  bgpy call trainer '{\"name\": \"world\"}'
  bgpy call trainer @request.json --timeout 60
  echo '[1, 2, 3]' | bgpy call trainer -
  bgpy call trainer '{\"epochs\": 10}' --no-wait    return as soon as the call is accepted
  bgpy call other:54321 1 --no-pickle             run no code of a server that you trust less")]
pub(crate) struct Call {
    #[command(flatten)]
    pub(crate) reach: Reach,

    /// The argument of exec_task: JSON, @FILE with JSON, or - for standard input
    #[arg(value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub(crate) argument: String,

    /// Return when the server has accepted the call
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// Open no pickle that the server sends: an answer must be plain data
    #[arg(long)]
    pub(crate) no_pickle: bool,

    #[command(flatten)]
    pub(crate) trust: Trust,
}

impl Call {
    pub(crate) fn run(self, world: &World<'_>) -> Exit {
        let options = match self.reach.access.options(&self.trust) {
            Ok(options) => ClientOptions { allow_pickle: !self.no_pickle, ..options },
            Err(exit) => return exit,
        };
        let client = Client::new(self.reach.target.clone(), options);
        let payload = match self.payload() {
            Ok(payload) => payload,
            Err(text) => return output::error(text, Exit::Usage),
        };
        self.call(&client, payload, world)
    }

    fn payload(&self) -> Result<Payload, String> {
        let text = match self.argument.as_str() {
            "-" => {
                let mut text = String::new();
                let read = io::stdin().read_to_string(&mut text);
                read.map(|_| text).map_err(|error| format!("standard input: {error}"))?
            }
            word => match word.strip_prefix('@') {
                Some(path) => fs::read_to_string(path).map_err(|e| format!("'{path}': {e}"))?,
                None => word.to_owned(),
            },
        };
        let value = serde_json::from_str(&text).map_err(|error| json_error(&error))?;
        let encoded = from_json(value)?.encode().map_err(|error| error.to_string())?;
        Ok(encoded.into())
    }

    fn call(&self, client: &Client, payload: Payload, world: &World<'_>) -> Exit {
        let wait = self.reach.access.wait(world.interrupted);
        if self.no_wait {
            return match client.execute(payload, &wait) {
                Ok(()) => Exit::Done,
                Err(error) => output::error(told::call_error(&error), Exit::from(&error)),
            };
        }
        let response = client.started_link(&wait);
        let response = response.and_then(|link| link.first(CallKind::Exec, payload, &wait));
        match response {
            Ok(response) => {
                let exit = if response.error { Exit::Failed } else { Exit::Done };
                match response.message.value().ok().as_ref().and_then(to_json) {
                    Some(json) => output::data(json),
                    None => match world.repr(response.message, !self.no_pickle) {
                        Ok(text) => {
                            output::data(text);
                            output::note("note: JSON cannot hold the answer: shown as in Python");
                        }
                        Err(error) => return output::error(self.in_options(error), Exit::Failed),
                    },
                }
                if response.error {
                    output::note("error: the task answered an error");
                }
                exit
            }
            Err(error) => {
                if let bgpy::CallError::Failed { failure, .. } = &error
                    && let Some(traceback) = &failure.traceback
                {
                    output::note(traceback.trim_end());
                }
                output::error(self.in_options(told::call_error(&error)), Exit::from(&error))
            }
        }
    }

    /// Names the option where both sides' errors name the argument of Python.
    fn in_options(&self, text: String) -> String {
        if self.no_pickle { text.replace("allow_pickle=False", "--no-pickle") } else { text }
    }
}

/// Says what is wrong with what was given as JSON.
fn json_error(error: &serde_json::Error) -> String {
    // There is no other way to tell this one.
    if error.to_string().starts_with("recursion limit exceeded") {
        return format!("the JSON has more than {NESTED_MAX} lists and objects in each other");
    }
    format!("not valid JSON: {error}; for plain text use '\"hello\"'")
}
