//! `bgpy kill`: ends a server's process at once.

use bgpy::survey::{kill, look_up};
use clap::Args;

use crate::exit::Exit;
use crate::output;
use crate::reach::{Reach, registry};

/// Kill a server of yours on this machine: no task ends, no exit_task runs
#[derive(Debug, Args)]
#[command(after_help = "\
`bgpy stop` is the way to end a server that answers.

Exit codes: 0 its process is gone, 1 failed, 3 no server there.")]
pub(crate) struct Kill {
    #[command(flatten)]
    pub(crate) reach: Reach,
}

impl Kill {
    pub(crate) fn run(self, interrupted: &dyn Fn() -> bool) -> Exit {
        let wait = self.reach.access.wait(interrupted);
        let registry = match registry() {
            Ok(registry) => registry,
            Err(exit) => return exit,
        };
        let target = &self.reach.target;
        let Some(info) = look_up(&registry, target, &wait).filter(|info| !info.has_ended()) else {
            let text = format_args!("no server of yours runs as {target} on this machine");
            return output::error(text, Exit::NotRunning);
        };
        match kill(&registry, info.entry, "killed by `bgpy kill`") {
            Ok(pid) => {
                output::note(format_args!("Killed {target} (process {pid})."));
                Exit::Done
            }
            Err(error) => {
                output::error(format_args!("{target} cannot be killed: {error}"), Exit::Failed)
            }
        }
    }
}
