//! `bgpy logs`: shows what a server has logged.

use std::io::{self, Write};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use bgpy::logs::{Begin, Tail};
use bgpy::registry::Registry;
use bgpy::survey::look_up;
use clap::Args;

use crate::exit::Exit;
use crate::output;
use crate::reach::{Reach, registry};

/// How often a log that is followed is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Lines that are shown unless the user says otherwise.
const LINES: usize = 100;

/// Show what a server of yours on this machine has logged and printed, also after its end
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bgpy logs trainer               the last 100 lines
  bgpy logs trainer -f            and what comes, until the server ends
  bgpy logs trainer -n 0 -f       only what comes
  bgpy logs trainer --since 10m   the last ten minutes; 2h, 1d and 2026-01-31T12:00:00Z do as well")]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) reach: Reach,

    /// Go on with what comes, until the server has ended
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// Begin so many lines before the end
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "since")]
    pub(crate) lines: Option<usize>,

    /// Begin at this moment, or so long ago
    #[arg(long, value_name = "WHEN", value_parser = bgpy::journal::when)]
    pub(crate) since: Option<i64>,
}

impl Logs {
    pub(crate) fn run(self, interrupted: &dyn Fn() -> bool) -> Exit {
        let wait = self.reach.access.wait(interrupted);
        let registry = match registry() {
            Ok(registry) => registry,
            Err(exit) => return exit,
        };
        let target = &self.reach.target;
        let Some(info) = look_up(&registry, target, &wait) else {
            let text = format_args!("no server of yours on this machine is or was {target}");
            return output::error(text, Exit::NotRunning);
        };
        let Some(path) = info.entry.log_file else {
            let text = format_args!("{target} logs to no file, but to where it was started");
            return output::error(text, Exit::Failed);
        };
        match self.show(&registry, path.clone(), interrupted) {
            Ok(()) => Exit::Done,
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Exit::Interrupted,
            Err(error) => {
                let path = path.display();
                output::error(format_args!("the log '{path}': {error}"), Exit::Failed)
            }
        }
    }

    fn show(
        &self,
        registry: &Registry,
        path: PathBuf,
        interrupted: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let begin = match (self.lines, self.since) {
            (Some(lines), _) => Begin::LastLines(lines),
            (None, Some(ms)) => Begin::Since(ms),
            (None, None) => Begin::LastLines(LINES),
        };
        let mut tail = Tail::open(&path, begin)?;
        let (mut output, mut text) = (io::stdout().lock(), Vec::new());
        let wait = self.reach.access.wait(&|| false);
        let mut has_ended = false;
        loop {
            let came = tail.read(&mut text)?;
            output.write_all(&text)?;
            output.flush()?;
            text.clear();
            if came {
                continue;
            }
            // What it said last came after it was seen alive.
            if !self.follow || has_ended || wait.slice().is_none() {
                return Ok(());
            }
            thread::sleep(LOOK);
            if interrupted() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let target = &self.reach.target;
            let asked = look_up(registry, target, &wait);
            has_ended = asked.is_none_or(|info| info.has_ended());
        }
    }
}
