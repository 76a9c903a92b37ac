//! `bgpy submit`: submits a job, a call that lives on without its caller.

use std::time::Duration;

use bgpy::methods::MethodKind;
use bgpy::{JobSubmission, duration};
use clap::Args;
use serde_json::json;

use super::call::Words;
use crate::connect::{ServerArgs, Trust, advice};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::{self, Form};
use crate::platform;

/// Submit a job, a call that lives on without its caller, and print its name
#[derive(Debug, Args)]
#[command(after_help = "\
The arguments are those of `bgpy call`. The server runs the job in its turn, and keeps the result in memory for \
whoever asks: `bgpy result TARGET JOB` prints it, any number of times. `bgpy jobs TARGET` lists the jobs, \
`bgpy cancel TARGET JOB` cancels one.

Exit codes: 0 submitted, 1 refused, for example because the key is that of another job, 2 invalid JSON, no such \
method or wrong arguments, 3 not running, 4 timed out, 5 wrong token, 6 not a bgpy server or another version.

Examples:
  bgpy submit trainer train 100
  bgpy submit trainer train epochs=100 --key order-17    the same job however often it is submitted
  bgpy result trainer \"$(bgpy submit trainer train 3)\"")]
pub(crate) struct Submit {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) words: Words,

    /// Name the job: submitted again with the same arguments, it is the same job, which runs once
    #[arg(long, value_name = "KEY", value_parser = key)]
    pub(crate) key: Option<String>,

    /// Keep the result for this time, e.g. 90s, 10m or 2h [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = duration::read)]
    pub(crate) keep: Option<Duration>,

    #[command(flatten)]
    pub(crate) trust: Trust,

    #[command(flatten)]
    pub(crate) form: Form,
}

impl Submit {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let client = self.server.client(&self.trust)?;
        let wait = self.server.access.wait(context);
        let request = self.words.request(&client, &wait, |method| {
            let name = &method.name;
            match method.kind {
                MethodKind::Stream => {
                    Err(format!("{name} yields values, and a job has a single result"))
                }
                MethodKind::Call | MethodKind::Property => Ok(()),
            }
        })?;
        let method = request.method.map(|method| method.name);
        let submitted = client.calling(request.payload, &wait, |link, payload| {
            let name = self.key.clone().unwrap_or_else(|| link.new_job_name());
            let (method, is_key) = (method.clone(), self.key.is_some());
            let job = JobSubmission { name, is_key, method, keep: self.keep };
            link.submit_job(&job, payload, &wait)?;
            Ok(job.name)
        });
        let name = submitted.map_err(advice::failed)?;
        let target = &self.server.target;
        if self.form.is_json() {
            output::json(&json!({ "target": target.to_string(), "job": name }));
        } else {
            output::data(output::shown(&name));
        }
        output::note(format_args!(
            "Submitted to {target}; `bgpy result {target} {}` waits for it.",
            platform::shell_word(&name)
        ));
        Ok(())
    }
}

/// Reads a key.
fn key(text: &str) -> Result<String, String> {
    let bytes_max = bgpy::limits::JOB_BYTES_MAX;
    match text.len() {
        0 => Err("a key has at least one character".into()),
        bytes if bytes > bytes_max => {
            Err(format!("it has {bytes} bytes, and may have {bytes_max}"))
        }
        _ => Ok(text.to_owned()),
    }
}
