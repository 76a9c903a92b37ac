//! The servers of this machine and their states.
//!
//! A state is shown only if it is proven: a server counts as alive if it has answered with the
//! instance id in its entry. A process id proves nothing, because ids are reused.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use bgpy_proto::{Id, State, Status};

use crate::client::{ClientOptions, connect_to};
use crate::duration::shown;
use crate::error::{CallError, ConnectError, Lost, ServeError};
use crate::platform::{Presence, ProcessId};
use crate::registry::{Ending, Entry, Meant, Registry};
use crate::restart::HEALTHY;
use crate::target::Target;
use crate::termination::outcome;
use crate::wait::Wait;

/// How long a server may take to answer; even a busy one answers at once.
const ANSWER: Duration = Duration::from_secs(2);

/// How often to check what a supervisor does after the end of its process.
const ENDED_LOOK: Duration = Duration::from_millis(20);

/// How long the end of a server may take to be recorded after its connections are gone.
const RECORDED: Duration = Duration::from_secs(1);

/// How long its process may take to disappear: one that is still there has closed the connection for
/// another reason.
const DYING: Duration = Duration::from_millis(200);

/// How often the record is looked for.
const RECORDED_LOOK: Duration = Duration::from_millis(5);

/// The state of a server, as seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServerState {
    /// It answers, with this state.
    Alive(State),
    /// It has ended as intended.
    Exited,
    /// It has ended in another way.
    Failed,
    /// It has failed and waits for its restart.
    Restarting,
    /// It has an entry and a process, but does not answer as the server of the entry.
    Stale,
}

/// What is known about a server of this user on this machine.
#[derive(Debug, Clone)]
pub struct ServerInfo {
    /// Its entry in the registry.
    pub entry: Entry,
    /// Where it stands.
    pub state: ServerState,
    /// The reason for the state, if it needs one.
    pub reason: Option<String>,
    /// Whether its process has reached its descriptor limit: it serves connected clients, and
    /// rejects calls of others.
    pub is_full: bool,
    /// Its status, if it answers.
    pub status: Option<Status>,
    /// How long that answer took, without connecting.
    pub answered_in: Option<Duration>,
}

/// This user's running servers, youngest first, with `ended` also those that have ended.
///
/// # Errors
/// Why they are not known.
pub fn survey(registry: &Registry, ended: bool, wait: &Wait<'_>) -> io::Result<Vec<ServerInfo>> {
    let mut infos = look_at_all(registry, registry.entries()?, wait);
    let (gone, there): (Vec<_>, Vec<_>) = infos.into_iter().partition(ServerInfo::has_ended);
    infos = there;
    let before = registry.ended()?.into_iter().map(|entry| ServerInfo::of_ended(registry, entry));
    let before: Vec<_> = before.collect();
    infos.extend(before.into_iter().filter(|info| ended || !info.has_ended()));
    if ended {
        // Servers found dead just now may also have been read as ended.
        infos.extend(gone);
    }
    infos.sort_by(|a, b| {
        let key =
            |info: &ServerInfo| (std::cmp::Reverse(info.entry.started_ms), info.entry.process.pid);
        key(a).cmp(&key(b)).then_with(|| a.entry.instance.cmp(&b.entry.instance))
    });
    infos.dedup_by(|a, b| a.entry.instance == b.entry.instance);
    Ok(infos)
}

/// The server that a target means: the running one, else the one that ended last; `None` if the
/// registry has none.
///
/// # Errors
/// Why it is not known.
pub fn look_up(
    registry: &Registry,
    target: &Target,
    wait: &Wait<'_>,
) -> io::Result<Option<ServerInfo>> {
    let mut infos = all_of(registry, target, wait)?;
    let alive = infos.iter().position(|info| !info.has_ended()).unwrap_or(0);
    Ok((!infos.is_empty()).then(|| infos.swap_remove(alive)))
}

/// The servers that a target may mean and that have not ended: the running one, and those whose
/// processes still exist.
///
/// # Errors
/// Why they are not known.
#[doc(hidden)]
pub fn look_up_all(
    registry: &Registry,
    target: &Target,
    wait: &Wait<'_>,
) -> io::Result<Vec<ServerInfo>> {
    let mut infos = all_of(registry, target, wait)?;
    infos.retain(|info| !info.has_ended());
    Ok(infos)
}

fn all_of(registry: &Registry, target: &Target, wait: &Wait<'_>) -> io::Result<Vec<ServerInfo>> {
    let meant = Meant { registry, target, addresses: &target.addresses() };
    let is_meant = |entry: &Entry| meant.includes(entry);
    let entries = registry.entries()?.into_iter().filter(is_meant).collect();
    let mut infos = look_at_all(registry, entries, wait);
    infos.extend(
        registry
            .ended()?
            .into_iter()
            .filter(is_meant)
            .map(|entry| ServerInfo::of_ended(registry, entry)),
    );
    // A server that retires at this moment is in both places.
    let mut seen = HashSet::new();
    infos.retain(|info| seen.insert(info.entry.instance.clone()));
    Ok(infos)
}

impl CallError {
    /// Adds to a lost connection how the server has ended, if it was one of this user on this
    /// machine. Waits a moment for that to be recorded.
    #[must_use]
    #[doc(hidden)]
    pub fn with_ending(self) -> Self {
        match self {
            Self::Lost {
                server, reason: reason @ (Lost::Closed | Lost::Io(_)), instance, ..
            } => {
                let ended = ending_of(instance).map(|ending| ending.to_string());
                Self::Lost { server, reason, instance, ended }
            }
            Self::JobUnsure { job, is_key, source } => {
                Self::JobUnsure { job, is_key, source: Box::new(source.with_ending()) }
            }
            error => error,
        }
    }
}

fn ending_of(instance: Id) -> Option<Ending> {
    let (registry, instance) = (Registry::of_user().ok()?, instance.to_string());
    let wait = Wait::new(Some(RECORDED), &|| false);
    loop {
        if let Some(entry) = registry.ended_entry(&instance) {
            return outcome(&registry, &entry, &wait);
        }
        // The supervisor of a server that is restarted keeps the entry.
        let entry = registry.entry(&instance).filter(|entry| !entry.is_restarted())?;
        let slice =
            wait.slice().filter(|_| wait.since().elapsed() < DYING || !entry.has_process())?;
        thread::sleep(slice.min(RECORDED_LOOK));
    }
}

impl ServeError {
    /// Names this user's server that listens on the wanted address, if there is one.
    pub(crate) fn naming_the_server(&self) -> Option<Self> {
        let Self::AddressInUse { address } = self else { return None };
        let registry = Registry::of_user().ok()?;
        let target = Target::Address(address.parse().ok()?);
        let wait = Wait::new(None, &|| false);
        let info = look_up(&registry, &target, &wait).ok()?.filter(|info| !info.has_ended())?;
        let (server, pid) = (info.entry.target().to_string(), info.entry.process.pid);
        Some(Self::AddressOfServer { address: address.clone(), server, pid })
    }
}

/// Checks all servers with these entries in parallel, so that one that does not answer delays no
/// other.
#[doc(hidden)]
pub fn look_at_all(registry: &Registry, entries: Vec<Entry>, wait: &Wait<'_>) -> Vec<ServerInfo> {
    let limit = wait.limit().map_or(ANSWER, |limit| limit.min(ANSWER));
    if let [_] = entries[..] {
        return entries.into_iter().map(|entry| look_at(registry, entry, limit)).collect();
    }
    thread::scope(|scope| {
        let begin = |entry: Entry| {
            let beside = entry.clone();
            let look = move || look_at(registry, beside, limit);
            // If no thread can be started, the rest are checked one by one.
            let begun = thread::Builder::new().spawn_scoped(scope, look);
            begun.map_err(|_| Box::new(look_at(registry, entry, limit)))
        };
        let looks: Vec<_> = entries.into_iter().map(begin).collect();
        let seen = |look: Result<thread::ScopedJoinHandle<'_, _>, Box<_>>| match look {
            Ok(look) => look.join().ok(),
            Err(info) => Some(*info),
        };
        looks.into_iter().filter_map(seen).collect()
    })
}

fn look_at(registry: &Registry, mut entry: Entry, limit: Duration) -> ServerInfo {
    if entry.pause().is_some() {
        return ServerInfo::restarting(entry);
    }
    let stale = |entry: Entry, reason| {
        let full = entry.process.descriptors_used_up().map(|limit| {
            format!(
                "{}, and has reached its limit of {limit} open files (RLIMIT_NOFILE), so that it accepts no \
                 new clients",
                whereabouts(&entry)
            )
        });
        let is_full = full.is_some();
        let silent = ServerInfo::silent(entry, ServerState::Stale, full.unwrap_or(reason));
        ServerInfo { is_full, ..silent }
    };
    let (since, never) = (Instant::now(), || false);
    let wait = Wait::new(Some(limit), &never);
    match ask(&mut entry, &wait) {
        Ok(Answer { instance, status, took, overloaded }) if instance == entry.instance => {
            ServerInfo {
                entry,
                state: ServerState::Alive(status.state),
                is_full: overloaded.is_some(),
                reason: overloaded,
                status: Some(status),
                answered_in: Some(took),
            }
        }
        Ok(_) => stale(entry, "another server answers at its address".into()),
        Err(_) if registry.mark_dead(&mut entry) => ServerInfo::of_ended(registry, entry),
        Err(_) if entry.process.presence() == Presence::Gone => {
            follow(registry, entry, limit.saturating_sub(since.elapsed()))
        }
        // It may have retired between the read of the registry and the connection attempt.
        Err(CallError::Connect(ConnectError::NotRunning { .. }) | CallError::Lost { .. }) => {
            match registry.ended_entry(&entry.instance) {
                Some(entry) => ServerInfo::of_ended(registry, entry),
                None => {
                    let reason = format!("{}, but nothing listens", whereabouts(&entry));
                    stale(entry, reason)
                }
            }
        }
        Err(CallError::Connect(ConnectError::Timeout { process: Some(_), after, .. })) => {
            let (place, limit) = (whereabouts(&entry), shown(after));
            let reason =
                format!("{place}, but did not answer within {limit}: it is stopped or overloaded");
            stale(entry, reason)
        }
        Err(error) => {
            let reason = format!("{}, but: {error}", whereabouts(&entry));
            stale(entry, reason)
        }
    }
}

/// The answer of a server.
struct Answer {
    instance: String,
    status: Status,
    took: Duration,
    /// Why it rejects calls of new clients, if it does.
    overloaded: Option<String>,
}

/// Asks the server of an entry for its status. Updates the entry if it is of an earlier process,
/// for example because a disk was full.
fn ask(entry: &mut Entry, wait: &Wait<'_>) -> Result<Answer, CallError> {
    let link = connect_to(entry, &ClientOptions::default(), wait)?;
    let (since, hello) = (Instant::now(), link.hello());
    let generation = u32::try_from(hello.generation).unwrap_or(u32::MAX);
    let pid = u32::try_from(hello.pid).unwrap_or_default();
    let is_behind = generation > entry.generation;
    let process = is_behind.then(|| ProcessId::beside(&entry.process, pid));
    // The instance id of the connection belongs to the process that gives this status.
    let status = link.status(wait)?.of_others();
    let instance = hello.instance.to_string();
    if let Some(process) = process.filter(|_| instance == entry.instance) {
        (entry.process, entry.generation) = (process, generation);
    }
    let overloaded = hello.overloaded.clone();
    Ok(Answer { instance, status, took: since.elapsed(), overloaded })
}

/// What is known about the process of a server that does not answer.
fn whereabouts(entry: &Entry) -> String {
    let pid = entry.process.pid;
    match entry.process.presence() {
        Presence::There => format!("process {pid} is there"),
        Presence::Gone => format!("process {pid} is gone"),
        Presence::Unknown => format!(
            "process {pid} may be there, which cannot be told from here as it belongs to another \
             container or /proc cannot be read"
        ),
    }
}

/// Waits until the supervisor has handled the end of a server's process, then checks the server
/// again.
fn follow(registry: &Registry, mut entry: Entry, limit: Duration) -> ServerInfo {
    let since = Instant::now();
    loop {
        let left = limit.saturating_sub(since.elapsed());
        let known = registry.entry(&entry.instance);
        if let Some(known) = registry.ended_entry(&entry.instance) {
            return ServerInfo::of_ended(registry, known);
        } else if let Some(known) =
            known.filter(|known| known.process != entry.process || known.pause().is_some())
        {
            return look_at(registry, known, left);
        } else if registry.mark_dead(&mut entry) {
            return ServerInfo::of_ended(registry, entry);
        } else if left.is_zero() {
            let starting = ServerState::Alive(State::Starting);
            let state = if entry.is_restarted() { starting } else { ServerState::Stale };
            let mut reason =
                format!("its process {} is gone, but its supervisor is not", entry.process.pid);
            if let Some(failing) = &entry.failing {
                reason = format!("{reason}; {failing}");
            }
            return ServerInfo::silent(entry, state, reason);
        }
        thread::sleep(left.min(ENDED_LOOK));
    }
}

impl ServerInfo {
    /// A server that does not answer, with the reason.
    fn silent(entry: Entry, state: ServerState, reason: String) -> Self {
        let reason = Some(reason);
        Self { entry, state, reason, is_full: false, status: None, answered_in: None }
    }

    /// A server without a process until its supervisor restarts it.
    fn restarting(entry: Entry) -> Self {
        let reason = entry.failing.as_ref().map(ToString::to_string).unwrap_or_default();
        Self::silent(entry, ServerState::Restarting, reason)
    }

    /// A server that accepts no more calls, by its entry.
    fn of_ended(registry: &Registry, mut entry: Entry) -> Self {
        if entry.ending.is_none() {
            registry.mark_dead(&mut entry);
        }
        let (state, reason) = match &entry.ending {
            Some(ending) if entry.is_over() => match ending.orderly {
                true => (ServerState::Exited, None),
                false => (ServerState::Failed, Some(ending.to_string())),
            },
            _ => (ServerState::Alive(State::Stopping), Some(entry.hindrance())),
        };
        Self { entry, state, reason, is_full: false, status: None, answered_in: None }
    }

    /// How often it has failed since it was healthy.
    pub fn failures(&self) -> u32 {
        let healthy = HEALTHY.as_secs_f64();
        let is_healthy = self.status.as_ref().is_some_and(|status| status.uptime_s >= healthy);
        let failing = self.entry.failing.as_ref().filter(|_| !is_healthy);
        failing.map_or(0, |failing| failing.failures)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, ServerState::Exited | ServerState::Failed)
    }
}

impl ServerState {
    /// The name as shown to users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive(state) => state.as_str(),
            Self::Exited => "EXITED",
            Self::Failed => "FAILED",
            Self::Restarting => "RESTARTING",
            Self::Stale => "STALE",
        }
    }
}

impl fmt::Display for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
