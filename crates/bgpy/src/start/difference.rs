//! What a running server has otherwise than somebody asks for.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::config::{Config, Launch};
use crate::duration;
use crate::registry::Entry;

/// What the server of an entry has otherwise than a configuration asks for, as text. What the
/// configuration leaves open, such as the port, is no difference.
pub fn differences(running: &Entry, wanted: &Config) -> Vec<String> {
    let Some(known) = &running.full_config() else { return Vec::new() };
    let mut found = Differences::default();
    found.in_tasks(running, known, wanted);
    if let (Some(known), Some(wanted)) = (&known.launch, &wanted.launch) {
        found.in_launch(known, wanted);
    }
    found.note("host", &known.host, &wanted.host);
    if wanted.port != 0 {
        found.note("port", running.address.port(), wanted.port);
    }
    if differ(&running.token, &wanted.token) {
        found.0.push("its token differs".to_owned());
    }
    if let Some(path) = &wanted.log_file {
        found.note("log file", shown(known.log_file.as_deref()), shown(Some(path)));
    }
    let timeout =
        |config: &Config| config.idle_timeout().map_or_else(|| "none".to_owned(), duration::shown);
    found.note("log level", &known.log_level, &wanted.log_level);
    found.note("idle timeout", timeout(known), timeout(wanted));
    found.note("number of threads", known.threads(), wanted.threads());
    found.note("restart policy", known.restart, wanted.restart);
    if wanted.watch {
        found.note("watching for changes", on(known.watch), on(true));
    }
    found.note("authentication", on(known.auth), on(wanted.auth));
    found.note("unpickling", on(known.allow_pickle), on(wanted.allow_pickle));
    found.note("limit of messages", known.message_bytes_max, wanted.message_bytes_max);
    found.0
}

#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn note(&mut self, what: &str, running: impl Display, wanted: impl Display) {
        let (running, wanted) = (running.to_string(), wanted.to_string());
        if running != wanted {
            self.0.push(format!("its {what} is {running}, not {wanted}"));
        }
    }

    fn in_tasks(&mut self, running: &Entry, known: &Config, wanted: &Config) {
        if !wanted.has_tasks() && wanted.tasks_fingerprint.is_none() {
            return;
        }
        let (from, to) = (known.origin(), wanted.origin());
        if from != to && (known.init_object.is_some() || wanted.init_object.is_some()) {
            let from = from.as_deref().unwrap_or("what a client has sent");
            let to = to.as_deref().unwrap_or("what you send");
            self.0.push(format!("it serves {from}, not {to}"));
        } else if from != to {
            let from = from.as_deref().unwrap_or("a client");
            let to = to.as_deref().unwrap_or("functions");
            self.0.push(format!("its tasks are from {from}, not from {to}"));
        } else if let Some(path) = &wanted.init_file
            && has_changed(path, running.started_ms)
        {
            self.0.push(format!("'{}' has changed since it started", path.display()));
        } else if differ(&known.tasks_fingerprint, &wanted.tasks_fingerprint) {
            self.0.push("its functions differ from yours".to_owned());
        }
        if from == to {
            self.in_arguments(&known.init_arguments, &wanted.init_arguments);
        }
    }

    fn in_arguments(&mut self, known: &[(String, String)], wanted: &[(String, String)]) {
        for (name, _) in wanted.iter().filter(|argument| !known.contains(argument)) {
            // The values may be secrets.
            self.0.push(format!("its argument {name} has another value, or none"));
        }
        let is_wanted = |name: &String| wanted.iter().any(|(other, _)| other == name);
        for (name, _) in known.iter().filter(|(name, _)| !is_wanted(name)) {
            self.0.push(format!("it has the argument {name}"));
        }
    }

    fn in_launch(&mut self, known: &Launch, wanted: &Launch) {
        let program = |launch: &Launch| launch.command.first().map(PathBuf::from);
        let (runs, asked) = (program(known), program(wanted));
        if !runs.as_deref().zip(asked.as_deref()).is_some_and(|(a, b)| is_same_program(a, b)) {
            self.note("interpreter", shown(runs.as_deref()), shown(asked.as_deref()));
        }
        if wanted.directory.is_some() {
            self.note(
                "working directory",
                shown(known.directory.as_deref()),
                shown(wanted.directory.as_deref()),
            );
        }
        for (name, value) in &wanted.environment {
            if known.forgotten.contains(name) {
                continue;
            }
            let other = known.environment.iter().find(|(other, _)| other == name);
            if other.map(|(_, value)| value) != Some(value) {
                // The values may be secrets.
                let name = name.display();
                self.0.push(format!("its variable {name} has another value, or none"));
            }
        }
    }
}

/// Whether two paths are the same program of the same environment, as `python` and `python3` are.
fn is_same_program(one: &Path, other: &Path) -> bool {
    let target = |path: &Path| path.canonicalize().ok();
    one == other || (one.parent() == other.parent() && target(one) == target(other))
}

/// Whether two things are known, and not the same.
fn differ(one: &Option<String>, other: &Option<String>) -> bool {
    one.as_ref().zip(other.as_ref()).is_some_and(|(one, other)| one != other)
}

fn has_changed(path: &Path, since_ms: i64) -> bool {
    let since = UNIX_EPOCH + Duration::from_millis(u64::try_from(since_ms).unwrap_or_default());
    fs::metadata(path).and_then(|about| about.modified()).is_ok_and(|changed| changed > since)
}

fn shown(path: Option<&Path>) -> String {
    path.map_or_else(|| "unknown".to_owned(), |path| format!("'{}'", path.display()))
}

fn on(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}
