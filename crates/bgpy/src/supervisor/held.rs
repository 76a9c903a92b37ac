//! What a supervisor holds for successive processes of one server.

use std::fs::File;
use std::io;

use crate::address::Address;
use crate::bootstrap::{Inheritance, StartReporter};
use crate::config::Config;
use crate::durable::FirstTasks;
use crate::error::ServeError;
use crate::platform::{
    self, ProcessId, SupervisorLine, inherited_file, inherited_line, inherited_listener,
    inherited_unix,
};
use crate::registry::Registry;
use crate::restart::{Failing, Restart};
use crate::server::{Binding, Supervised, SupervisorPipe};
use crate::token::{new_token, token_of_environment};

/// What the next process needs to know about itself.
#[derive(Debug)]
pub(super) struct Successor<'a> {
    /// How many processes have run as this server before.
    pub(super) generation: u32,
    /// Whether standard output and error are a terminal.
    pub(super) is_foreground: bool,
    /// How earlier processes failed.
    pub(super) failing: Option<&'a Failing>,
}

/// The name, port and sockets of the server, and the tasks given by the first client.
#[derive(Debug)]
pub(super) struct HeldResources {
    binding: Binding,
    tasks: Option<File>,
}

impl HeldResources {
    /// Takes name, port and sockets for a server that may be restarted. Other servers take them
    /// themselves.
    pub(super) fn of(
        config: &mut Config,
        registry: Option<&Registry>,
    ) -> Result<Option<Self>, ServeError> {
        if config.restart == Restart::Never {
            return Ok(None);
        }
        let address = Address::new(config.host.as_str(), config.port);
        let mut binding = Binding::take(&address, config.name.as_ref(), config.id(), registry)?;
        // Clients look for the server and its token there and would not find them.
        if let Some((source, registry)) = binding.trouble.take().zip(registry) {
            binding.release();
            return Err(ServeError::Registry {
                directory: Some(registry.directory().into()),
                source,
            });
        }
        config.wanted_port.get_or_insert(config.port);
        config.port = binding.address.port();
        // One token for all processes of the server.
        if config.token.is_none() && token_of_environment().is_none() {
            config.token = Some(new_token().expose().to_owned());
            config.is_token_made_up = true;
        }
        // If the tasks cannot be kept, a client has to send them again after a restart.
        let keep = |registry: &Registry| FirstTasks::create(registry.directory()).ok();
        let tasks = registry.filter(|_| !config.has_tasks()).and_then(keep);
        Ok(Some(Self { binding, tasks }))
    }

    /// Passes everything to the server that this process has become.
    pub(super) fn into_parts(self) -> (Binding, Option<FirstTasks>) {
        (self.binding, self.tasks.map(FirstTasks::from))
    }

    /// Prepares a new process to inherit everything.
    pub(super) fn hand_over(
        &self,
        successor: &Successor<'_>,
        pipe: &SupervisorLine,
    ) -> io::Result<Inheritance> {
        let Self { binding, tasks } = self;
        Ok(Inheritance {
            supervisor: ProcessId::own(),
            generation: successor.generation,
            is_foreground: successor.is_foreground,
            failing: successor.failing.cloned(),
            supervisor_pipe: platform::hand_on(pipe)?,
            claim: binding
                .claim
                .as_ref()
                .map(|claim| platform::hand_on(claim.file()))
                .transpose()?,
            tcp: platform::hand_on(&binding.tcp)?,
            unix: binding.unix.as_ref().map(platform::hand_on).transpose()?,
            stamp: binding.stamp,
            tasks: tasks.as_ref().map(platform::hand_on).transpose()?,
        })
    }

    /// Releases everything for good.
    pub(super) fn release(self) {
        self.binding.release();
    }
}

/// Takes over what the supervisor has prepared for this process.
pub(super) fn inherit(
    inheritance: &Inheritance,
    config: &Config,
    registry: Option<&Registry>,
) -> io::Result<(StartReporter, Supervised)> {
    let optional = |number: Option<i32>| number.map(inherited_file).transpose();
    let name = config.name.as_ref();
    let claim = |file: File| Some(registry?.inherited_claim(name?, file));
    let unix = inheritance.unix.map(inherited_unix).transpose()?;
    let tcp = inherited_listener(inheritance.tcp)?;
    let socket = registry.filter(|_| unix.is_some()).and_then(|all| all.socket_path(config.id()));
    let binding = Binding {
        claim: optional(inheritance.claim)?.and_then(claim),
        address: tcp.local_addr()?,
        tcp,
        unix,
        socket,
        stamp: inheritance.stamp,
        trouble: None,
    };
    let pipe = inherited_line(inheritance.supervisor_pipe)?;
    let reporter = StartReporter::to(pipe.try_clone()?);
    let supervised = Supervised {
        supervisor: Some(inheritance.supervisor.clone()),
        generation: inheritance.generation,
        failing: inheritance.failing.clone(),
        binding: Some(binding),
        pipe: Some(SupervisorPipe { stream: pipe }),
        tasks: optional(inheritance.tasks)?.map(Into::into),
        is_foreground: inheritance.is_foreground,
    };
    Ok((reporter, supervised))
}
