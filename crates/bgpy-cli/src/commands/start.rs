//! `bgpy start`: runs a server in the background.

use bgpy::config::Config;
use bgpy::error::StartError;
use bgpy::registry::Entry;
use bgpy::start::attach::{Started, start_or_attach};
use bgpy::{Name, State, Target, start};
use clap::Args;
use serde_json::json;

use crate::connect::{Timeout, advice, started_json};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::{self, Form};
use crate::server_settings::ServerSettings;

/// The help of `--log-file`.
const LOG_FILE: &str = "Append the log to this file [default: one in the runtime directory]";

/// Start a server in the background, and return when it is ready
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 ready, 1 not started (the server's own error is shown), 2 wrong arguments, 4 not ready in \
time.

Examples:
  bgpy start counter.py:Counter              a server named 'counter' with a Counter()
  bgpy start counter.py:Counter --with start=5
  bgpy start tasks.py                        a server named 'tasks', with tasks
  bgpy start mypackage.tasks --name trainer
  bgpy start tasks.py --env CUDA_VISIBLE_DEVICES=1 --timeout 2m
  bgpy start tasks.py --restart on-failure   restart it after a crash
  bgpy start tasks.py --exist-ok             succeed if one of that name already runs
  bgpy start tasks.py --replace              run the file as it is now
  bgpy start tasks.py --watch                restart it after each edit")]
#[command(mut_arg("log_file", |argument| argument.help(LOG_FILE)))]
pub(crate) struct Start {
    #[command(flatten)]
    pub(crate) settings: ServerSettings,

    #[command(flatten)]
    pub(crate) limit: Timeout,

    /// Succeed if a server of that name already runs (it keeps its code; a warning says what differs)
    #[arg(long)]
    pub(crate) exist_ok: bool,

    /// If a server of that name runs, end it after the calls that it has accepted, and start this one in its
    /// place; calls wait in the meantime
    #[arg(long, conflicts_with_all = ["exist_ok", "no_wait"])]
    pub(crate) replace: bool,

    /// Return without waiting until the server is ready; see `bgpy wait` and `bgpy status`
    #[arg(long, conflicts_with = "exist_ok")]
    pub(crate) no_wait: bool,

    #[command(flatten)]
    pub(crate) form: Form,
}

impl Start {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        self.settings.warn_of_places();
        let program = context.program(self.settings.python.as_deref());
        let config = self.settings.config_with_launch(program)?;
        let name = config.name.clone().expect("a recipe has a name");
        let wait = self.limit.wait(context);
        let asked = config.clone();
        let started = if self.no_wait {
            start::start_unwatched(config).map(|()| None)
        } else if self.exist_ok {
            start_or_attach(&name, &config, &wait).map(Some)
        } else if self.replace {
            start::replace(&name, config, &wait).map(|server| Some(Started::Here(server)))
        } else {
            start::start(config, &wait).map(|server| Some(Started::Here(server)))
        };
        let failed =
            |error: StartError| output::error(advice::start_error(&error), Exit::from(&error));
        match started.map_err(failed)? {
            Some(started) => {
                if let Started::Attached(entry) = &started {
                    warn_of_differences(&name, entry, &asked);
                }
                report(&name, &started, self.form, &wait);
            }
            None => {
                if self.form.is_json() {
                    output::json(&json!({ "name": name, "state": State::Starting.as_str() }));
                } else {
                    output::data(&name);
                }
                output::achieved(format!("'{name}' is starting; see `bgpy status {name}`"));
                // Its process id is not known yet: the child of this process is the supervisor.
                output::note(format_args!("Starting '{name}'."));
            }
        }
        Ok(())
    }
}

/// Says what the server that was found has otherwise than the options ask for.
fn warn_of_differences(name: &Name, entry: &Entry, asked: &Config) {
    let differences = start::differences(entry, asked);
    if !differences.is_empty() {
        output::warning(format_args!(
            "'{name}' already runs with other settings: {}; to change that, pass --replace instead of --exist-ok",
            differences.join("; ")
        ));
    }
}

/// Prints what was started; scripts read the name.
fn report(name: &Name, started: &Started, form: Form, wait: &bgpy::Wait<'_>) {
    let (word, pid, address) = match started {
        Started::Here(server) => ("Started", server.pid, server.address),
        Started::Attached(entry) => ("Found", entry.pid(), entry.address),
    };
    if form.is_json() {
        output::json(&started_json(&Target::Name(name.clone()), pid, address, wait));
    } else {
        output::data(name);
    }
    output::achieved(format!(
        "the server '{name}' is running (process {pid}) at {address}; `bgpy stop {name}` stops it"
    ));
    output::note(format_args!("{word} '{name}' (process {pid}) at {address}."));
}
