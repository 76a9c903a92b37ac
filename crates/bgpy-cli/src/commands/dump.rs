//! `bgpy dump`: shows what every thread of a server does.

use bgpy::{CallError, ConnectError, DebugReply, DebugRequest, Target};
use clap::Args;
use serde_json::{Value, json};

use crate::connect::{ServerArgs, Trust, advice};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::{self, Form};

/// Show the stack of every thread of a server, even while a task hangs
#[derive(Debug, Args)]
#[command(after_help = "\
A server that is stopping is shown, too, until it has shut down.

Exit codes: 0 shown, 1 the server cannot do it, 3 not running, 4 no response, 5 wrong token, 6 not a bgpy \
server or another version.

Examples:
  bgpy dump trainer
  bgpy dump trainer -o json  for scripts")]
pub(crate) struct Dump {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) trust: Trust,

    #[command(flatten)]
    pub(crate) form: Form,
}

impl Dump {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let (client, wait) = (self.server.client(&self.trust)?, self.server.access.wait(context));
        match client.debug(&DebugRequest::Stacks, &wait).map_err(failed)? {
            DebugReply::Stacks { stacks } if self.form.is_json() => {
                output::json(&stacks_json(&self.server.target, &stacks));
            }
            DebugReply::Stacks { stacks } => output::data(stacks.trim_end()),
            reply => return Err(unexpected(&reply)),
        }
        Ok(())
    }
}

/// The text of a server as JSON: a paragraph about the process, then one for each thread and asyncio task.
fn stacks_json(target: &Target, text: &str) -> Value {
    let mut paragraphs = text.trim_end().split("\n\n");
    let about = paragraphs.next().unwrap_or_default();
    let stack = |paragraph: &str| {
        let (about, lines) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
        json!({ "about": about.trim_end_matches(':'), "lines": lines.lines().collect::<Vec<_>>() })
    };
    let stacks: Vec<_> = paragraphs.map(stack).collect();
    json!({ "target": target.to_string(), "about": about, "stacks": stacks })
}

/// Prints why there is no answer. One that is stopping may have shut down, though its process hangs.
fn failed(error: CallError) -> Exit {
    let pid = match &error {
        CallError::Connect(ConnectError::Stopping { hindrance, .. }) => {
            hindrance.as_ref().map(|it| it.pid)
        }
        _ => None,
    };
    let exit = advice::failed(error);
    if let Some(pid) = pid {
        output::note(format_args!("`py-spy dump --pid {pid}` shows where it is."));
    }
    exit
}

/// Prints that a server has answered another question.
pub(crate) fn unexpected(reply: &DebugReply) -> Exit {
    output::error(
        format_args!("the server answers something else: {reply:?}"),
        Exit::ProtocolMismatch,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_apart() {
        let text = "process 1, Python 3.11.4, most recent call last\n\nThread 'MainThread' runs the \
                    server:\n  waits for calls\n\nThread 'a':\n  File \"a.py\", line 1, in f\n    g()\n";
        let json = stacks_json(&"trainer".parse().unwrap(), text);
        assert_eq!(json["about"], "process 1, Python 3.11.4, most recent call last");
        let stacks = json["stacks"].as_array().unwrap();
        assert_eq!(stacks[0]["about"], "Thread 'MainThread' runs the server");
        assert_eq!(stacks[0]["lines"], json!(["  waits for calls"]));
        assert_eq!(stacks[1]["lines"], json!(["  File \"a.py\", line 1, in f", "    g()"]));
    }
}
