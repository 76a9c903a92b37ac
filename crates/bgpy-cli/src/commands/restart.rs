//! `bgpy restart`: stops a server and starts it again.

use std::ffi::OsString;
use std::time::Duration;

use bgpy::config::Config;
use bgpy::error::{FailureKind, StartError};
use bgpy::registry::{Entry, Registry};
use bgpy::start::{self, preflight};
use bgpy::survey::ServerState;
use bgpy::termination::until_ended;
use bgpy::{Client, ClientOptions, ServerInfo, State, Wait};
use clap::Args;

use crate::connect::shutdown::{self, StopError};
use crate::connect::{Grace, ServerArgs};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output;
use crate::server_settings::variable;

/// If the process is not gone this soon after its server has ended, the user is told what it waits for.
const SOON: Duration = Duration::from_millis(500);

/// The help of `--timeout`.
const TIMEOUT: &str = "Upper limit for the whole command; shortens --grace";

/// The help of `--token-file`.
const TOKEN_FILE: &str =
    "Read the token for a server that has ended from this file [default: BGPY_TOKEN]";

/// Stop one of your servers on this machine, and start it again with the same settings
#[derive(Debug, Args)]
#[command(after_help = "\
All settings are kept: name, address, token, directory, log file, limits and --env variables. All other \
environment variables are those of this shell, and the tasks are loaded again from their file or module. \
A server is stopped only if it can be started again: its directory and interpreter exist, its address is \
available, its log and registry entry can be written, and its tasks are found and compile. Whether \
init_task raises is known only after the old server has ended. A RESTARTING server is started at once.

A server that has ended is started, too. A token that you chose and the values of --env are not kept \
after a server has ended: pass them again with --token-file and --env.

Exit codes: 0 ready, 1 not started, or not stopped because it could not be started again, 3 no such \
server, 4 timed out: it has not ended within the grace time, and is not started again.

Examples:
  bgpy restart trainer
  bgpy restart trainer --env CUDA_VISIBLE_DEVICES=1
  bgpy restart trainer --grace 120           give a long call time to end")]
#[command(mut_arg("timeout", |argument| argument.help(TIMEOUT)))]
#[command(mut_arg("token_file", |argument| argument.help(TOKEN_FILE)))]
pub(crate) struct Restart {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) grace: Grace,

    /// Set or replace an environment variable of the server; can be repeated
    #[arg(long, value_name = "K=V", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,
}

impl Restart {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let wait = self.server.access.wait(context);
        let (registry, info) = self.server.known(&wait)?;
        let (target, entry) = (&self.server.target, &info.entry);
        let token = self.server.access.token()?.map(|token| token.expose().to_owned());
        let config = self.config(entry, &registry, token).and_then(|config| {
            let running = Some(entry).filter(|_| !info.has_ended());
            preflight::check(&config, &registry, running, context.interrupted)?;
            Ok(config)
        });
        let config = config.map_err(|reason| {
            let state = if info.has_ended() { "" } else { ", so it was not stopped" };
            let text = format_args!("{target} cannot be restarted{state}: {reason}");
            output::error(text, Exit::Failed)
        })?;
        // Clients that come meanwhile, and followers of the log, wait for the new server.
        let name = config.name.as_ref();
        let claim = name.and_then(|name| registry.claim_start(name).ok().flatten());
        if !info.has_ended() {
            self.see_to_end(&registry, &info, context)?;
        }
        let server = loop {
            match start::start(config.clone(), &wait) {
                // Tasks that failed after a change of their files have been changed once more.
                Err(StartError::Reported { kind: FailureKind::Changed, .. }) => {}
                result => break result,
            }
        };
        let server = server.map_err(|error| {
            if info.has_ended() {
                return output::failure(&error);
            }
            let text = format_args!("{target} was stopped, but does not start again: {error}");
            let exit = output::error(text, Exit::from(&error));
            let token = if entry.has_chosen_token { " --token-file FILE" } else { "" };
            output::note(format_args!(
                "It is not running now. Fix the cause, then run `bgpy restart {target}{token}`."
            ));
            exit
        })?;
        if let Some(claim) = claim {
            claim.release();
        }
        let (pid, address) = (server.pid, server.address);
        output::note(format_args!("Restarted {target} (process {pid}) at {address}."));
        Ok(())
    }

    /// Stops the server, and waits for the end of its process; prints what that waits for.
    fn see_to_end(
        &self,
        registry: &Registry,
        info: &ServerInfo,
        context: &Context<'_>,
    ) -> Result<(), Exit> {
        let (target, entry) = (&self.server.target, &info.entry);
        let limit = self.grace.limit(&self.server.access);
        let wait = Wait::new(Some(limit), context.interrupted);
        let limit = limit.as_secs_f64();
        if info.state == ServerState::Alive(State::Busy) {
            output::note(format_args!("Waiting up to {limit} s for the running task of {target}."));
        }
        let client = Client::new(entry.unique_target(), ClientOptions::default());
        match shutdown::stop(&client, Some(entry), &wait) {
            Ok(()) => {}
            // It has ended nevertheless.
            Err(problem @ StopError::ExitTask(_)) => output::warning(problem.text(target)),
            Err(problem @ StopError::Slow { .. }) => {
                let text = problem.text(target);
                let text = format_args!("{text}; run `bgpy restart {target}` then");
                return Err(output::error(text, problem.exit()));
            }
            Err(problem) => return Err(problem.report(target)),
        }
        let soon = Wait::new(Some(SOON), context.interrupted);
        let Err(hindrance) = until_ended(registry, entry, &soon) else { return Ok(()) };
        if wait.slice().is_some() && !(context.interrupted)() {
            output::note(format_args!("Waiting up to {limit} s for {target}: {hindrance}."));
        }
        until_ended(registry, entry, &wait).map_err(|hindrance| {
            // Time is left, so the user interrupted.
            if wait.slice().is_some() {
                return Exit::Interrupted;
            }
            let text = format_args!(
                "{target} is not started again: {hindrance}; run `bgpy kill {target}` to end the process, \
                 then `bgpy restart {target}`"
            );
            output::error(text, Exit::TimedOut)
        })
    }

    /// The settings of the server; an error names those that are no longer known.
    fn config(
        &self,
        entry: &Entry,
        registry: &Registry,
        given: Option<String>,
    ) -> Result<Config, String> {
        let known = start::settings(registry, entry).filter(Config::has_tasks);
        let mut config = known.ok_or(
            "it was not started in the background from a file or module of tasks: stop it, and start \
             it again the way it was started",
        )?;
        config.token = config.token.or(given);
        let in_environment = std::env::var_os("BGPY_TOKEN").is_some_and(|token| !token.is_empty());
        let lacks_token = entry.has_chosen_token && config.token.is_none() && !in_environment;
        let launch = config.launch.as_mut().expect("it was looked for above");
        for (name, value) in &self.env {
            launch.set(name.into(), value.into());
        }
        // Name everything that is missing at once.
        let variables: Vec<_> = launch.forgotten.iter().map(shown).collect();
        let (what, wanted) = match (lacks_token, &variables[..]) {
            (false, []) => return Ok(config),
            (true, []) => ("its token was", TOKEN.to_owned()),
            (false, names) => ("the values of its variables were", names.join(" ")),
            (true, names) => (
                "its token and the values of its variables were",
                format!("{TOKEN}, and pass {}", names.join(" ")),
            ),
        };
        Err(format!("{what} not kept when it ended: pass {wanted}"))
    }
}

/// How to pass the token again.
const TOKEN: &str = "the token with --token-file, or set BGPY_TOKEN";

fn shown(name: &OsString) -> String {
    format!("--env {}=...", name.display())
}
