//! `bgpy stop`: stops servers in an orderly way.

use bgpy::registry::Registry;
use bgpy::survey::{look_up, survey};
use bgpy::termination::{kill, outcome, until_ended};
use bgpy::{Client, ServerInfo, Target, Wait};
use clap::Args;

use crate::connect::shutdown::{self, StopError};
use crate::connect::{Access, Grace, Trust, registry, unread};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output;

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
        let mut outcome = Ok(());
        for (meant, called) in targets {
            match self.stop(&registry, &meant, &called, context) {
                Ok(()) => {}
                // With --all, a server that has ended in the meantime is fine.
                Err(Exit::NotRunning) if self.all => {}
                Err(Exit::Interrupted) => return Err(Exit::Interrupted),
                failed => outcome = failed,
            }
        }
        outcome
    }

    fn stop(
        &self,
        registry: &Registry,
        meant: &Target,
        target: &Target,
        context: &Context<'_>,
    ) -> Result<(), Exit> {
        let client = Client::new(meant.clone(), self.access.options(&self.trust)?);
        let limit = self.grace.limit(&self.access);
        let wait = Wait::new(Some(limit), context.interrupted);
        let found = look_up(registry, meant, &wait).map_err(unread)?;
        let entry = found.filter(|info| !info.has_ended()).map(|info| info.entry);
        let mut ended = shutdown::stop(&client, entry.as_ref(), &wait);
        // A server whose exit_task failed ends nevertheless.
        if let (Ok(()) | Err(StopError::ExitTask(_)), Some(entry)) = (&ended, &entry) {
            match until_ended(registry, entry, &wait) {
                // Time is left, so the user interrupted.
                Err(_) if wait.slice().is_some() => return Err(Exit::Interrupted),
                Err(hindrance) => ended = Err(StopError::Slow { after: limit, hindrance }),
                Ok(()) if ended.is_ok() => {
                    let ending = outcome(registry, entry, &wait);
                    let failed = ending.filter(|ending| !ending.orderly);
                    ended = failed.map_or(Ok(()), |ending| Err(StopError::Failed(ending)));
                }
                Ok(()) => {}
            }
        }
        let Err(problem) = ended else {
            output::note(format_args!("Stopped {target}."));
            return Ok(());
        };
        if problem.exit() != Exit::TimedOut {
            return Err(problem.report(target));
        }
        let Some(entry) = entry.filter(|_| self.force) else {
            let text = format_args!("{}; --force kills it", problem.text(target));
            return Err(output::error(text, Exit::TimedOut));
        };
        let pid = kill(registry, entry, "killed by `bgpy stop --force`").map_err(|error| {
            let text = format_args!("{target} has not ended, and cannot be killed: {error}");
            output::error(text, Exit::Failed)
        })?;
        output::note(format_args!("Killed {target} (process {pid})."));
        Ok(())
    }
}
