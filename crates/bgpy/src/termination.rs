//! Waiting for the end of a server: it has ended when its process is gone, not before.

use std::io;
use std::thread;
use std::time::Duration;

use crate::duration::shown;
use crate::error::ServeError;
use crate::name::Name;
use crate::notices::PhaseGuard;
use crate::platform::{self, Process};
use crate::registry::{Ending, Entry, Meant, Registry};
use crate::target::Target;
use crate::wait::Wait;

/// How long a killed process may take to disappear.
const GONE: Duration = Duration::from_secs(5);

/// How often the state of an ending server is checked, unless its process ends first.
const LOOK: Duration = Duration::from_millis(20);

/// Kills the process of a server that has not ended, waits until it is gone, and returns its id.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] if the process is gone, [`io::ErrorKind::Unsupported`] if it is not
/// proven to be the server's, or the system's error.
pub fn kill(registry: &Registry, mut entry: Entry, reason: &str) -> io::Result<u32> {
    let pid = entry.process.pid;
    let process = Process::open(&entry.process)?;
    let supervisor = entry.supervisor.as_ref().map(Process::open).transpose()?.flatten();
    if process.is_none() && (supervisor.is_none() || entry.ending.is_some()) {
        let text = format!("its process {pid} is gone");
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    // A supervisor that would restart the server is killed first. Any other supervisor is killed
    // last, so that it reaps the process and leaves no zombie.
    let would_start_again = entry.is_restarted() && entry.retired_ms.is_none();
    let order = if would_start_again { [supervisor, process] } else { [process, supervisor] };
    for (index, process) in order.into_iter().flatten().enumerate() {
        if !would_start_again && index > 0 && process.ends_within(GONE) {
            continue;
        }
        process.kill()?;
        if !process.ends_within(GONE) {
            let text = format!("its process {pid} is still there");
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
    }
    let mut ending = Ending::now(false, reason);
    (ending.code, ending.signal) = platform::KILLED;
    if let Some(before) = entry.ending.take() {
        let held_by = before.held_by.as_deref().unwrap_or("an exit hook");
        ending.reason =
            format!("{reason} after it had shut down, as its process waited for {held_by}");
    }
    registry.end(&mut entry, ending);
    Ok(pid)
}

/// Makes the supervisor of a server that waits for its restart give up, and waits until the
/// supervisor has ended. `false` if there is no such server, or if that is unknown.
pub fn end_paused(target: &Target, wait: &Wait<'_>) -> bool {
    let Ok(registry) = Registry::of_user() else { return false };
    let meant = Meant { registry: &registry, target, addresses: &target.addresses() };
    let mut entries = registry.entries().unwrap_or_default().into_iter();
    let paused = entries.find(|entry| entry.pause().is_some() && meant.includes(entry));
    let supervisor = paused.and_then(|entry| Process::open(&entry.supervisor?).ok().flatten());
    // If the pause ends at this moment, the supervisor passes the signal on to the server.
    let Some(supervisor) = supervisor.filter(|supervisor| supervisor.terminate().is_ok()) else {
        return false;
    };
    while let Some(slice) = wait.slice().filter(|_| !wait.is_interrupted()) {
        if supervisor.ends_within(slice) {
            return true;
        }
    }
    false
}

/// The part of a wait that is for the end of a server, of which the user is told why it takes long.
/// `known` is its entry, if it has one.
pub fn end_phase<'a>(
    target: &Target,
    known: Option<(&Registry, &Entry)>,
    wait: &Wait<'a>,
) -> PhaseGuard<'a> {
    wait.phase(|| {
        let known = known.map(|(registry, entry)| (registry.clone(), entry.instance.clone()));
        let limit = wait.limit().map(|limit| format!(" up to {}", shown(limit)));
        let waiting = format!("Waiting{} for {target} to end", limit.unwrap_or_default());
        move || {
            let entry = known.as_ref().and_then(|(registry, instance)| registry.entry(instance));
            match entry.filter(|entry| entry.retired_ms.is_some()) {
                Some(entry) => format!("{waiting}: {}.", entry.hindrance()),
                None => format!("{waiting}."),
            }
        }
    })
}

/// How a server ended whose process is gone, as far as is known; waits for its supervisor to record
/// it.
pub fn outcome(registry: &Registry, entry: &Entry, wait: &Wait<'_>) -> Option<Ending> {
    loop {
        let known = registry.ended_entry(&entry.instance)?;
        let slice = wait.slice().filter(|_| !wait.is_interrupted());
        match slice {
            Some(slice) if known.is_about_to_be_told() => thread::sleep(slice.min(LOOK)),
            _ => return known.ending,
        }
    }
}

/// Waits until a server that accepts no more calls, and its process, have ended.
///
/// # Errors
/// What it still waits for, as text, when the time is over or the caller wants to stop.
pub fn until_ended(registry: &Registry, entry: &Entry, wait: &Wait<'_>) -> Result<(), String> {
    let _phase = end_phase(&entry.target(), Some((registry, entry)), wait);
    loop {
        let known = registry.entry(&entry.instance);
        // If the server has no record, its process decides.
        let current = known.as_ref().unwrap_or(entry);
        if current.is_over() || !current.has_process() {
            return Ok(());
        }
        let Some(slice) = wait.slice() else { return Err(current.hindrance()) };
        match Process::open(&current.process) {
            Ok(Some(process)) => drop(process.ends_within(slice.min(LOOK))),
            Ok(None) | Err(_) => thread::sleep(slice.min(LOOK)),
        }
        if wait.is_interrupted() {
            return Err(current.hindrance());
        }
    }
}

impl ServeError {
    /// The name is held by the process of an earlier server.
    pub(crate) fn name_held(name: &Name, former: &Entry, hindrance: String) -> Self {
        Self::NameHeld { name: name.clone(), pid: former.process.pid, hindrance }
    }
}
