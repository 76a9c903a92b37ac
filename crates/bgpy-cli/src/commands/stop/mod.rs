//! `bgpy stop`: stops servers in an orderly way, all at once.

mod outcome;
mod together;

use bgpy::notices::Notices;
use bgpy::registry::Registry;
use bgpy::survey::{look_up, survey};
use bgpy::termination::kill;
use bgpy::{Client, ClientOptions, ServerInfo, Target, Wait};
use clap::Args;
use serde_json::json;

use self::outcome::{Outcome, StopResult};
use self::together::together;
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

/// A server to be stopped.
struct Aim {
    /// A target that means this server and no other.
    meant: Target,
    /// What to call it.
    called: Target,
}

impl Stop {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        // A file that cannot be read is an error even if no server needs the token.
        let options = self.access.options(&self.trust)?;
        let registry = registry()?;
        let aims = self.aims(&registry, context)?;
        if aims.is_empty() {
            output::note("No servers are running.");
        }
        let stopped = together(aims, context.interrupted, |aim, is_interrupted| {
            self.stop(&registry, &options, aim, is_interrupted)
        });
        let mut outcomes = stopped.map_err(|error| {
            output::error(format_args!("no thread can be started: {error}"), Exit::Failed)
        })?;
        // With --all, a server that has ended in the meantime is fine.
        outcomes.retain(|outcome| !self.all || outcome.exit != Err(Exit::NotRunning));
        if self.form.is_json() {
            let servers: Vec<_> = outcomes.iter().map(Outcome::json).collect();
            output::json(&json!({ "servers": servers }));
        }
        let interrupted = outcomes.iter().filter(|outcome| outcome.is_interrupted());
        let interrupted: Vec<_> = interrupted.map(|outcome| outcome.target.to_string()).collect();
        if !interrupted.is_empty() {
            let text = format_args!("interrupted: not ended yet: {}", interrupted.join(", "));
            return Err(output::error(text, Exit::Interrupted));
        }
        outcomes.iter().rev().find_map(|outcome| outcome.exit.err()).map_or(Ok(()), Err)
    }

    fn aims(&self, registry: &Registry, context: &Context<'_>) -> Result<Vec<Aim>, Exit> {
        if let Some(target) = &self.target {
            return Ok(vec![Aim { meant: target.clone(), called: target.clone() }]);
        }
        let running = survey(registry, false, &self.access.wait(context)).map_err(unread)?;
        let aim = |info: &ServerInfo| Aim {
            meant: info.entry.unique_target(),
            called: info.entry.target(),
        };
        Ok(running.iter().map(aim).collect())
    }

    /// Stops a server, and says so when it has ended.
    fn stop(
        &self,
        registry: &Registry,
        options: &ClientOptions,
        aim: Aim,
        interrupted: &dyn Fn() -> bool,
    ) -> Outcome {
        let Aim { meant, called: target } = aim;
        let client = Client::new(meant.clone(), options.clone());
        let notices = Notices::new(&|text| output::note(text));
        let limit = self.grace.limit(&self.access);
        let wait = Wait::new(Some(limit), interrupted).with_notices(&notices);
        let found = match look_up(registry, &meant, &wait) {
            Ok(found) => found,
            Err(error) => {
                let (error, exit, pid) = (Some(error.to_string()), Err(unread(error)), None);
                return Outcome { target, pid, result: StopResult::Failed, error, exit };
            }
        };
        let entry = found.filter(|info| !info.has_ended()).map(|info| info.entry);
        let pid = entry.as_ref().map(|entry| entry.pid());
        let outcome = |result, error, exit| {
            let target = target.clone();
            Outcome { target, pid, result, error, exit }
        };
        let Err(problem) = shutdown::stop_for_good(&client, registry, entry.as_ref(), &wait) else {
            output::note(format_args!("Stopped {target}."));
            return outcome(StopResult::Stopped, None, Ok(()));
        };
        let text = problem.text(&target);
        let failed = |text: String, exit| {
            output::error(&text, exit);
            outcome(StopResult::Failed, Some(text), Err(exit))
        };
        match problem.exit() {
            Exit::TimedOut => {}
            // An interruption is said once for all servers.
            exit if exit == Exit::Interrupted || (self.all && exit == Exit::NotRunning) => {
                return outcome(StopResult::Failed, Some(text), Err(exit));
            }
            exit => return failed(text, exit),
        }
        let Some(entry) = entry.filter(|_| self.force) else {
            let advice = format!("`bgpy dump {target}` shows where it is, and --force kills it");
            let exit = output::error(format_args!("{text}; {advice}"), Exit::TimedOut);
            return outcome(StopResult::Failed, Some(text), Err(exit));
        };
        match kill(registry, entry, "killed by `bgpy stop --force`") {
            Ok(pid) => {
                output::note(format_args!("Killed {target} (process {pid})."));
                outcome(StopResult::Killed, Some(text), Ok(()))
            }
            Err(error) => {
                let text = format!("{target} has not ended, and cannot be killed: {error}");
                failed(text, Exit::Failed)
            }
        }
    }
}
