//! `bgpy ps`: lists servers.

use std::time::Duration;

use bgpy::duration;
use bgpy::survey::survey;
use bgpy::{ServerInfo, Wait};
use clap::Args;

use crate::connect::{registry, unread};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::view::{server_json, servers_table};
use crate::output::{self, Output};

/// List your servers on this machine
#[derive(Debug, Args)]
#[command(after_help = "\
STATE is STARTING, UNINITIALIZED (no class or tasks yet), READY, BUSY, STOPPING, EXITED, FAILED, RESTARTING (it \
failed and will be restarted), or STALE (its process exists but does not respond).

Examples:
  bgpy ps          servers that run
  bgpy ps -a       also servers that have ended
  bgpy ps -o json  for scripts")]
pub(crate) struct Ps {
    /// Include servers that have ended
    #[arg(short, long)]
    pub(crate) all: bool,

    /// Give up on a server that does not respond within this time [default: 2s]
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = duration::read)]
    pub(crate) timeout: Option<Duration>,

    #[command(flatten)]
    pub(crate) output: Output,
}

impl Ps {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let wait = Wait::new(self.timeout, context.interrupted);
        let infos = survey(&registry()?, self.all, &wait).map_err(unread)?;
        if self.output.is_json() {
            output::json(&infos.iter().map(server_json).collect());
            return Ok(());
        }
        let shown: Vec<&ServerInfo> = infos.iter().collect();
        let table = servers_table(&shown);
        output::styled(table.lines(self.output.width(), self.output.is_colored()));
        if infos.is_empty() {
            output::note("No servers are running; `bgpy start FILE` starts one.");
        }
        for info in infos {
            if let Some(reason) = info.reason {
                let (target, pid) = (info.entry.target(), info.entry.pid());
                // `bgpy status` shows the rest.
                let reason = reason.lines().next().unwrap_or_default();
                output::note(format_args!("{target} (process {pid}) is {}: {reason}", info.state));
            }
        }
        Ok(())
    }
}
