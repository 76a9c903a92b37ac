//! `bgpy kill`: ends a server's process at once.

use std::io::ErrorKind;

use bgpy::ending::kill;
use clap::Args;

use crate::exit::Exit;
use crate::output;
use crate::reach::Reach;

/// Kill a server of yours on this machine: no task ends, no exit_task runs
#[derive(Debug, Args)]
#[command(after_help = "\
`bgpy stop` is the way to end a server that answers. A process that is not proven to be the server's,
for example because it belongs to another container, is not killed.

Exit codes: 0 its process is gone, 1 failed, 3 no server there.")]
pub(crate) struct Kill {
    #[command(flatten)]
    pub(crate) reach: Reach,
}

impl Kill {
    pub(crate) fn run(self, interrupted: &dyn Fn() -> bool) -> Exit {
        let wait = self.reach.access.wait(interrupted);
        let (registry, info) = match self.reach.known(&wait) {
            Ok(known) => known,
            Err(exit) => return exit,
        };
        let target = &self.reach.target;
        if info.has_ended() {
            return output::error(format_args!("{target} has ended already"), Exit::NotRunning);
        }
        match kill(&registry, info.entry, "killed by `bgpy kill`") {
            Ok(pid) => {
                output::note(format_args!("Killed {target} (process {pid})."));
                Exit::Done
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                output::error(format_args!("{target} has ended already"), Exit::NotRunning)
            }
            Err(error) => {
                output::error(format_args!("{target} cannot be killed: {error}"), Exit::Failed)
            }
        }
    }
}
