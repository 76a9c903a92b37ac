//! A server: where it listens, what it announces, and its run.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bgpy_proto::{Failure, ServerHello};

use crate::address::Address;
use crate::config::Config;
use crate::error::ServeError;
use crate::log::{LISTENS, Level};
use crate::memory::segments;
use crate::platform::{self, ProcessId, Stamp};
use crate::registry::{Ending, Entry};
use crate::token::{new_token, token_of_environment};

use super::binding::Binding;
use super::exposure::{check_exposure, is_exposed};
use super::supervised::Supervised;
use crate::server::core::CoreParts;
use crate::server::executor::{Ended, Executor};
use crate::server::options::ServerOptions;
use crate::server::reactor::signal::SignalPipe;
use crate::server::registration::Registration;
use crate::server::shared::Shared;

/// A listening server. Calls wait until it [runs](Self::run).
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    socket: Option<PathBuf>,
    signals: SignalPipe,
    /// Lines to log when the server starts to run.
    words: Vec<(Level, String)>,
}

/// Ends a server from a signal handler or another thread.
#[derive(Clone)]
pub struct Stopper {
    shared: Weak<Shared>,
}

impl Server {
    /// Listens on `address`, and on a Unix socket for clients of the same user on this machine.
    ///
    /// # Errors
    /// [`ServeError`]; nothing is left behind.
    pub fn bind(address: &Address, options: ServerOptions) -> Result<Self, ServeError> {
        Self::bind_supervised(address, options, Supervised::default())
    }

    /// Like [`bind`](Self::bind), with what the supervisor passes on.
    ///
    /// # Errors
    /// [`ServeError`]; nothing is left behind.
    pub fn bind_supervised(
        address: &Address,
        options: ServerOptions,
        supervised: Supervised,
    ) -> Result<Self, ServeError> {
        let ServerOptions { auth, instance, log, registry, .. } = options;
        let (supervisor, generation) = (supervised.supervisor, supervised.generation);
        let is_successor = supervised.generation > 0 && supervised.binding.is_some();
        let name = options.name.as_ref();
        let mut binding = match supervised.binding {
            Some(binding) => binding,
            None => Binding::take(address, name, instance, registry.as_ref())
                .map_err(|error| error.naming_the_server().unwrap_or(error))?,
        };
        let local = binding.address;
        let chosen = options.token.or_else(token_of_environment);
        let allowed = check_exposure(local, auth, chosen.as_ref(), options.allow_weak_token);
        if let Err(error) = allowed {
            binding.release();
            return Err(error);
        }
        let made_up = auth && chosen.is_none();
        let kept = options.config.as_ref().is_some_and(|config| config.is_token_made_up);
        let chosen_by_user = chosen.is_some() && !kept;
        let token = chosen.unwrap_or_else(new_token);

        let mut entry = Entry::new(instance, &address.host, local);
        entry.token = Some(token.expose().to_owned());
        entry.has_chosen_token = chosen_by_user;
        entry.owns_process = options.owns_process;
        entry.name = options.name;
        entry.config = options.config.map(|config| to_be_kept(config).into());
        (entry.supervisor, entry.generation) = (supervisor, generation);
        entry.failing = supervised.failing;
        entry.python = options.python.clone();
        entry.log_file = log.path();
        entry.socket = binding.socket.clone();
        let (trouble, socket_stamp) = (binding.trouble.take(), binding.stamp);
        let registered = registry.as_ref().map_or(Ok(Stamp::default()), |registry| match trouble {
            Some(source) => Err((registry, source)),
            None => registry.put(&entry).map_err(|source| (registry, source)),
        });
        let is_unwritten = is_successor && registered.is_err();
        let written = registered.as_ref().ok().copied();
        if let Err((registry, source)) = registered {
            let directory = registry.directory();
            // Without an entry, clients could find neither a generated token nor a name. A
            // restarted server can rely on the entry of its predecessor.
            if !is_successor && (made_up || binding.claim.is_some()) {
                let directory = Some(directory.to_owned());
                binding.release();
                return Err(ServeError::Registry { directory, source });
            }
            let directory = directory.display();
            if is_unwritten {
                log.error(format_args!(
                    "the entry in {directory} cannot be written ({source}): the old entry stays until it \
                     can be written"
                ));
            } else {
                log.warning(format_args!(
                    "no entry in {directory} ({source}): clients must be given the token"
                ));
            }
        }
        platform::raise_descriptor_limit();
        let entry_path = registry.as_ref().map(|registry| registry.entry_path(&entry));
        let token_place = entry_path.filter(|_| !chosen_by_user);
        let words = announcement(local, auth, token_place.as_deref());

        let hello = ServerHello {
            instance,
            generation: generation.into(),
            bgpy: crate::VERSION.to_owned(),
            python: options.python,
            pid: u64::from(std::process::id()),
            message_bytes_max: options.message_bytes_max,
            segments: segments::SUPPORTED,
            allow_pickle: options.allow_pickle,
            debug: true,
            overloaded: None,
        };
        let socket = entry.socket.clone();
        let (listeners, claim) = binding.into_parts()?;
        let parts = |poll| CoreParts {
            poll_registry: poll,
            listeners,
            psk: token.psk(),
            is_open: !auth,
            hello,
            log,
            idle_timeout: options.idle_timeout,
            registration: Registration::new(
                registry,
                entry,
                written,
                socket_stamp,
                claim,
                supervised.pipe,
            ),
        };
        let (shared, signals) = Shared::new(parts)?;
        Ok(Self { shared, address: local, socket, signals, words })
    }

    /// The address it listens on, with the actual port if port 0 was requested.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The Unix socket it listens on.
    pub fn socket(&self) -> Option<&PathBuf> {
        self.socket.as_ref()
    }

    /// A handle that ends the server.
    pub fn stopper(&self) -> Stopper {
        Stopper { shared: Arc::downgrade(&self.shared) }
    }

    /// The pipe that a signal handler writes a byte to, so that [`Executor::signalled`] is called.
    pub fn signals(&self) -> &SignalPipe {
        &self.signals
    }

    /// Runs calls on this thread until a client sends EXIT or a [`Stopper`] stops the server.
    pub fn run(self, executor: &mut dyn Executor) -> Ended {
        let log = self.shared.log();
        // Logged only now, so that a reader of the log may rely on everything set up before, such
        // as signal handlers.
        for (level, text) in &self.words {
            log.write(*level, text);
        }
        let ended = self.shared.run(executor);
        let (level, text) = match &ended {
            Ended::Orderly => (Level::Info, "ended".to_owned()),
            Ended::Start(failure) => (Level::Critical, format!("not started: {failure}")),
            Ended::ExitTask(failure) => {
                (Level::Error, format!("ended, but exit_task failed: {failure}"))
            }
            // The reason was logged when it was found.
            Ended::Failed(reason) => (Level::Info, format!("ended: {reason}")),
        };
        self.shared.log_counted();
        match &ended {
            // A client that waits for the start gets the error as well, but often there is none.
            Ended::Start(Failure { traceback: Some(traceback), .. }) => {
                log.write(level, format_args!("{text}\n{traceback}"));
            }
            _ => log.write(level, &text),
        }
        log.finish();
        let orderly = matches!(ended, Ended::Orderly);
        let held_by = executor.remains();
        self.shared.finish(Some(Ending { held_by, ..Ending::now(orderly, text) }));
        ended
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.finish(None);
    }
}

impl Stopper {
    /// Rejects new calls, answers queued ones, runs `exit_task` and ends. Kills the process if a
    /// task still runs after `grace`. Does nothing if the server has ended, or in a forked child.
    pub fn stop(&self, grace: Duration) {
        if let Some(shared) = self.shared.upgrade().filter(|shared| shared.is_here()) {
            shared.stop(grace);
        }
    }

    /// Whether the server accepts no more calls, or has ended.
    pub fn is_ending(&self) -> bool {
        self.shared.upgrade().is_none_or(|shared| shared.core.lock().calls.is_ending())
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Stopper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stopper").finish_non_exhaustive()
    }
}

/// What the entry on disk has of a configuration: no secret that can be had elsewhere.
fn to_be_kept(mut config: Config) -> Config {
    config.token = None;
    if let Some(launch) = config.launch.as_mut().filter(|launch| !launch.environment.is_empty()) {
        let own = ProcessId::own().environment();
        if own.is_some_and(|own| launch.is_told_by(&own)) {
            launch.forget_values();
        }
    }
    config
}

fn announcement(
    address: SocketAddr,
    auth: bool,
    token_place: Option<&Path>,
) -> Vec<(Level, String)> {
    let version = crate::VERSION;
    let mut words = vec![(Level::Info, format!("bgpy {version}{LISTENS}{address}"))];
    if !auth {
        let text = "no authentication: every user of this machine can run code here";
        words.push((Level::Warning, text.to_owned()));
    } else if is_exposed(address) {
        let token = match token_place {
            Some(path) => format!("which is in {}", path.display()),
            None => "that you set".to_owned(),
        };
        let text = format!("other machines need the token {token}: set BGPY_TOKEN there");
        words.push((Level::Info, text));
    }
    words
}
