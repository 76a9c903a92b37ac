//! Seeing a server to its end: it has ended when its process is gone, and not before.

use std::io;
use std::thread;
use std::time::Duration;

use crate::platform::Process;
use crate::registry::{Ending, Entry, Registry};
use crate::target::Target;
use crate::wait::Wait;

/// How long a killed process may take to be gone.
const GONE: Duration = Duration::from_secs(5);

/// How often it is looked up what has become of a server, unless its process ends before.
const LOOK: Duration = Duration::from_millis(20);

/// Kills the process of a server that has not ended, waits until it is gone, and returns its id.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] when the process is gone, [`io::ErrorKind::Unsupported`] when it is not
/// proven to be the server's, or what the system says.
pub fn kill(registry: &Registry, mut entry: Entry, reason: &str) -> io::Result<u32> {
    let pid = entry.process.pid;
    let process = Process::open(&entry.process)?;
    let supervisor = entry.supervisor.as_ref().map(Process::open).transpose()?.flatten();
    if process.is_none() && (supervisor.is_none() || entry.ending.is_some()) {
        let text = format!("its process {pid} is gone");
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    // First a supervisor that would start it again. Another one waits for it, so that no zombie is left.
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
    ending.signal = Some(9);
    if let Some(before) = entry.ending.take() {
        let held_by = before.held_by.as_deref().unwrap_or("an exit hook");
        ending.reason = format!("{reason} after its end, as its process waited for {held_by}");
    }
    registry.end(&mut entry, ending);
    Ok(pid)
}

/// Has the supervisor of a server that waits to be started again give that up, and waits until that has
/// ended. Returns `false` where there is no such server, or where it cannot be told.
pub fn end_paused(target: &Target, wait: &Wait<'_>) -> bool {
    let Ok(registry) = Registry::of_user() else { return false };
    let is_meant = |entry: &Entry| match target {
        Target::Name(name) => entry.name.as_ref() == Some(name),
        Target::Socket(path) => entry.socket.as_ref() == Some(path),
        Target::Address(address) => address
            .resolve()
            .is_ok_and(|addresses| addresses.iter().any(|address| entry.serves(*address))),
    };
    let mut entries = registry.entries().unwrap_or_default().into_iter();
    let paused = entries.find(|entry| entry.pause().is_some() && is_meant(entry));
    let supervisor = paused.and_then(|entry| Process::open(&entry.supervisor?).ok().flatten());
    // If the pause is just over, it passes the signal on.
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

/// How a server has ended whose process is gone, as far as it is known: its supervisor, which sees that, is
/// given the time to say so.
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

/// Waits until a server that takes no calls any more has ended, and its process with it.
///
/// # Errors
/// What it waits for, in words, when the time is over or the caller wants to stop.
pub fn until_ended(registry: &Registry, entry: &Entry, wait: &Wait<'_>) -> Result<(), String> {
    loop {
        let known = registry.entry(&entry.instance);
        // Where nothing is kept of it, it is judged by its process.
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
