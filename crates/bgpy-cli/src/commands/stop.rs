//! `bgpy stop`: stops servers in an orderly way.

use std::time::Duration;

use bgpy::ending::{end_paused, kill, outcome, until_ended};
use bgpy::registry::Registry;
use bgpy::survey::{look_up, survey};
use bgpy::{Client, ServerInfo, Target, Wait};
use clap::Args;

use crate::ending::{Problem, end};
use crate::exit::Exit;
use crate::output;
use crate::reach::{Access, Trust, registry, seconds, unread};

/// Stop servers: each finishes the calls that it has accepted, runs exit_task, and ends
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 ended, and its process is gone, 1 exit_task or the process failed, 3 not running, 4 not
ended within the grace time: a task still runs, or the process waits for a thread or a child process,
which the message names.

Examples:
  bgpy stop trainer
  bgpy stop trainer --grace 1m   give its running task a minute to finish
  bgpy stop trainer --force      kill it if it has not ended within the grace time
  bgpy stop --all")]
pub(crate) struct Stop {
    /// The server: its name, HOST:PORT or socket path
    #[arg(value_name = "TARGET", required_unless_present = "all", conflicts_with = "all",
          add = crate::completion::targets())]
    pub(crate) target: Option<Target>,

    /// Stop all of your servers on this machine
    #[arg(long)]
    pub(crate) all: bool,

    /// Give each server this many seconds to end
    #[arg(long, value_name = "SECONDS", default_value = "10", allow_negative_numbers = true,
          value_parser = seconds)]
    pub(crate) grace: Duration,

    /// Kill a server that has not ended by then; on this machine only
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) access: Access,

    #[command(flatten)]
    pub(crate) trust: Trust,
}

impl Stop {
    pub(crate) fn run(self, interrupted: &dyn Fn() -> bool) -> Exit {
        let registry = match registry() {
            Ok(registry) => registry,
            Err(exit) => return exit,
        };
        // A target that means this server and no other, and the one to call it by.
        let targets = match &self.target {
            Some(target) => vec![(target.clone(), target.clone())],
            None => {
                let running = match survey(&registry, false, &self.access.wait(interrupted)) {
                    Ok(running) => running,
                    Err(error) => return unread(error),
                };
                let both = |info: &ServerInfo| (info.entry.unique_target(), info.entry.target());
                running.iter().map(both).collect()
            }
        };
        let mut exit = Exit::Done;
        for (meant, called) in targets {
            match self.stop(&registry, &meant, &called, interrupted) {
                Exit::Done => {}
                // With --all, a server that has ended in the meantime is fine.
                Exit::NotRunning if self.all => {}
                Exit::Interrupted => return Exit::Interrupted,
                other => exit = other,
            }
        }
        exit
    }

    fn stop(
        &self,
        registry: &Registry,
        meant: &Target,
        target: &Target,
        interrupted: &dyn Fn() -> bool,
    ) -> Exit {
        let client = match self.access.options(&self.trust) {
            Ok(options) => Client::new(meant.clone(), options),
            Err(exit) => return exit,
        };
        let limit = self.access.timeout.map_or(self.grace, |timeout| timeout.min(self.grace));
        let wait = Wait::new(Some(limit), interrupted);
        let found = match look_up(registry, meant, &wait) {
            Ok(found) => found.filter(|info| !info.has_ended()),
            Err(error) => return unread(error),
        };
        // A server that takes no more calls is already stopping.
        let is_told = found.as_ref().is_some_and(|info| info.entry.retired_ms.is_some())
            || end_paused(target, &wait);
        let ended = if is_told { Ok(()) } else { end(&client, &wait) };
        let gone =
            || found.as_ref().map_or(Ok(()), |info| until_ended(registry, &info.entry, &wait));
        let (text, exit) = match ended {
            // A server whose exit_task failed ends nevertheless.
            Ok(()) | Err(Problem::ExitTask(_)) => match (gone(), ended) {
                (Ok(()), Err(failed)) => (failed.text(target), failed.exit()),
                (Ok(()), Ok(())) => {
                    let ending = found.and_then(|info| outcome(registry, &info.entry, &wait));
                    if let Some(failed) = ending.filter(|ending| !ending.orderly) {
                        let text = format_args!("{target} has ended, but failed: {failed}");
                        return output::error(text, Exit::Failed);
                    }
                    output::note(format_args!("Stopped {target}."));
                    return Exit::Done;
                }
                // Time is left, so the user interrupted.
                (Err(_), _) if wait.slice().is_some() => return Exit::Interrupted,
                (Err(hindrance), _) => {
                    let seconds = limit.as_secs_f64();
                    let text = format!("{target} has not ended within {seconds} s: {hindrance}");
                    (text, Exit::TimedOut)
                }
            },
            Err(problem) => (problem.text(target), problem.exit()),
        };
        match found.filter(|_| self.force && exit == Exit::TimedOut) {
            None => {
                let hint = if exit == Exit::TimedOut { "; --force kills it" } else { "" };
                output::error(format_args!("{text}{hint}"), exit)
            }
            Some(info) => match kill(registry, info.entry, "killed by `bgpy stop --force`") {
                Ok(pid) => {
                    output::note(format_args!("Killed {target} (process {pid})."));
                    Exit::Done
                }
                Err(error) => output::error(
                    format_args!("{target} has not ended, and cannot be killed: {error}"),
                    Exit::Failed,
                ),
            },
        }
    }
}
