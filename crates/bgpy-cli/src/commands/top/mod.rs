//! `bgpy top`: watches servers.

mod actions;
mod draw;
mod event_loop;
mod keys;
mod log;
mod poller;
mod screen;
mod state;

use std::io::{self, IsTerminal};
use std::time::Duration;

use bgpy::duration;
use clap::Args;

use crate::connect::registry;
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::{self, Colors, terminal};

/// Watch your servers on this machine, and stop or restart them
#[derive(Debug, Args)]
#[command(after_help = "\
CPU is the share of one CPU, and CALLS/S the rate of calls that ended, since the last refresh; BUSY is how \
long the running task has run, QUEUE the number of waiting calls, ANSWER how long the server took to \
respond. Below is the end of the log of the selected server.

Keys: up and down (or k and j) select a server; f or Enter shows its log in full height, and Esc goes back; \
s stops it and r restarts it, after a question; ? shows the keys; q and Ctrl-C quit.

Exit codes: 0 quit with a key, 1 the terminal cannot be used, 2 standard output is not a terminal.

Examples:
  bgpy top
  bgpy top --interval 200ms   refresh five times a second")]
pub(crate) struct Top {
    /// Refresh interval
    #[arg(long, value_name = "DURATION", default_value = "1s", allow_negative_numbers = true,
          value_parser = duration::read)]
    pub(crate) interval: Duration,

    #[command(flatten)]
    pub(crate) colors: Colors,
}

impl Top {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let is_dumb = terminal::is_dumb();
        if !io::stdout().is_terminal() || is_dumb {
            let what = if is_dumb { "a terminal that can move its cursor" } else { "a terminal" };
            let text =
                format_args!("`bgpy top` needs {what}; use `bgpy ps` to print the servers once");
            return Err(output::error(text, Exit::Usage));
        }
        event_loop::run(registry()?, self.interval, self.colors.are_wanted(), context.interrupted)
            .unwrap_or_else(|error| {
                let text = format_args!(
                    "the terminal cannot be used: {error}; use `bgpy ps` to print the servers once"
                );
                Err(output::error(text, Exit::Failed))
            })
    }
}
