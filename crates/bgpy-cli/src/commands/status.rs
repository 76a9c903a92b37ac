//! `bgpy status`: shows everything about one server.

use std::time::Duration;

use anstyle::Style;
use bgpy::survey::ServerState;
use bgpy::{Link, Restart, ServerInfo, Status, Wait};
use clap::Args;
use serde_json::json;

use crate::connect::{ServerArgs, Trust, advice, registry};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::view::{server_json, status_json, status_rows, style, time};
use crate::output::{self, Output, terminal};

/// Columns of a title.
const TITLE_COLUMNS: usize = 9;

/// Show everything about a server, and what it is doing now
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 running, 3 not running (shows how it ended, or when it will be restarted), 4 no response, \
5 wrong token, 6 not a bgpy server or another version.

Examples:
  bgpy status trainer
  bgpy status 127.0.0.1:54321 -o json")]
pub(crate) struct ShowStatus {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) trust: Trust,

    #[command(flatten)]
    pub(crate) output: Output,
}

impl ShowStatus {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let wait = self.server.access.wait(context);
        // Without a registry, the server itself is asked.
        let known =
            registry().map_or(Ok(None), |registry| self.server.look_up(&registry, &wait))?;
        if let Some(info) = known {
            self.show_known(&info);
            return match info.state {
                ServerState::Alive(_) => Ok(()),
                ServerState::Exited | ServerState::Failed | ServerState::Restarting => {
                    Err(Exit::NotRunning)
                }
                ServerState::Stale => Err(Exit::TimedOut),
            };
        }
        let link = self.server.client(&self.trust)?.link(&wait).map_err(advice::failed)?;
        let status = link.status(&wait).map_err(advice::failed)?.of_others();
        let class = link.methods(&wait).ok().map(|table| table.class);
        self.show_answer(&link, &status, class);
        Ok(())
    }

    /// The class of an object that a client has sent; only the server knows it.
    fn class_from_client(&self, info: &ServerInfo) -> Option<String> {
        let is_alive = matches!(info.state, ServerState::Alive(_));
        let has_origin = info.entry.config.as_ref().is_some_and(|config| config.origin().is_some());
        if !is_alive || has_origin {
            return None;
        }
        let wait = Wait::at_most(CLASS_LIMIT);
        let link = self.server.client(&self.trust).ok()?.link(&wait).ok()?;
        Some(link.methods(&wait).ok()?.class)
    }

    /// Shows a server that is not in the registry.
    fn show_answer(&self, link: &Link, status: &Status, class: Option<String>) {
        let hello = link.hello();
        if self.output.is_json() {
            return output::json(&json!({
                "name": status.name,
                "state": status.state.as_str(),
                "instance": hello.instance.to_string(),
                "generation": hello.generation,
                "bgpy": hello.bgpy,
                "python": hello.python,
                "class": class,
                "status": status_json(status),
            }));
        }
        let mut lines = Lines::new(self.output.is_colored());
        lines.add("server", &self.server.target.to_string());
        lines.status(status);
        if let Some(class) = class {
            lines.add("serves", &class);
        }
        lines.versions(&hello.bgpy, hello.python.as_deref());
        output::styled(lines.text.trim_end());
    }

    fn show_known(&self, info: &ServerInfo) {
        let class = self.class_from_client(info);
        if self.output.is_json() {
            let mut shown = server_json(info);
            if let Some(class) = class {
                shown["class"] = class.into();
            }
            return output::json(&shown);
        }
        let entry = &info.entry;
        let mut lines = Lines::new(self.output.is_colored());
        lines.add("server", &entry.target().to_string());
        match &info.status {
            Some(status) => lines.status(status),
            None => lines.state(info.state),
        }
        if let Some(reason) = &info.reason {
            lines.add("reason", reason);
        }
        let config = entry.config.as_ref().filter(|config| config.init_object.is_some());
        if let Some(origin) = config.and_then(|config| config.origin()) {
            lines.add("serves", &origin);
        } else if let Some(class) = &class {
            lines.add("serves", &format!("{class} of the client that started it"));
        }
        lines.add("process", &entry.pid().to_string());
        lines.add("address", &entry.address.to_string());
        if let Some(socket) = &entry.socket {
            lines.add("socket", &socket.display().to_string());
        }
        if let Some(log) = &entry.log_file {
            lines.add("log", &log.display().to_string());
        }
        lines.add("started", &time(entry.started_ms));
        if let Some(policy) = entry.config.as_ref().map(|config| config.restart)
            && policy != Restart::Never
        {
            lines.add("restarts", &format!("{} ({policy})", entry.generation));
            if let Some(failing) = &entry.failing {
                lines.add("failed", &format!("{}: {}", time(failing.at_ms), failing.last));
            }
        }
        if entry.config.as_ref().is_some_and(|config| config.watch) {
            lines.add("watches", "its files, and starts again when they change");
        }
        if let Some(ending) = &entry.ending {
            lines.add("ended", &time(ending.at_ms));
        }
        lines.add("instance", &entry.instance);
        lines.versions(&entry.bgpy, entry.python.as_deref());
        output::styled(lines.text.trim_end());
        let has_failed = matches!(info.state, ServerState::Failed | ServerState::Restarting);
        let log = entry.log_file.as_deref().filter(|_| has_failed);
        if let Some(words) = log.and_then(|log| bgpy::log::read::last_words(log).ok()) {
            output::data(format_args!("last lines of its log:\n{}", words.trim_end()));
        }
    }
}

/// How long a server may take to name its class: everything else about it is known already.
const CLASS_LIMIT: Duration = Duration::from_secs(1);

/// Lines with a title and a value.
struct Lines {
    text: String,
    colored: bool,
}

impl Lines {
    fn new(colored: bool) -> Self {
        Self { text: String::new(), colored }
    }

    fn add(&mut self, title: &str, text: &str) {
        self.text += &format!("{title:<TITLE_COLUMNS$} {}\n", output::shown(text));
    }

    fn state(&mut self, state: ServerState) {
        let style = if self.colored { style(state) } else { Style::new() };
        self.text += &format!("{:<TITLE_COLUMNS$} {style}{state}{style:#}\n", "state");
    }

    fn status(&mut self, status: &Status) {
        self.state(ServerState::Alive(status.state));
        let columns = terminal::width().map(|width| width.saturating_sub(TITLE_COLUMNS + 1));
        // The first row is the state, without its color.
        for (title, text) in status_rows(status, columns).split_off(1) {
            self.add(title, &text);
        }
    }

    fn versions(&mut self, bgpy: &str, python: Option<&str>) {
        let python = python.map(|version| format!(", Python {version}")).unwrap_or_default();
        self.add("versions", &format!("bgpy {bgpy}{python}"));
    }
}
