//! `bgpy kill`: ends a server's process at once.

use std::io::ErrorKind;

use bgpy::ServerInfo;
use bgpy::ending::kill;
use bgpy::survey::look_up_all;
use clap::Args;

use crate::exit::Exit;
use crate::output;
use crate::reach::{Reach, unread};

/// Kill a server of yours on this machine: no task ends, no exit_task runs
#[derive(Debug, Args)]
#[command(after_help = "\
`bgpy stop` is the way to end a server that answers. A process that is not proven to be the server's,
for example because it belongs to another container, is not killed. Where two servers are meant, because
one that is stopping has a successor already, the command names both and kills neither.

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
        let meant = match look_up_all(&registry, target, &wait) {
            Ok(meant) => meant,
            Err(error) => return unread(error),
        };
        if meant.len() > 1 {
            let all: Vec<_> = meant.iter().map(|info| described(info, &meant)).collect();
            let text = format_args!("{target} means more than one: {}", all.join("; "));
            return output::error(text, Exit::Failed);
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

/// A server among others that have its name or address, and what kills it alone.
fn described(info: &ServerInfo, all: &[ServerInfo]) -> String {
    let ServerInfo { entry, state, .. } = info;
    let (pid, address) = (entry.process.pid, entry.reachable());
    let is_alone = |is_like: &dyn Fn(&ServerInfo) -> bool| {
        all.iter().filter(|other| is_like(other)).count() == 1
    };
    let way = match (&entry.name, &entry.socket) {
        (Some(name), _) if is_alone(&|other| other.entry.name.as_ref() == Some(name)) => {
            format!("bgpy kill {name}")
        }
        _ if is_alone(&|other| other.entry.reachable() == address) => {
            format!("bgpy kill {address}")
        }
        (_, Some(socket)) => format!("bgpy kill {}", socket.display()),
        // It takes no calls any more, and has no place of its own.
        (_, None) => format!("kill -9 {pid}"),
    };
    format!("process {pid} ({state}), which `{way}` kills")
}
