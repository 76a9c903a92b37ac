//! `bgpy cancel`: cancels a call of any client.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bgpy::duration;
use bgpy::{
    AbortReply, AbortRequest, Aborted, CallError, Client, FailureCode, Link, State, Status, Target,
    Wait,
};
use clap::Args;
use serde_json::json;

use super::jobs;
use crate::connect::{TokenFile, Trust, advice, completion};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::view::span;
use crate::output::{self, Form};

/// How soon the server is asked whether the call has ended. It is asked less and less often.
const LOOK: Duration = Duration::from_millis(1);

/// How often it is asked at the least.
const LOOK_LEAST: Duration = Duration::from_millis(50);

/// Cancel the call that a server runs, one that waits, or a job
#[derive(Debug, Args)]
#[command(after_help = "\
A call that waits will not run. In one that runs, `bgpy.Cancelled` is raised; the command waits until the call \
has ended. `bgpy status TARGET` shows the number of the call that runs; those that wait have the next numbers, \
in the order in which they will run.

Exit codes: 0 cancelled, 1 not cancelled: there is no such call, it still runs, or the server cannot cancel it, \
3 not running, 4 no response, 5 wrong token, 6 not a bgpy server or another version, 130 interrupted.

Examples:
  bgpy cancel trainer
  bgpy cancel trainer 17            only call 17, whether it runs or waits
  bgpy cancel trainer order-17      the job of that name
  bgpy cancel trainer --timeout 1m  give its task a minute to clean up")]
pub(crate) struct Cancel {
    /// The server: its name, HOST:PORT or socket path
    #[arg(value_name = "TARGET", add = completion::targets())]
    pub(crate) target: Target,

    /// The number of the call, or the name of a job [default: the call that runs]
    #[arg(value_name = "CALL|JOB", add = completion::of_jobs())]
    pub(crate) which: Option<String>,

    /// A job whose name is a number
    #[arg(long, value_name = "JOB", conflicts_with = "which", add = completion::of_jobs())]
    pub(crate) job: Option<String>,

    /// Give up after this time, e.g. 10s or 2m
    #[arg(long, value_name = "DURATION", default_value = "5s", allow_negative_numbers = true,
          value_parser = duration::read)]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) secret: TokenFile,

    #[command(flatten)]
    pub(crate) trust: Trust,

    #[command(flatten)]
    pub(crate) form: Form,
}

/// How long a task had run at a moment.
#[derive(Debug, Clone, Copy)]
struct Ran {
    at: Instant,
    before: Duration,
}

/// What became of the call.
enum Outcome {
    /// It ran, for so long as far as the server has told, and has ended.
    Cancelled(Option<Duration>),
    /// It waited, and will not run.
    Removed,
    /// It still runs.
    Running,
    /// The server cannot cancel it.
    Refused,
    /// There is no such call.
    Unknown,
}

impl Cancel {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let client = Client::new(self.target.clone(), self.secret.options(&self.trust)?);
        let wait = Wait::new(Some(self.timeout), context.interrupted).with_notices(context.notices);
        let link = client.link(&wait).map_err(advice::failed)?;
        let asked = Instant::now();
        let before = link.status(&wait).map_err(advice::failed)?;
        let request = AbortRequest { call: self.call(), job: self.job().map(str::to_owned) };
        let reply = link.abort(&request, &wait).map_err(advice::failed)?;
        if let Some(job) = self.job().filter(|_| reply.outcome == Aborted::Unknown) {
            // Fails if the server does not know the job.
            if let Err(error) = link.jobs(Some(job), &wait) {
                self.tell(&reply, &Outcome::Unknown);
                return Err(advice::failed(error));
            }
        }
        let outcome = match reply.outcome {
            Aborted::Interrupted => match self.job() {
                Some(job) => self.see_out(&wait, || job_ended(&link, job, &wait))?,
                None => {
                    let ran = Ran::told_by(&before, asked).filter(|_| before.call == reply.call);
                    self.see_out(&wait, call_ended(&link, reply.call, ran, &wait))?
                }
            },
            Aborted::Removed => Outcome::Removed,
            Aborted::Refused => Outcome::Refused,
            Aborted::Unknown => Outcome::Unknown,
        };
        self.report(&reply, &outcome, before.state)
    }

    /// The number of the call.
    fn call(&self) -> Option<u64> {
        self.which.as_ref()?.parse().ok()
    }

    /// The name of the job.
    fn job(&self) -> Option<&str> {
        self.job.as_deref().or(self.which.as_deref().filter(|which| which.parse::<u64>().is_err()))
    }

    /// Waits until a call that was interrupted has ended. `look` asks the server for that.
    fn see_out(
        &self,
        wait: &Wait<'_>,
        mut look: impl FnMut() -> Result<Option<Outcome>, CallError>,
    ) -> Result<Outcome, Exit> {
        let mut pause = LOOK;
        loop {
            match look() {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => {}
                Err(CallError::Timeout { .. }) => return Ok(Outcome::Running),
                Err(error @ CallError::Lost { .. }) => return Err(self.ended(error)),
                Err(error) => return Err(advice::failed(error)),
            }
            let Some(slice) = wait.slice() else { return Ok(Outcome::Running) };
            thread::sleep(pause.min(slice));
            pause = (pause * 2).min(LOOK_LEAST);
            if wait.is_interrupted() {
                return Err(advice::failed(CallError::Interrupted));
            }
        }
    }

    /// Prints that the server has ended with the call.
    fn ended(&self, lost: CallError) -> Exit {
        let target = &self.target;
        match lost.with_ending() {
            CallError::Lost { ended, .. } => {
                let how = ended.map(|ended| format!(" ({ended})")).unwrap_or_default();
                let text = format_args!(
                    "{target} ended while its call was being cancelled{how}; `bgpy logs {target}` shows its log"
                );
                output::error(text, Exit::NotRunning)
            }
            error => advice::failed(error),
        }
    }

    /// Prints what became of the call for scripts, if they are to read it.
    fn tell(&self, reply: &AbortReply, outcome: &Outcome) {
        if !self.form.is_json() {
            return;
        }
        output::json(&json!({
            "target": self.target.to_string(),
            "call": reply.call.or(self.call()),
            "job": self.job(),
            "task": reply.task,
            "result": outcome.name(),
            "ran_s": outcome.ran().map(|ran| ran.as_secs_f64()),
        }));
    }

    fn report(&self, reply: &AbortReply, outcome: &Outcome, state: State) -> Result<(), Exit> {
        let target = &self.target;
        let call = match (self.job(), reply.call.or(self.call())) {
            (Some(job), _) => format!("job {job} of {target}"),
            (None, Some(number)) => format!("call {number} of {target}"),
            (None, None) => format!("the call of {target}"),
        };
        let task = reply.task.as_deref().unwrap_or("its task");
        let done = |text: String| {
            output::achieved(text.clone());
            output::note(text);
            Ok(())
        };
        self.tell(reply, outcome);
        let why = match outcome {
            Outcome::Cancelled(ran) => {
                let after = ran.map(|ran| format!(", after {}", span(ran.as_secs_f64())));
                return done(format!("Cancelled {call} ({task}{}).", after.unwrap_or_default()));
            }
            Outcome::Removed => {
                return done(format!("Cancelled {call}: it was waiting, and will not run."));
            }
            Outcome::Running => format!(
                "{call} still runs after {}: its task ({task}) has caught `bgpy.Cancelled`, or does not return from \
                 a call into C; `bgpy dump {target}` shows what it does",
                duration::shown(self.timeout)
            ),
            Outcome::Refused if reply.task.as_deref() == Some("exit_task") => format!(
                "exit_task of {target} cannot be cancelled; `bgpy kill {target}` ends its process"
            ),
            Outcome::Refused => format!(
                "{call} cannot be cancelled while it runs: the tasks of {target} do not run on the main thread of a \
                 Python process"
            ),
            Outcome::Unknown => match self.call() {
                _ if self.job().is_some() => format!("{call} is over"),
                Some(number) => format!("no call {number} runs or waits on {target}"),
                None if state == State::Starting => format!(
                    "{target} is starting, and runs no call that can be cancelled; `bgpy kill {target}` ends its \
                     process"
                ),
                None => format!("no call runs on {target}"),
            },
        };
        Err(output::error(why, Exit::Failed))
    }
}

/// Looks whether a call has ended: the server then runs none or another one.
fn call_ended(
    link: &Arc<Link>,
    call: Option<u64>,
    mut ran: Option<Ran>,
    wait: &Wait<'_>,
) -> impl FnMut() -> Result<Option<Outcome>, CallError> {
    move || {
        let asked = Instant::now();
        let status = link.status(wait)?;
        if status.call != call {
            return Ok(Some(Outcome::Cancelled(ran.map(|ran| ran.until_now()))));
        }
        ran = Ran::told_by(&status, asked).or(ran);
        Ok(None)
    }
}

/// Looks whether a job has ended. The status may tell of another one that runs at the same time.
fn job_ended(link: &Arc<Link>, job: &str, wait: &Wait<'_>) -> Result<Option<Outcome>, CallError> {
    match link.jobs(Some(job), wait) {
        Ok(reply) => {
            let over = reply.jobs.first().filter(|info| info.state.is_over());
            Ok(over.map(|info| Outcome::Cancelled(jobs::took(info))))
        }
        // It was not to be kept.
        Err(CallError::Failed { failure, .. }) if failure.code == FailureCode::NoJob => {
            Ok(Some(Outcome::Cancelled(None)))
        }
        Err(error) => Err(error),
    }
}

impl Ran {
    fn told_by(status: &Status, at: Instant) -> Option<Self> {
        let before = Duration::try_from_secs_f64(status.busy_s?).ok()?;
        Some(Self { at, before })
    }

    fn until_now(self) -> Duration {
        self.before + self.at.elapsed()
    }
}

impl Outcome {
    /// Its name in JSON.
    fn name(&self) -> &'static str {
        match self {
            Self::Cancelled(_) => "cancelled",
            Self::Removed => "removed",
            Self::Running => "running",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    /// How long the task has run, if it has ended.
    fn ran(&self) -> Option<Duration> {
        match self {
            Self::Cancelled(ran) => *ran,
            _ => None,
        }
    }
}
