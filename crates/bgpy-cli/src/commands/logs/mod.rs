//! `bgpy logs`: shows the log of a server.

mod shown;

use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use bgpy::error::Lost;
use bgpy::log::read::{Begin, Tail};
use bgpy::registry::{Entry, Registry};
use bgpy::survey::look_up;
use bgpy::{CallError, LogReply, LogRequest, ServerInfo, Target, Wait};
use clap::Args;

use self::shown::Shown;
use crate::connect::{ServerArgs, Trust, advice, registry};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::terminal;
use crate::output::{self, Output};

/// How often the file of a followed log is read.
const LOOK: Duration = Duration::from_millis(50);

/// How often a server on another machine is asked for new lines.
const ASK: Duration = Duration::from_millis(200);

/// Lines that are shown by default.
const LINES: usize = 100;

/// Show the log of a server, with everything that its tasks print
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bgpy logs trainer               the last 100 lines
  bgpy logs trainer -f            and new ones, until the server ends
  bgpy logs trainer -n 0 -f       only new ones
  bgpy logs trainer --since 10m   the last ten minutes; also 2h, 1d or 2026-01-31T12:00:00Z
  bgpy logs trainer -o json       an object per line, with time, level and text
  bgpy logs gpu1:54321 --token-file token -f
                                  of a server on another machine, while it runs

The logs of your own servers on this machine remain after the servers have ended.

Exit codes: 0 shown, 1 there is no log, 3 no such server, 5 wrong token.")]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) trust: Trust,

    /// Keep printing new lines until the server ends
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// Show the last N lines [default: 100]
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "since")]
    pub(crate) lines: Option<usize>,

    /// Show lines since a time or age, e.g. 10m
    #[arg(long, value_name = "WHEN", value_parser = bgpy::log::when)]
    pub(crate) since: Option<i64>,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// A server of the same name that starts so soon after the end of another continues it.
const SUCCESSION: Duration = Duration::from_secs(2);

impl Logs {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let (registry, target) = (registry()?, &self.server.target);
        let Some(info) = self.server.look_up(&registry, &self.server.access.wait(context))? else {
            return match target {
                Target::Name(_) => Err(self.server.unknown(&registry)),
                Target::Address(_) | Target::Socket(_) => self.ask(context),
            };
        };
        let Some(path) = &info.entry.log_file else {
            let text = format_args!("{target} has no log file: it logs where it was started");
            return Err(output::error(text, Exit::Failed));
        };
        let shown = self.show(&registry, info.entry.clone(), path, context.interrupted);
        shown.map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => Exit::Interrupted,
            _ => {
                let text = format_args!("cannot read the log '{}': {error}", path.display());
                output::error(text, Exit::Failed)
            }
        })
    }

    fn begin(&self) -> Begin {
        match (self.lines, self.since) {
            (Some(lines), _) => Begin::LastLines(lines),
            (None, Some(ms)) => Begin::Since(ms),
            (None, None) => Begin::LastLines(LINES),
        }
    }

    /// Whether to show what is kept of deleted files, too: not if the user asked for certain lines.
    fn shows_remains(&self) -> bool {
        !self.follow && self.lines.is_none() && self.since.is_none()
    }

    fn show(
        &self,
        registry: &Registry,
        mut entry: Entry,
        path: &Path,
        interrupted: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let mut output = Shown::new(self.output);
        if self.shows_remains() {
            let mut text = Vec::new();
            Tail::open(path, Begin::Start)?.read(&mut text)?;
            output.remains(&text);
        }
        let (mut tail, mut text) = (Tail::open(path, self.begin())?, Vec::new());
        let wait = Wait::new(self.server.access.limit.timeout, &|| false);
        let (mut has_ended, mut was_empty) = (false, false);
        loop {
            let came = tail.read(&mut text)?;
            if !output.write(&text) {
                return Ok(());
            }
            text.clear();
            if came {
                was_empty = false;
                continue;
            }
            // A file that was rotated meanwhile is left only when it is empty a second time.
            if (has_ended || !self.follow) && !std::mem::replace(&mut was_empty, true) {
                continue;
            }
            if has_ended
                && self.follow
                && let Some(next) = successor(registry, &entry, &wait)
            {
                if next.log_file != entry.log_file
                    && let Some(path) = &next.log_file
                {
                    tail = Tail::open(path, Begin::Start)?;
                }
                (entry, has_ended) = (next, false);
                continue;
            }
            // Its last lines may have come after it was seen alive.
            if !self.follow || has_ended || wait.slice().is_none() {
                output.finish();
                return Ok(());
            }
            thread::sleep(LOOK);
            if terminal::is_gone() {
                return Ok(());
            }
            if interrupted() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let target = &self.server.target;
            let asked = look_up(registry, target, &wait)?;
            // Another server may have its name or address by now.
            let is_it = |info: &ServerInfo| info.entry.instance == entry.instance;
            has_ended = asked.filter(is_it).is_none_or(|info| info.has_ended());
        }
    }

    /// Shows the log of a server that is not in the registry, by asking the server for it.
    fn ask(&self, context: &Context<'_>) -> Result<(), Exit> {
        let client = self.server.client(&self.trust)?;
        let (wait, target) = (self.server.access.wait(context), &self.server.target);
        let mut link = client.link(&wait).map_err(advice::failed)?;
        let (mut output, mut request) = (Shown::new(self.output), self.begin().request());
        if self.shows_remains()
            && let Ok(LogReply::Piece(piece)) = link.log(&LogRequest::Start, &wait)
        {
            output.remains(&piece.text);
        }
        loop {
            let piece = match link.log(&request, &wait) {
                Ok(LogReply::Piece(piece)) => piece,
                Ok(LogReply::Unreadable(why)) => {
                    return Err(output::error(format_args!("{target}: {why}"), Exit::Failed));
                }
                // It has ended, or has failed and is being restarted.
                Err(CallError::Lost { reason: Lost::Closed | Lost::Io(_), .. }) if self.follow => {
                    let instance = link.hello().instance;
                    match client.link(&wait) {
                        Ok(again) if again.hello().instance == instance => link = again,
                        _ => return Ok(()),
                    }
                    continue;
                }
                Err(error) => return Err(advice::failed(error)),
            };
            if !output.write(&piece.text) {
                return Ok(());
            }
            request = LogRequest::After(piece.after);
            if !piece.more {
                let Some(left) = wait.slice().filter(|_| self.follow) else {
                    output.finish();
                    return Ok(());
                };
                thread::sleep(left.min(ASK));
            }
            if terminal::is_gone() {
                return Ok(());
            }
            if (context.interrupted)() {
                return Err(Exit::Interrupted);
            }
            if self.follow && wait.slice().is_none() {
                return Ok(());
            }
        }
    }
}

/// The server that `bgpy restart` has started in place of one that has ended, or is about to.
fn successor(registry: &Registry, entry: &Entry, wait: &Wait<'_>) -> Option<Entry> {
    let name = entry.name.as_ref()?;
    let ended_ms = registry.ended_entry(&entry.instance)?.ending?.at_ms;
    let is_next = |next: &Entry| {
        next.instance != entry.instance
            && next.started_ms - ended_ms < SUCCESSION.as_millis() as i64
    };
    loop {
        // In this order: a server has its entry before its starter lets others start.
        let is_to_come = registry.is_about_to_start(name);
        let next = registry.named(name).ok()?.into_iter().find(is_next);
        if next.is_some() || !is_to_come || wait.slice().is_none() || terminal::is_gone() {
            return next;
        }
        thread::sleep(LOOK);
    }
}
