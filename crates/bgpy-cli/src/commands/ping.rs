//! `bgpy ping`: checks that a server responds.

use std::time::Instant;

use clap::Args;
use serde_json::json;

use crate::connect::{ServerArgs, Trust, advice};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::{self, Form};

/// Check that a server responds, even while it is busy
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 it responded, 3 not running, 4 timed out, 5 wrong token, 6 not a bgpy server or another \
version.

Examples:
  bgpy ping trainer
  bgpy ping gpu7:54321 --timeout 2s")]
pub(crate) struct Ping {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) trust: Trust,

    #[command(flatten)]
    pub(crate) form: Form,
}

impl Ping {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let client = self.server.client(&self.trust)?;
        let wait = self.server.access.wait(context);
        let start = Instant::now();
        client.ping(&wait).map_err(advice::failed)?;
        let ms = start.elapsed().as_secs_f64() * 1e3;
        if self.form.is_json() {
            output::json(&json!({ "target": self.server.target.to_string(), "ms": ms }));
        } else {
            output::data(format_args!("{} responded in {ms:.1}ms", self.server.target));
        }
        Ok(())
    }
}
