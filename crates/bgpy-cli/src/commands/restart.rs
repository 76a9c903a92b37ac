//! `bgpy restart`: ends a server and starts it again.

use std::ffi::OsString;
use std::time::Duration;

use bgpy::config::Config;
use bgpy::ending::{end_paused, until_ended};
use bgpy::registry::{Entry, Registry};
use bgpy::start;
use bgpy::survey::ServerState;
use bgpy::{Client, ClientOptions, ServerInfo, State, Wait};
use clap::Args;

use crate::World;
use crate::commands::start::variable;
use crate::ending::{Problem, end};
use crate::exit::Exit;
use crate::reach::{Reach, seconds};
use crate::{output, preflight};

/// A process that is not gone so soon after its server is waited for audibly.
const SOON: Duration = Duration::from_millis(500);

/// End a server of yours on this machine, and start it again as it was started
#[derive(Debug, Args)]
#[command(after_help = "\
All settings stay: name, address, token, directory, log file, limits and --env variables. All other
variables are those of this shell, and the tasks are read afresh from their file or module. A server is
ended only if it could be started again: directory and interpreter are there, address, log and entry can
be had, and the tasks are found and compile. An init_task that raises is found out only after the old
server has ended. One that waits to be started again is started at once.

One that has ended is started, too. A token that you chose and the values of --env are not kept after
the end of a server: pass them with --token-file and --env then.

Exit codes: 0 it is ready, 1 it does not start, or would not and was not ended, 3 there was no such
server, 4 timed out: it has not ended after the grace time, and is not started again.")]
pub(crate) struct Restart {
    #[command(flatten)]
    pub(crate) reach: Reach,

    /// Wait so long for the end
    #[arg(long, value_name = "SECONDS", default_value = "10", allow_negative_numbers = true,
          value_parser = seconds)]
    pub(crate) grace: Duration,

    /// Set an environment variable for the server, also one that it had; may be given several times
    #[arg(long, value_name = "K=V", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,
}

impl Restart {
    pub(crate) fn run(self, world: &World<'_>) -> Exit {
        let wait = self.reach.access.wait(world.interrupted);
        let (registry, info) = match self.reach.known(&wait) {
            Ok(known) => known,
            Err(exit) => return exit,
        };
        let (target, entry) = (&self.reach.target, &info.entry);
        let token = match self.reach.access.token() {
            Ok(token) => token.map(|token| token.expose().to_owned()),
            Err(exit) => return exit,
        };
        let config = self.config(entry, &registry, token);
        let is_sound =
            |config: &Config| preflight::check(config, &registry, &info, world.interrupted);
        let config = match config.and_then(|config| is_sound(&config).map(|()| config)) {
            Ok(config) => config,
            Err(reason) => {
                let text = format_args!("{target} cannot be started again: {reason}");
                return output::error(text, Exit::Failed);
            }
        };
        if !info.has_ended() {
            let ended = self.see_to_end(&registry, &info, world.interrupted);
            if let Err(exit) = ended {
                return exit;
            }
        }
        match start::start(config, &wait) {
            Ok(server) => {
                output::note(format_args!(
                    "Restarted {target} (process {}) at {}.",
                    server.pid, server.address
                ));
                Exit::Done
            }
            Err(error) if info.has_ended() => output::error(&error, Exit::from(&error)),
            Err(error) => {
                let exit = output::error(
                    format_args!("{target} has ended, and does not start again: {error}"),
                    Exit::from(&error),
                );
                let token = if entry.has_chosen_token { " --token-file FILE" } else { "" };
                output::note(format_args!(
                    "It is not running now. Once that is mended, `bgpy restart {target}{token}` starts it."
                ));
                exit
            }
        }
    }

    /// Ends the server, and waits for the end of its process, which is told what for.
    fn see_to_end(
        &self,
        registry: &Registry,
        info: &ServerInfo,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<(), Exit> {
        let (target, entry) = (&self.reach.target, &info.entry);
        let limit = self.reach.access.timeout.map_or(self.grace, |limit| limit.min(self.grace));
        let wait = Wait::new(Some(limit), interrupted);
        let limit = limit.as_secs_f64();
        if info.state == ServerState::Alive(State::Busy) {
            output::note(format_args!("Waiting up to {limit} s for the running task of {target}."));
        }
        // One that takes no calls any more needs not be told.
        let client = Client::new(entry.unique_target(), ClientOptions::default());
        let is_told = entry.retired_ms.is_some() || end_paused(&entry.unique_target(), &wait);
        let told = if is_told { Ok(()) } else { end(&client, &wait) };
        match told {
            Ok(()) => {}
            // It has ended all the same.
            Err(problem @ Problem::ExitTask(_)) => output::warning(problem.text(target)),
            Err(problem @ Problem::Slow(_)) => {
                let text = problem.text(target);
                let text = format_args!("{text}; `bgpy restart {target}` starts it again then");
                return Err(output::error(text, problem.exit()));
            }
            Err(problem) => return Err(output::error(problem.text(target), problem.exit())),
        }
        let Err(hindrance) = until_ended(registry, entry, &Wait::new(Some(SOON), interrupted))
        else {
            return Ok(());
        };
        if wait.slice().is_some() && !interrupted() {
            output::note(format_args!("Waiting up to {limit} s for {target}: {hindrance}."));
        }
        until_ended(registry, entry, &wait).map_err(|hindrance| {
            // Time is left, so that it was the user who wanted to stop.
            if wait.slice().is_some() {
                return Exit::Interrupted;
            }
            let text = format_args!(
                "{target} is not started again: {hindrance}; `bgpy kill {target}` ends the process, \
                 and `bgpy restart {target}` starts the server afterwards"
            );
            output::error(text, Exit::TimedOut)
        })
    }

    /// What the server has to know to be as it was; an error says what is not known any more.
    fn config(
        &self,
        entry: &Entry,
        registry: &Registry,
        given: Option<String>,
    ) -> Result<Config, String> {
        let known = entry.config.as_deref().filter(|config| config.launch.is_some());
        let known = known.filter(|config| config.has_tasks()).ok_or(
            "it was not started in the background with a file or module of tasks, and has to be \
             ended and started where it came from",
        )?;
        let mut config = Config {
            port: entry.address.port(),
            wanted_port: Some(known.wanted_port()),
            instance: String::new(),
            log_file: registry.chosen_log_file(known).map(Into::into),
            token: entry.token.clone().or(given),
            is_token_made_up: entry.token.is_some() && !entry.has_chosen_token,
            ..known.clone()
        };
        let in_environment = std::env::var_os("BGPY_TOKEN").is_some_and(|token| !token.is_empty());
        let lacks_token = entry.has_chosen_token && config.token.is_none() && !in_environment;
        let launch = config.launch.as_mut().expect("it was looked for above");
        for (name, value) in &self.env {
            launch.set(name.into(), value.into());
        }
        // All at once, so that nobody is asked a second time.
        let variables: Vec<_> = launch.forgotten.iter().map(shown).collect();
        let (what, wanted) = match (lacks_token, &variables[..]) {
            (false, []) => return Ok(config),
            (true, []) => ("its token is", TOKEN.to_owned()),
            (false, names) => ("the values of its variables are", names.join(" ")),
            (true, names) => (
                "its token and the values of its variables are",
                format!("{TOKEN}, and pass {}", names.join(" ")),
            ),
        };
        Err(format!("{what} not kept after its end: pass {wanted}"))
    }
}

/// How a token is given again.
const TOKEN: &str = "the token with --token-file, or set BGPY_TOKEN";

fn shown(name: &OsString) -> String {
    format!("--env {}=...", name.display())
}
