//! What a server may have from its supervisor.

use super::binding::Binding;
use super::supervisor_pipe::SupervisorPipe;
use crate::durable::FirstTasks;
use crate::platform::ProcessId;
use crate::restart::Failing;

/// What a server has from its supervisor.
#[derive(Debug, Default)]
pub struct Supervised {
    /// The supervisor.
    pub supervisor: Option<ProcessId>,
    /// How many processes have been this server before.
    pub generation: u32,
    /// How those have failed.
    pub failing: Option<Failing>,
    /// Where it is, if the supervisor keeps that for the next one.
    pub place: Option<Binding>,
    /// The way to say that the place is not needed any more.
    pub cord: Option<SupervisorPipe>,
    /// The tasks of the first client, if they are kept for the next one.
    pub tasks: Option<FirstTasks>,
    /// Whether standard output and error are somebody's terminal, and not the log.
    pub is_foreground: bool,
}
