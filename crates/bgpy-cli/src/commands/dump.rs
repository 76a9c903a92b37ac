//! `bgpy dump`: shows what every thread of a server does.

use bgpy::{CallError, ConnectError, DebugReply, DebugRequest};
use clap::Args;

use crate::connect::{ServerArgs, Trust, advice};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output;

/// Show the stack of every thread of a server, even while a task hangs
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  bgpy dump trainer

Exit codes: 0 shown, 1 the server cannot do it, 3 not running, 4 no response, 5 wrong token, 6 not a bgpy \
server or another version.")]
pub(crate) struct Dump {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) trust: Trust,
}

impl Dump {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let (client, wait) = (self.server.client(&self.trust)?, self.server.access.wait(context));
        match client.debug(&DebugRequest::Stacks, &wait).map_err(failed)? {
            DebugReply::Stacks { stacks } => output::data(stacks.trim_end()),
            reply => return Err(unexpected(&reply)),
        }
        Ok(())
    }
}

/// Prints why there is no answer. A server that is stopping has closed its sockets, though its task may hang.
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
