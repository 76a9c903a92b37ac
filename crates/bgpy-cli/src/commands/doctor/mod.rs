//! `bgpy doctor`: finds problems with bgpy on this machine, and says how to fix them.

mod checks;

use std::cell::Cell;

use anstyle::{AnsiColor, Style};
use clap::Args;
use serde_json::{Value, json};

use self::checks::{Finding, Level, check_all};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::{self, Output};

/// Find problems with bgpy on this machine, and say how to fix them
#[derive(Debug, Args)]
#[command(after_help = "\
Each finding is ok, a note (no action needed), or an error. --fix removes only files that are certain to be \
unused: those that dead servers have left behind.

Exit codes: 0 nothing is wrong, 1 something is wrong.

Examples:
  bgpy doctor
  bgpy doctor --fix
  bgpy doctor -o json  for scripts")]
pub(crate) struct Doctor {
    /// Remove unused files that dead servers have left behind
    #[arg(long)]
    pub(crate) fix: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}

impl Doctor {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        // Each interruption is reported only once, but several checks poll.
        let was_interrupted = Cell::new(false);
        let interrupted = || {
            was_interrupted.set(was_interrupted.get() || (context.interrupted)());
            was_interrupted.get()
        };
        let findings = check_all(self.fix, context.program(None), &interrupted);
        if interrupted() {
            return Err(Exit::Interrupted);
        }
        if self.output.is_json() {
            output::json(&findings.iter().map(finding_json).collect());
        } else {
            for finding in &findings {
                output::styled(line(finding, self.output.is_colored()));
            }
        }
        let has_error = findings.iter().any(|finding| finding.level == Level::Error);
        if has_error { Err(Exit::Failed) } else { Ok(()) }
    }
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "level": finding.level.as_str(),
        "about": finding.about,
        "text": finding.text,
        "fix": finding.fix,
    })
}

fn line(finding: &Finding, colored: bool) -> String {
    let style = match finding.level {
        _ if !colored => Style::new(),
        Level::Ok => AnsiColor::Green.on_default(),
        Level::Note => AnsiColor::Yellow.on_default(),
        Level::Error => AnsiColor::Red.on_default().bold(),
    };
    let Finding { level, about, text, fix } = finding;
    let fix = fix.as_ref().map(|fix| format!("; {fix}")).unwrap_or_default();
    let (level, text, fix) = (level.as_str(), output::shown(text), output::shown(&fix));
    format!("{style}{level:<5}{style:#}  {about:<9}  {text}{fix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line() {
        let ok = Finding::ok("token", "BGPY_TOKEN is not set");
        assert_eq!(line(&ok, false), "ok     token      BGPY_TOKEN is not set");
        let error = Finding::error("directory", "others may enter it", "chmod 700 it");
        assert_eq!(line(&error, false), "error  directory  others may enter it; chmod 700 it");
        assert!(line(&error, true).starts_with("\u{1b}[1m\u{1b}[31merror\u{1b}[0m  directory"));
    }
}
