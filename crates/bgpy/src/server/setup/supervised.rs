//! What a supervisor passes to a server.

use super::binding::Binding;
use crate::durable::FirstTasks;
use crate::platform::ProcessId;
use crate::restart::Failing;
use crate::server::supervisor_pipe::SupervisorPipe;

/// What a supervisor passes to a server.
#[derive(Debug, Default)]
pub struct Supervised {
    /// The supervisor.
    pub(crate) supervisor: Option<ProcessId>,
    /// How many processes have run as this server before.
    pub generation: u32,
    /// How those have failed.
    pub(crate) failing: Option<Failing>,
    /// Name, port and sockets, if the supervisor keeps them for the next process.
    pub(crate) binding: Option<Binding>,
    /// The pipe to tell the supervisor that they are no longer needed.
    pub(crate) pipe: Option<SupervisorPipe>,
    /// The tasks of the first client, if they are kept for the next process.
    pub tasks: Option<FirstTasks>,
    /// Whether standard output and error are a terminal and not the log.
    pub is_foreground: bool,
}
