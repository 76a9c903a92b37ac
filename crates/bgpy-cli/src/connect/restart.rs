//! Stops a server and starts it again.

use std::ffi::OsString;
use std::time::Duration;

use bgpy::config::Config;
use bgpy::duration::shown;
use bgpy::error::{FailureKind, StartError};
use bgpy::registry::Registry;
use bgpy::start::{self, Background, preflight};
use bgpy::survey::ServerState;
use bgpy::termination::until_ended;
use bgpy::{CallError, Client, ClientOptions, ServerInfo, State, Target, Wait};

use super::shutdown::{self, StopError};
use crate::exit::Exit;

/// If the process is not gone this soon after its server has ended, the user is told what it waits for.
const SOON: Duration = Duration::from_millis(500);

/// How to pass the token again.
const TOKEN: &str = "the token with --token-file, or set BGPY_TOKEN";

/// A server to be restarted, and how.
pub(crate) struct Restart<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) info: &'a ServerInfo,
    /// How the user names it.
    pub(crate) target: &'a Target,
    /// The token that the user gave.
    pub(crate) token: Option<String>,
    /// Environment variables to set or replace.
    pub(crate) variables: &'a [(String, String)],
    /// How long it may take to end.
    pub(crate) grace: Duration,
    /// How long all of it may take.
    pub(crate) wait: &'a Wait<'a>,
    pub(crate) interrupted: &'a dyn Fn() -> bool,
    /// Tells the user what is waited for, and what failed meanwhile.
    pub(crate) tell: &'a dyn Fn(String),
}

/// Why a server was not restarted.
#[derive(Debug)]
pub(crate) struct RestartError {
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) advice: Option<String>,
    pub(crate) exit: Exit,
}

impl Restart<'_> {
    /// Stops the server if it runs, and starts it again. It is stopped only if it can be started again.
    pub(crate) fn run(mut self) -> Result<Background, RestartError> {
        let (target, entry) = (self.target, &self.info.entry);
        let given = self.token.take();
        let config = self.config(given).and_then(|config| {
            let running = Some(entry).filter(|_| !self.info.has_ended());
            preflight::check(&config, self.registry, running, self.interrupted)?;
            Ok(config)
        });
        let config = config.map_err(|reason| {
            let state = if self.info.has_ended() { "" } else { ", so it was not stopped" };
            failure(format!("{target} cannot be restarted{state}: {reason}"), Exit::Failed)
        })?;
        // Clients that come meanwhile, and followers of the log, wait for the new server.
        let name = config.name.as_ref();
        let claim = name.and_then(|name| self.registry.claim_start(name).ok().flatten());
        if !self.info.has_ended() {
            self.see_to_end()?;
        }
        let server = loop {
            match start::start(config.clone(), self.wait) {
                // Tasks that failed after a change of their files have been changed once more.
                Err(StartError::Reported { kind: FailureKind::Changed, .. }) => {}
                result => break result,
            }
        };
        let server = server.map_err(|error| {
            let exit = Exit::from(&error);
            if self.info.has_ended() {
                return failure(error.to_string(), exit);
            }
            let text = format!("{target} was stopped, but does not start again: {error}");
            let token = if entry.has_chosen_token { " --token-file FILE" } else { "" };
            let advice = format!(
                "It is not running now. Fix the cause, then run `bgpy restart {target}{token}`."
            );
            RestartError { text, advice: Some(advice), exit }
        })?;
        if let Some(claim) = claim {
            claim.release();
        }
        Ok(server)
    }

    /// Stops the server, and waits for the end of its process; tells what that waits for.
    fn see_to_end(&self) -> Result<(), RestartError> {
        let (target, entry) = (self.target, &self.info.entry);
        let wait = Wait::new(Some(self.grace), self.interrupted);
        let limit = shown(self.grace);
        if self.info.state == ServerState::Alive(State::Busy) {
            (self.tell)(format!("Waiting up to {limit} for the running task of {target}."));
        }
        let client = Client::new(entry.unique_target(), ClientOptions::default());
        match shutdown::stop(&client, Some(entry), &wait) {
            Ok(()) => {}
            // It has ended nevertheless.
            Err(problem @ StopError::ExitTask(_)) => {
                (self.tell)(format!("warning: {}", problem.text(target)));
            }
            Err(problem @ StopError::Slow { .. }) => {
                let text = problem.text(target);
                let text = format!("{text}; run `bgpy restart {target}` then");
                return Err(failure(text, problem.exit()));
            }
            Err(problem) => return Err(failure(problem.text(target), problem.exit())),
        }
        let soon = Wait::new(Some(SOON), self.interrupted);
        let Err(hindrance) = until_ended(self.registry, entry, &soon) else { return Ok(()) };
        if wait.slice().is_some() && !(self.interrupted)() {
            (self.tell)(format!("Waiting up to {limit} for {target}: {hindrance}."));
        }
        until_ended(self.registry, entry, &wait).map_err(|hindrance| {
            // Time is left, so the user interrupted.
            if wait.slice().is_some() {
                return failure(CallError::Interrupted.to_string(), Exit::Interrupted);
            }
            let text = format!(
                "{target} is not started again: {hindrance}; run `bgpy kill {target}` to end the process, \
                 then `bgpy restart {target}`"
            );
            failure(text, Exit::TimedOut)
        })
    }

    /// The settings of the server; an error names those that are no longer known.
    fn config(&self, given: Option<String>) -> Result<Config, String> {
        let entry = &self.info.entry;
        let known = start::settings(self.registry, entry).filter(Config::has_tasks);
        let mut config = known.ok_or(
            "it was not started in the background from a file or module: stop it, and start \
             it again the way it was started",
        )?;
        config.token = config.token.or(given);
        let in_environment = std::env::var_os("BGPY_TOKEN").is_some_and(|token| !token.is_empty());
        let lacks_token = entry.has_chosen_token && config.token.is_none() && !in_environment;
        let launch = config.launch.as_mut().expect("it was looked for above");
        for (name, value) in self.variables {
            launch.set(name.into(), value.into());
        }
        // Name everything that is missing at once.
        let variables: Vec<_> = launch.forgotten.iter().map(assignment).collect();
        let (what, wanted) = match (lacks_token, &variables[..]) {
            (false, []) => return Ok(config),
            (true, []) => ("its token was", TOKEN.to_owned()),
            (false, names) => ("the values of its variables were", names.join(" ")),
            (true, names) => (
                "its token and the values of its variables were",
                format!("{TOKEN}, and pass {}", names.join(" ")),
            ),
        };
        if !self.info.has_ended() {
            return Err(format!(
                "the values of its variables cannot be read from its process: pass {wanted}"
            ));
        }
        Err(format!("{what} not kept when it ended: pass {wanted}"))
    }
}

fn failure(text: String, exit: Exit) -> RestartError {
    RestartError { text, advice: None, exit }
}

fn assignment(name: &OsString) -> String {
    format!("--env {}=...", name.display())
}
