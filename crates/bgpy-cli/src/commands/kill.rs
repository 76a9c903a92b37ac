//! `bgpy kill`: kills a server's process.

use std::io::ErrorKind;

use bgpy::registry::Registry;
use bgpy::survey::look_up_all;
use bgpy::termination::kill;
use bgpy::{ServerInfo, Target};
use clap::Args;
use serde_json::json;

use crate::connect::{Timeout, completion, known, unread};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::{self, Form};
use crate::platform;

/// Kill one of your servers on this machine; its task does not finish, exit_task does not run
#[derive(Debug, Args)]
#[command(after_help = "\
To end a server that responds, use `bgpy stop`. A process is killed only if it is proven to be the \
server's, which is not possible for one in another container, for example. If TARGET matches two servers, \
because one is still stopping and its successor already runs, the command names both and kills neither.

Exit codes: 0 its process is gone, 1 not killed, 2 wrong arguments, 3 not running.

Examples:
  bgpy kill trainer
  bgpy stop trainer || bgpy kill trainer")]
pub(crate) struct Kill {
    /// The server: its name, HOST:PORT or socket path
    #[arg(value_name = "TARGET", add = completion::targets())]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) limit: Timeout,

    #[command(flatten)]
    pub(crate) form: Form,
}

impl Kill {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let (target, wait) = (&self.target, self.limit.wait(context));
        let (registry, info) = known(target, &wait)?;
        let has_ended =
            || output::error(format_args!("{target} has already ended"), Exit::NotRunning);
        if info.has_ended() {
            return Err(has_ended());
        }
        let meant = look_up_all(&registry, target, &wait).map_err(unread)?;
        if meant.len() > 1 {
            let all = meant.iter().map(|info| described(info, &meant, &registry));
            let all = all.collect::<Vec<_>>().join("; ");
            let text = format_args!("{target} matches more than one server: {all}");
            return Err(output::error(text, Exit::Failed));
        }
        let killed = kill(&registry, info.entry, "killed by `bgpy kill`");
        let pid = killed.map_err(|error| match error.kind() {
            ErrorKind::NotFound => has_ended(),
            _ => output::error(format_args!("{target} cannot be killed: {error}"), Exit::Failed),
        })?;
        if self.form.is_json() {
            output::json(&json!({ "target": target.to_string(), "pid": pid, "result": "killed" }));
        }
        output::achieved(format!("{target} was killed (process {pid})"));
        output::note(format_args!("Killed {target} (process {pid})."));
        Ok(())
    }
}

/// Describes a server among others with its name or address, with a command that kills it alone.
fn described(info: &ServerInfo, all: &[ServerInfo], registry: &Registry) -> String {
    let ServerInfo { entry, state, .. } = info;
    let (pid, address) = (entry.pid(), entry.reachable());
    let is_alone = |is_like: &dyn Fn(&ServerInfo) -> bool| {
        all.iter().filter(|other| is_like(other)).count() == 1
    };
    let command = match (&entry.name, registry.own_target(entry)) {
        (Some(name), _) if is_alone(&|other| other.entry.name.as_ref() == Some(name)) => {
            format!("bgpy kill {name}")
        }
        _ if is_alone(&|other| other.entry.reachable() == address) => {
            format!("bgpy kill {address}")
        }
        // The path of a socket means it also once it has closed the socket.
        (_, Some(own)) => format!("bgpy kill {}", platform::shell_word(&own.to_string())),
        (_, None) => format!("kill -9 {pid}"),
    };
    format!("process {pid} ({state}), killed by `{command}`")
}
