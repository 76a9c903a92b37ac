//! `bgpy wait`: waits until a server reaches a state.

use std::thread;
use std::time::Duration;

use bgpy::duration::shown;
use bgpy::shutdown::see_out;
use bgpy::{CallError, Client, ConnectError, State, Target, Wait};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::connect::shutdown::StopError;
use crate::connect::{ServerArgs, Trust, advice};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::{self, Form};

/// How often the server is asked for its state.
const LOOK: Duration = Duration::from_millis(20);

/// Who waits longer for a server that is not there is told so: its name may be misspelt.
const SOON: Duration = Duration::from_secs(1);

/// Wait until a server is ready, idle or has ended
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 state reached, 3 not running, or ended before it was reached, 4 timed out, 5 wrong token, \
130 interrupted.

Examples:
  bgpy start tasks.py --name trainer --no-wait
  bgpy wait trainer --for ready --timeout 1m
  bgpy wait trainer --for idle && bgpy stop trainer")]
pub(crate) struct WaitFor {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) trust: Trust,

    /// The state to wait for
    #[arg(long = "for", value_enum, value_name = "STATE")]
    pub(crate) state: Wanted,

    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wanted {
    /// it has its tasks and takes calls; it need not have been started yet
    Ready,
    /// it has its tasks, and no call runs or waits
    Idle,
    /// it has ended, and its process is gone
    Exit,
}

impl Wanted {
    /// Its name as an argument.
    fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Idle => "idle",
            Self::Exit => "exit",
        }
    }

    /// Describes a server that has not reached the state.
    fn words(self) -> &'static str {
        match self {
            Self::Ready => "was not ready",
            Self::Idle => "was not idle",
            Self::Exit => "has not ended",
        }
    }
}

impl WaitFor {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let (client, target) = (self.server.client(&self.trust)?, &self.server.target);
        let wait = self.server.access.wait(context);
        // Servers that have ended are remembered for a while; one that is not known may be misspelt.
        if self.state == Wanted::Exit && !matches!(target, Target::Address(_)) {
            self.server.known(&wait)?;
        }
        let reached = match self.state {
            Wanted::Exit => see_out(target, &wait, |wait| client.wait_ended(wait)),
            Wanted::Ready | Wanted::Idle => self.until(&client, &wait).map(|()| Ok(None)),
        };
        match reached {
            Ok(Ok(_)) => {
                if self.form.is_json() {
                    output::json(&json!({
                        "target": target.to_string(),
                        "state": self.state.name(),
                        "waited_s": wait.since().elapsed().as_secs_f64(),
                    }));
                }
                Ok(())
            }
            Ok(Err(hindrance)) => Err(StopError::Stopping(hindrance).report(target)),
            Err(
                CallError::Timeout { after, .. }
                | CallError::Connect(ConnectError::Timeout { after, .. }),
            ) => {
                let (state, limit) = (self.state.words(), shown(after));
                let text = format_args!("{target} {state} within {limit}");
                Err(output::error(text, Exit::TimedOut))
            }
            Err(CallError::Lost { .. }) => {
                let text = format_args!("{target} ended before that; see `bgpy logs {target}`");
                Err(output::error(text, Exit::NotRunning))
            }
            Err(error) => Err(advice::failed(error)),
        }
    }

    fn until(&self, client: &Client, wait: &Wait<'_>) -> Result<(), CallError> {
        let mut is_told = false;
        loop {
            match client.link(wait) {
                Ok(link) => {
                    let status = link.status(wait)?;
                    let has_tasks = matches!(status.state, State::Ready | State::Busy);
                    let is_idle = status.state == State::Ready && status.queue == 0;
                    if if self.state == Wanted::Idle { is_idle } else { has_tasks } {
                        return Ok(());
                    }
                }
                Err(error) if error.is_absence() && self.state == Wanted::Ready => {
                    if wait.slice().is_none() {
                        let (server, after) =
                            (self.server.target.to_string(), wait.limit().unwrap_or_default());
                        return Err(CallError::Timeout {
                            server,
                            after,
                            accepted: false,
                            expired: false,
                        });
                    }
                    if !is_told && wait.since().elapsed() >= SOON {
                        output::note(format_args!("Waiting: {error}"));
                        is_told = true;
                    }
                }
                Err(ConnectError::Restarting { .. }) if wait.slice().is_some() => {}
                Err(error) => return Err(error.into()),
            }
            thread::sleep(LOOK);
            if wait.is_interrupted() {
                return Err(CallError::Interrupted);
            }
        }
    }
}
