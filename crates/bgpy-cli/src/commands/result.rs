//! `bgpy result`: waits for a job and prints its result.

use bgpy::{CallError, Client, ClientOptions, Response, Step, Value, Wait};
use clap::Args;

use super::call::AnswerArgs;
use crate::connect::{ServerArgs, Trust, advice, completion};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output;
use crate::output::live_bar::LiveBar;

/// Wait for a job, and print its result as JSON
#[derive(Debug, Args)]
#[command(after_help = "\
The result can be printed again and again, as long as the server keeps it. On a terminal, the progress that is told \
is shown meanwhile. Ctrl-C and --timeout end the wait; the job goes on.

Exit codes: 0 printed, 1 it raised or did not answer, there is no such job, or the result has no form in JSON, \
3 not running, 4 timed out, 5 wrong token, 6 not a bgpy server or another version, 130 interrupted.

Examples:
  bgpy result trainer order-17
  bgpy result trainer order-17 --timeout 0s  only if it is there")]
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

impl JobResult {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let options = self.server.access.options(&self.trust)?;
        let options = ClientOptions { allow_pickle: !self.answer.no_pickle, ..options };
        let client = Client::new(self.server.target.clone(), options);
        let wait = self.server.access.wait(context);
        let response = self.response(&client, &wait).map_err(|error| match error {
            CallError::Interrupted => {
                let exit = advice::failed(CallError::Interrupted);
                output::note(format_args!("The job {} goes on.", self.job));
                exit
            }
            error => self.answer.failed(&error.with_ending()),
        })?;
        let with_error = response.error;
        // As at the prompt of Python.
        if !matches!(response.message.value(), Ok(Value::Nil)) {
            self.answer.print(response, context)?;
        }
        match with_error {
            true => Err(output::error("the task responded with an error", Exit::Failed)),
            false => Ok(()),
        }
    }

    /// Waits for the result.
    fn response(&self, client: &Client, wait: &Wait<'_>) -> Result<Response, CallError> {
        let link = client.link(wait)?;
        let mut bar = LiveBar::new();
        let mut call = link.await_job(&self.job, false, bar.is_wanted(), wait)?;
        loop {
            match call.step(wait)? {
                Step::Response(response) => return Ok(response),
                Step::Progress(told) => bar.draw(&told),
                // A job has no caller whom its task could call.
                Step::Callback { .. } => {}
                Step::Ended => {
                    let server = self.server.target.to_string();
                    return Err(CallError::NoResponse { server });
                }
            }
        }
    }
}
