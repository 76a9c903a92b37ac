//! `bgpy result`: waits for a job and prints its result.

use bgpy::{Call, CallError, Client, ClientOptions, Response, Step, Wait};
use clap::Args;

use super::call::{AnswerArgs, OUTPUT};
use crate::connect::{ServerArgs, Trust, completion};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output;
use crate::output::live_bar::LiveBar;
use crate::platform::Interrupts;

/// The task of jobs that call no method.
const EXEC_TASK: &str = "exec_task";

/// Wait for a job, and print its result as JSON
#[derive(Debug, Args)]
#[command(after_help = "\
The result can be printed again and again, as long as the server keeps it. On a terminal, the progress that the \
job reports is shown meanwhile. Ctrl-C and --timeout end the wait; the job goes on.

Exit codes: 0 printed, 1 it raised or did not answer, there is no such job, or the result has no form in JSON, \
3 not running, 4 timed out, 5 wrong token, 6 not a bgpy server or another version, 130 interrupted.

Examples:
  bgpy result trainer order-17
  bgpy result trainer order-17 --timeout 0s  only if it is there")]
#[command(mut_arg("output", |argument| argument.help(OUTPUT)))]
pub(crate) struct JobResult {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// The name of the job, or its key
    #[arg(value_name = "JOB", add = completion::of_jobs())]
    pub(crate) job: String,

    #[command(flatten)]
    pub(crate) answer: AnswerArgs,

    #[command(flatten)]
    pub(crate) trust: Trust,
}

/// The wait for a job.
struct Waiting {
    call: Call,
    /// Whether the job calls a method.
    is_of_method: bool,
    bar: LiveBar,
}

impl JobResult {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let options = self.server.access.options(&self.trust)?;
        let options = ClientOptions { allow_pickle: !self.answer.no_pickle, ..options };
        let client = Client::new(self.server.target.clone(), options);
        // Without it, Ctrl-C would leave the progress on the terminal.
        let interrupts = Interrupts::watch_impatiently();
        let is_interrupted = || interrupts.have_come_or((context.interrupted)());
        let wait = Wait::new(self.server.access.limit.timeout, &is_interrupted)
            .with_notices(context.notices);
        let outcome = self.begin(&client, &wait).and_then(|mut waiting| {
            let is_of_method = waiting.is_of_method;
            let outcome = self.response(&mut waiting, &wait);
            drop(waiting);
            if matches!(outcome, Err(CallError::Interrupted)) {
                output::note(format_args!("The job {} goes on.", self.job));
            }
            outcome.map(|response| (response, is_of_method))
        });
        match outcome {
            Ok((response, is_of_method)) => self.print(response, is_of_method, context),
            Err(CallError::Interrupted) => {
                output::finish(Exit::Interrupted);
                interrupts.pass_on();
                Err(Exit::Interrupted)
            }
            Err(error) => Err(self.answer.failed(&error.with_ending())),
        }
    }

    /// Begins to wait for the job.
    fn begin(&self, client: &Client, wait: &Wait<'_>) -> Result<Waiting, CallError> {
        let link = client.link(wait)?;
        let about = link.jobs(Some(&self.job), wait)?;
        let is_of_method = about.jobs.first().is_some_and(|info| info.task != EXEC_TASK);
        let bar = LiveBar::new();
        let call = link.await_job(&self.job, is_of_method, bar.is_wanted(), wait)?;
        Ok(Waiting { call, is_of_method, bar })
    }

    /// Waits for the result.
    fn response(&self, waiting: &mut Waiting, wait: &Wait<'_>) -> Result<Response, CallError> {
        loop {
            match waiting.call.step(wait)? {
                Step::Response(response) => return Ok(response),
                Step::Progress(told) => waiting.bar.draw(&told),
                // A job has no caller whom its task could call.
                Step::Callback { .. } => {}
                Step::Ended => {
                    let server = self.server.target.to_string();
                    return Err(CallError::NoResponse { server });
                }
            }
        }
    }

    fn print(
        &self,
        response: Response,
        is_of_method: bool,
        context: &Context<'_>,
    ) -> Result<(), Exit> {
        let with_error = response.error;
        if !is_of_method || self.answer.is_printed(&response) {
            self.answer.print(response, context)?;
        }
        match with_error {
            true => Err(output::error("the task responded with an error", Exit::Failed)),
            false => Ok(()),
        }
    }
}
