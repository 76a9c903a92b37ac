//! `bgpy stop`: stops servers in an orderly way.

use bgpy::registry::Registry;
use bgpy::survey::{look_up, survey};
use bgpy::termination::kill;
use bgpy::{Client, ServerInfo, Target, Wait};
use clap::Args;
use serde_json::{Value, json};

use crate::connect::shutdown;
use crate::connect::{Access, Grace, Trust, registry, unread};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::{self, Form};

/// The help of `--timeout`.
const TIMEOUT: &str = "Upper limit for each server; shortens --grace";

/// Stop servers: each finishes the calls that it has accepted, runs exit_task, and ends
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 ended, and its process is gone, 1 exit_task or the process failed, 3 not running, 4 not \
ended within the grace time: a task still runs, or the process waits for a thread or a child process, \
which the message names.

Examples:
  bgpy stop trainer
  bgpy stop trainer --grace 1m   give its running task a minute to finish
  bgpy stop trainer --force      kill it if it has not ended within the grace time
  bgpy stop --all")]
#[command(override_usage = "bgpy stop [OPTIONS] <TARGET> | --all")]
#[command(mut_arg("timeout", |argument| argument.help(TIMEOUT)))]
pub(crate) struct Stop {
    /// The server: its name, HOST:PORT or socket path
    #[arg(value_name = "TARGET", required_unless_present = "all", conflicts_with = "all",
          add = crate::connect::completion::targets())]
    pub(crate) target: Option<Target>,

    /// Stop all of your servers on this machine
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) grace: Grace,

    /// Kill a server that has not ended by then; on this machine only
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) access: Access,

    #[command(flatten)]
    pub(crate) trust: Trust,

    #[command(flatten)]
    pub(crate) form: Form,
}

/// What was done to a server.
struct Outcome {
    target: Target,
    pid: Option<u32>,
    result: StopResult,
    /// Why it has not ended, or not in order.
    error: Option<String>,
    exit: Result<(), Exit>,
}

#[derive(Clone, Copy)]
enum StopResult {
    Stopped,
    Killed,
    Failed,
}

impl Stop {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        // A file that cannot be read is an error even if no server needs the token.
        self.access.token()?;
        let registry = registry()?;
        // A target that means this server and no other, and the one to call it by.
        let targets = match &self.target {
            Some(target) => vec![(target.clone(), target.clone())],
            None => {
                let running =
                    survey(&registry, false, &self.access.wait(context)).map_err(unread)?;
                let both = |info: &ServerInfo| (info.entry.unique_target(), info.entry.target());
                running.iter().map(both).collect()
            }
        };
        if targets.is_empty() {
            output::note("No servers are running.");
        }
        let mut outcomes = Vec::new();
        for (meant, called) in targets {
            let outcome = self.stop(&registry, &meant, called, context)?;
            let is_interrupted = outcome.exit == Err(Exit::Interrupted);
            outcomes.push(outcome);
            if is_interrupted {
                break;
            }
        }
        // With --all, a server that has ended in the meantime is fine.
        outcomes.retain(|outcome| !self.all || outcome.exit != Err(Exit::NotRunning));
        if self.form.is_json() {
            let servers: Vec<_> = outcomes.iter().map(Outcome::json).collect();
            output::json(&json!({ "servers": servers }));
        }
        outcomes.iter().rev().find_map(|outcome| outcome.exit.err()).map_or(Ok(()), Err)
    }

    fn stop(
        &self,
        registry: &Registry,
        meant: &Target,
        target: Target,
        context: &Context<'_>,
    ) -> Result<Outcome, Exit> {
        let client = Client::new(meant.clone(), self.access.options(&self.trust)?);
        let limit = self.grace.limit(&self.access);
        let wait = Wait::new(Some(limit), context.interrupted);
        let found = look_up(registry, meant, &wait).map_err(unread)?;
        let entry = found.filter(|info| !info.has_ended()).map(|info| info.entry);
        let pid = entry.as_ref().map(|entry| entry.pid());
        let outcome =
            |target, result, error, exit| Ok(Outcome { target, pid, result, error, exit });
        let Err(problem) = shutdown::stop_for_good(&client, registry, entry.as_ref(), &wait) else {
            output::note(format_args!("Stopped {target}."));
            return outcome(target, StopResult::Stopped, None, Ok(()));
        };
        let text = problem.text(&target);
        if problem.exit() != Exit::TimedOut {
            let exit = output::error(&text, problem.exit());
            return outcome(target, StopResult::Failed, Some(text), Err(exit));
        }
        let Some(entry) = entry.filter(|_| self.force) else {
            let exit = output::error(format_args!("{text}; --force kills it"), Exit::TimedOut);
            return outcome(target, StopResult::Failed, Some(text), Err(exit));
        };
        match kill(registry, entry, "killed by `bgpy stop --force`") {
            Ok(pid) => {
                output::note(format_args!("Killed {target} (process {pid})."));
                outcome(target, StopResult::Killed, Some(text), Ok(()))
            }
            Err(error) => {
                let text = format!("{target} has not ended, and cannot be killed: {error}");
                let exit = output::error(&text, Exit::Failed);
                outcome(target, StopResult::Failed, Some(text), Err(exit))
            }
        }
    }
}

impl Outcome {
    fn json(&self) -> Value {
        let result = match self.result {
            StopResult::Stopped => "stopped",
            StopResult::Killed => "killed",
            StopResult::Failed => "failed",
        };
        json!({
            "target": self.target.to_string(),
            "pid": self.pid,
            "result": result,
            "error": self.error,
        })
    }
}
