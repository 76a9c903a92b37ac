//! `bgpy systemd`: prints a unit that runs a server under the user's service manager.

mod unit;

use std::env;

use clap::Args;

use self::unit::Plan;
use crate::connect::ServerArgs;
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::origin::absolute;
use crate::output;

/// The help of `--token-file`.
const TOKEN_FILE: &str = "Let the unit refer to this file, which holds the token that you chose";

/// Print a systemd unit for a server that was started from a file or module
#[derive(Debug, Args)]
#[command(after_help = "\
The unit starts the server at login, or at boot with `loginctl enable-linger`, notifies systemd when it \
is ready, and restarts it when it fails. It contains all settings of the server, including the --env \
variables, but not a token that you chose: it refers to the file that you pass with --token-file.

Examples:
  bgpy start tasks.py --name trainer
  bgpy systemd trainer > ~/.config/systemd/user/bgpy-trainer.service
  bgpy stop trainer
  systemctl --user daemon-reload
  systemctl --user enable --now bgpy-trainer

Exit codes: 0 printed, 1 a setting cannot be written in a unit (the error names it), 3 no such server.")]
#[command(mut_arg("token_file", |argument| argument.help(TOKEN_FILE)))]
pub(crate) struct Systemd {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

impl Systemd {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let (registry, info) = self.server.known(&self.server.access.wait(context))?;
        let token_file =
            self.server.access.secret.token_file.as_deref().map(absolute).transpose()?;
        let config = info.entry.full_config();
        let plan = Plan::of(&info.entry, config.as_ref(), &registry, token_file.as_deref());
        let unit = plan.and_then(|plan| plan.unit(env::current_exe().ok().as_deref()));
        let unit = unit.map_err(|reason| {
            let target = &self.server.target;
            output::error(format_args!("cannot write a unit for {target}: {reason}"), Exit::Failed)
        })?;
        output::data(unit.trim_end());
        Ok(())
    }
}
