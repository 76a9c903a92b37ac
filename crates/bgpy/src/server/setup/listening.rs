//! A server: where it listens, what it announces, and its run.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bgpy_proto::{Failure, ServerHello};

use crate::address::Address;
use crate::error::ServeError;
use crate::log::{LISTENS, Level};
use crate::memory::segments;
use crate::platform;
use crate::registry::Ending;

use super::binding::Binding;
use super::entry::Registered;
use super::exposure::is_exposed;
use super::supervised::Supervised;
use crate::server::cancellation::Cancellation;
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
    #[doc(hidden)]
    pub fn bind_supervised(
        address: &Address,
        options: ServerOptions,
        mut supervised: Supervised,
    ) -> Result<Self, ServeError> {
        let is_successor = supervised.generation > 0 && supervised.binding.is_some();
        let mut binding = match supervised.binding.take() {
            Some(binding) => binding,
            None => {
                let (name, registry) = (options.name.as_ref(), options.registry.as_ref());
                Binding::take(address, name, options.instance, registry)
                    .map_err(|error| error.naming_the_server().unwrap_or(error))?
            }
        };
        let registered =
            Registered::new(address, &options, &supervised, &mut binding, is_successor);
        let Registered { token, entry, written } = match registered {
            Ok(registered) => registered,
            Err(error) => {
                binding.release();
                return Err(error);
            }
        };
        platform::raise_descriptor_limit();
        let entry_path = options.registry.as_ref().map(|registry| registry.entry_path(&entry));
        let token_place = entry_path.filter(|_| !token.is_chosen_by_user);
        let words = announcement(binding.address, options.auth, token_place.as_deref());
        let (address, socket, socket_stamp) =
            (binding.address, binding.socket.clone(), binding.stamp);
        let (listeners, claim) = binding.into_parts()?;
        let parts = |poll_registry| CoreParts {
            poll_registry,
            listeners,
            psk: token.token.psk(),
            is_open: !options.auth,
            hello: hello(&options, supervised.generation),
            log: options.log,
            idle_timeout: options.idle_timeout,
            threads: options.threads,
            registration: Registration::new(
                options.registry,
                entry,
                written,
                socket_stamp,
                claim,
                supervised.pipe,
            ),
        };
        let (shared, signals) = Shared::new(parts)?;
        Ok(Self { shared, address, socket, signals, words })
    }

    /// The address it listens on, with the actual port if port 0 was requested.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The Unix socket it listens on.
    pub fn socket(&self) -> Option<&PathBuf> {
        self.socket.as_ref()
    }

    /// The requests to cancel the call that runs.
    pub fn cancellation(&self) -> Arc<Cancellation> {
        self.shared.steering.cancellation.clone()
    }

    /// A handle that ends the server.
    pub fn stopper(&self) -> Stopper {
        Stopper { shared: Arc::downgrade(&self.shared) }
    }

    /// The pipe that a signal handler writes a byte to, so that [`Executor::signalled`] is called.
    #[doc(hidden)]
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

    /// Stops the server in the same way when its process is told to end otherwise than by a signal,
    /// where there are none.
    pub fn stop_on_request(self, grace: Duration) {
        platform::on_stop_request(move || self.stop(grace));
    }

    /// Whether the server accepts no more calls, or has ended.
    pub fn is_ending(&self) -> bool {
        self.shared.upgrade().is_none_or(|shared| shared.core.lock().lifecycle.is_ending())
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

/// What the server announces to its clients.
fn hello(options: &ServerOptions, generation: u32) -> ServerHello {
    ServerHello {
        instance: options.instance,
        generation: generation.into(),
        bgpy: crate::VERSION.to_owned(),
        python: options.python.clone(),
        pid: u64::from(std::process::id()),
        message_bytes_max: options.message_bytes_max,
        segments: segments::SUPPORTED,
        allow_pickle: options.allow_pickle,
        debug: true,
        calls: true,
        services: true,
        jobs: true,
        overloaded: None,
    }
}

/// What the log says when the server starts to run.
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
