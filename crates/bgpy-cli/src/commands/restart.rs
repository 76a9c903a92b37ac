//! `bgpy restart`: stops a server and starts it again.

use clap::Args;

use crate::connect::{Grace, ServerArgs, restart, started_json};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::{self, Form};
use crate::server_settings::variable;

/// The help of `--timeout`.
const TIMEOUT: &str = "Upper limit for the whole command; shortens --grace";

/// The help of `--token-file`.
const TOKEN_FILE: &str =
    "Read the token for a server that has ended from this file [default: BGPY_TOKEN]";

/// Stop one of your servers on this machine, and start it again with the same settings
#[derive(Debug, Args)]
#[command(after_help = "\
All settings are kept: name, address, token, directory, log file, limits and --env variables. All other \
environment variables are those of this shell, and the file or module is loaded again. \
A server is stopped only if it can be started again: its directory and interpreter exist, its address is \
available, its log and registry entry can be written, and its class or tasks are found and compile. Whether \
the class or init_task raises is known only after the old server has ended. A RESTARTING server is started at once.

A server that has ended is started, too. A token that you chose and the values of --env are not kept \
after a server has ended: pass them again with --token-file and --env.

Exit codes: 0 ready, 1 not started, or not stopped because it could not be started again, 3 no such \
server, 4 timed out: it has not ended within the grace time, and is not started again.

Examples:
  bgpy restart trainer
  bgpy restart trainer --env CUDA_VISIBLE_DEVICES=1
  bgpy restart trainer --grace 2m            give a long call time to end")]
#[command(mut_arg("timeout", |argument| argument.help(TIMEOUT)))]
#[command(mut_arg("token_file", |argument| argument.help(TOKEN_FILE)))]
pub(crate) struct Restart {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) grace: Grace,

    /// Set or replace an environment variable of the server; can be repeated
    #[arg(long, value_name = "K=V", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,

    #[command(flatten)]
    pub(crate) form: Form,
}

impl Restart {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let wait = self.server.access.wait(context);
        let (registry, info) = self.server.known(&wait)?;
        let target = &self.server.target;
        let restart = restart::Restart {
            registry: &registry,
            info: &info,
            target,
            token: self.server.access.token()?.map(|token| token.expose().to_owned()),
            variables: &self.env,
            grace: self.grace.limit(&self.server.access),
            wait: &wait,
            interrupted: context.interrupted,
            tell: &|text| output::note(text),
        };
        let server = restart.run().map_err(|error| {
            let exit = output::error(error.text, error.exit);
            if let Some(advice) = error.advice {
                output::note(advice);
            }
            exit
        })?;
        let (pid, address) = (server.pid, server.address);
        if self.form.is_json() {
            output::json(&started_json(target, pid, address, &wait));
        }
        output::achieved(format!("{target} was restarted (process {pid}) at {address}"));
        output::note(format_args!("Restarted {target} (process {pid}) at {address}."));
        Ok(())
    }
}
