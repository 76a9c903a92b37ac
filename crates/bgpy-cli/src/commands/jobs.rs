//! `bgpy jobs`: lists the jobs that a server knows.

use std::time::{Duration, UNIX_EPOCH};

use anstyle::{AnsiColor, Style};
use bgpy::jobs::{JobInfo, JobState};
use clap::Args;
use serde_json::{Value, json};

use crate::connect::{ServerArgs, Trust, advice, completion};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::progress::progress_json;
use crate::output::table::{Cell, Table};
use crate::output::view::{span, time};
use crate::output::{self, Output};

/// List the jobs of a server, the newest first
#[derive(Debug, Args)]
#[command(after_help = "\
STATE is queued, running, done, failed or cancelled. A server forgets a job when its result was kept for its \
time, and all of them when it ends.

Exit codes: 0 listed, 1 there is no such job, 3 not running, 4 timed out, 5 wrong token, 6 not a bgpy server or \
another version.

Examples:
  bgpy jobs trainer
  bgpy jobs trainer order-17
  bgpy jobs trainer -o json  all that is known, for scripts")]
pub(crate) struct Jobs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// Only this job
    #[arg(value_name = "JOB", add = completion::of_jobs())]
    pub(crate) job: Option<String>,

    #[command(flatten)]
    pub(crate) trust: Trust,

    #[command(flatten)]
    pub(crate) output: Output,
}

impl Jobs {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let client = self.server.client(&self.trust)?;
        let wait = self.server.access.wait(context);
        let link = client.link(&wait).map_err(advice::failed)?;
        let reply = link.jobs(self.job.as_deref(), &wait).map_err(advice::failed)?;
        if self.output.is_json() {
            output::json(&Value::Array(reply.jobs.iter().map(in_json).collect()));
        } else {
            let target = &self.server.target;
            if reply.jobs.is_empty() {
                output::note(format_args!("{target} knows no jobs."));
                return Ok(());
            }
            let table = table(&reply.jobs);
            output::styled(table.lines(self.output.width(), self.output.is_colored()));
        }
        if reply.left_out > 0 {
            output::note(format_args!("{} older ones are left out.", reply.left_out));
        }
        Ok(())
    }
}

fn table(jobs: &[JobInfo]) -> Table {
    let mut table = Table::new()
        .texts("JOB", 9)
        .texts("STATE", 8)
        .texts("TASK", 7)
        .texts("SUBMITTED", 4)
        .texts("TOOK", 5)
        .texts("PROGRESS", 6);
    for info in jobs {
        let took = took(info).map(|took| span(took.as_secs_f64())).unwrap_or_default();
        let told = match (&info.progress, &info.error) {
            (None, Some(error)) => Cell::cut(error.lines().next().unwrap_or_default()),
            (progress, _) => Cell::progress(progress.as_ref(), ""),
        };
        table.row(vec![
            info.job.as_str().into(),
            Cell::styled(info.state.name(), style(info.state)),
            info.task.as_str().into(),
            format!("{} ago", span(since(info.submitted_ms).as_secs_f64())).into(),
            took.into(),
            told,
        ]);
    }
    table
}

fn style(state: JobState) -> Style {
    match state {
        JobState::Running => AnsiColor::Cyan.on_default(),
        JobState::Done => AnsiColor::Green.on_default(),
        JobState::Failed => AnsiColor::Red.on_default(),
        JobState::Queued => Style::new(),
        JobState::Cancelled => Style::new().dimmed(),
    }
}

fn in_json(info: &JobInfo) -> Value {
    json!({
        "job": info.job,
        "state": info.state.name(),
        "task": info.task,
        "submitted": time(info.submitted_ms),
        "began": info.began_ms.map(time),
        "ended": info.ended_ms.map(time),
        "call": info.call,
        "progress": info.progress.as_ref().map(progress_json),
        "error": info.error,
        "bytes": info.bytes,
    })
}

/// How long ago a moment of the server's clock was. That may be another clock than ours.
fn since(ms: i64) -> Duration {
    let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or_default());
    at.elapsed().unwrap_or_default()
}

/// How long a job has run, once it has ended.
pub(super) fn took(info: &JobInfo) -> Option<Duration> {
    u64::try_from(info.ended_ms? - info.began_ms?).ok().map(Duration::from_millis)
}
