//! A started process that has not reported yet whether it is ready.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::bootstrap::Report;
use crate::duration::shown;
use crate::error::{ServeError, StartError};
use crate::name::Name;
use crate::platform::BackgroundChild;
use crate::registry::Registry;
use crate::sync::lock;
use crate::wait::Wait;
use crate::{log, platform};

/// Bytes of the log that are shown when a start fails.
const OUTPUT_BYTES_MAX: u64 = 8 << 10;

/// Stack size of a waiting thread, in bytes.
const STACK_BYTES: usize = 128 << 10;

/// Longest single wait for the end of a process that is not a child.
const LOOK: Duration = Duration::from_secs(60);

/// How long `bgpy kill` may take to record the end of a server that it killed with its supervisor.
const NOTED: Duration = Duration::from_secs(1);

/// How often the entry is checked for that.
const NOTED_LOOK: Duration = Duration::from_millis(20);

/// The end of a child. A separate thread reaps it, so it never stays a zombie.
#[derive(Debug, Default)]
pub(super) struct End {
    /// `None` until the child has ended; then its exit status, if that is known.
    pub(super) outcome: Mutex<Option<Option<ExitStatus>>>,
    pub(super) came: Condvar,
}

/// A child that has not reported yet; dropping it kills it unless it was taken over.
pub(super) struct StartingChild {
    pub(super) child: BackgroundChild,
    pub(super) instance: String,
    pub(super) name: Option<Name>,
    pub(super) registry: Option<Registry>,
    pub(super) over: bool,
}

pub(super) enum NoReport {
    Died,
    Timeout,
    Interrupted,
    /// The thread that waits for it cannot be started.
    NoThread(io::Error),
}

/// The error when no thread can be started to wait for a server.
const NO_THREAD: &str =
    "the server was ended while it started, as there can be no thread that waits for it";

impl StartingChild {
    pub(super) fn report(&mut self, wait: &Wait<'_>) -> Result<Report, NoReport> {
        let output = self.child.stdout.take().expect("it was piped");
        let (sender, receiver) = channel();
        let listen = move || {
            let mut text = Vec::new();
            // Reads a line, or up to EOF if the child died; with EOF alone, its own children could
            // keep the pipe open.
            drop(BufReader::new(output).read_until(b'\n', &mut text));
            drop(sender.send(text));
        };
        let thread = thread::Builder::new().name("bgpy-start".into()).stack_size(STACK_BYTES);
        drop(thread.spawn(listen).map_err(NoReport::NoThread)?);
        loop {
            let slice = wait.slice().ok_or(NoReport::Timeout)?;
            match receiver.recv_timeout(slice) {
                Ok(text) => return serde_json::from_slice(&text).map_err(|_| NoReport::Died),
                Err(RecvTimeoutError::Timeout) if wait.is_interrupted() => {
                    return Err(NoReport::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(NoReport::Died),
            }
        }
    }

    /// Kills the child and collects what is known about the failure.
    pub(super) fn explain(
        &mut self,
        reason: NoReport,
        wait: &Wait<'_>,
        printed: &mut Option<Printed>,
    ) -> StartError {
        if !matches!(reason, NoReport::Died) {
            self.child.kill_group();
        }
        // `None` if other code in this process has reaped it.
        let status = self.child.wait().ok();
        let limit = shown(wait.limit().unwrap_or_default());
        let ended_for = match &reason {
            NoReport::Died => None,
            NoReport::Timeout => Some(format!("not ready within {limit}: ended by its starter")),
            NoReport::Interrupted => Some("its start was interrupted".to_owned()),
            NoReport::NoThread(_) => Some(NO_THREAD.to_owned()),
        };
        // The child may have written its entry already.
        if let (Some(registry), Some(status), Some(reason)) = (&self.registry, status, ended_for) {
            registry.note_exit(&self.instance, status, Some(&reason));
        }
        let status = status.map_or("its exit status is unknown".into(), |known| known.to_string());
        self.over = true;
        let output = printed.as_mut().map(Printed::text).unwrap_or_default();
        match reason {
            NoReport::Died => StartError::Died { status, output },
            NoReport::Timeout => self.name_held().unwrap_or_else(|| StartError::Timeout {
                after: wait.limit().unwrap_or_default(),
                output,
            }),
            NoReport::Interrupted => StartError::Interrupted,
            NoReport::NoThread(source) => StartError::System { what: NO_THREAD, source },
        }
    }

    /// The error if the child has waited for the process of an earlier server of its name.
    fn name_held(&self) -> Option<StartError> {
        let (registry, name) = self.registry.as_ref().zip(self.name.as_ref())?;
        let formers = registry.lingering(name).ok()?;
        let former = formers.first()?;
        let error = ServeError::name_held(name, former, former.hindrance());
        Some(StartError::Reported { kind: error.kind(), message: error.to_string() })
    }

    /// Waits for the end of the child in a thread, and kills the child if there can be none.
    pub(super) fn watch(self) -> Result<Arc<End>, StartError> {
        let (instance, registry) = (self.instance.clone(), self.registry.clone());
        let end = Arc::new(End::default());
        let watched = end.clone();
        let mut child = self;
        let watch = move || {
            // `None` if another thread has reaped all children, or if the system has because
            // SIGCHLD is ignored. Either way the child has ended.
            let status = child.child.wait().ok();
            let status = match &child.registry {
                Some(registry) => see_out(registry, &child.instance, status),
                None => status,
            };
            *lock(&watched.outcome) = Some(status);
            watched.came.notify_all();
        };
        let thread = thread::Builder::new().name("bgpy-child".into()).stack_size(STACK_BYTES);
        match thread.spawn(watch) {
            Ok(_) => Ok(end),
            // The closure that owned the child was dropped with the failed thread.
            Err(source) => {
                if let Some((registry, mut entry)) =
                    registry.and_then(|all| Some((all.clone(), all.entry(&instance)?)))
                {
                    registry.mark_dead(&mut entry);
                }
                Err(StartError::System { what: NO_THREAD, source })
            }
        }
    }
}

/// Waits for the end of a server whose supervisor has ended, or that was the child itself; returns
/// its exit status, if that is known.
fn see_out(registry: &Registry, instance: &str, status: Option<ExitStatus>) -> Option<ExitStatus> {
    let known = registry.entry(instance);
    let has_supervisor = known.as_ref().is_none_or(|entry| entry.supervisor.is_some());
    if let (false, Some(status)) = (has_supervisor, status) {
        registry.note_exit(instance, status, None);
    }
    let Some(process) = known.map(|entry| entry.process) else { return status };
    let mut outlived = false;
    // The supervisor was killed, so no process waits for the server's exit status.
    while let Ok(Some(process)) = platform::Process::open(&process) {
        outlived = true;
        process.ends_within(LOOK);
    }
    let ending = || registry.entry(instance).and_then(|entry| entry.ending);
    let since = Instant::now();
    // A killer of both records the end in a moment.
    while outlived && ending().is_none() && since.elapsed() < NOTED {
        thread::sleep(NOTED_LOOK);
    }
    let noted = ending().and_then(|ending| platform::status_of(ending.code, ending.signal));
    if outlived { noted } else { status.or(noted) }
}

impl Drop for StartingChild {
    fn drop(&mut self) {
        if !self.over {
            self.child.kill_group();
            drop(self.child.wait());
        }
    }
}

/// What a child has printed since its start.
pub(super) struct Printed {
    file: File,
    start: u64,
}

impl Printed {
    pub(super) fn from_now(path: &Path) -> Option<Self> {
        let mut file = log::read::open(path).ok()?;
        let start = file.seek(SeekFrom::End(0)).ok()?;
        Some(Self { file, start })
    }

    pub(super) fn text(&mut self) -> String {
        let end = self.file.metadata().map_or(self.start, |about| about.len());
        let start = self.start.max(end.saturating_sub(OUTPUT_BYTES_MAX));
        let mut bytes = Vec::new();
        // If the log cannot be read any more, the error is reported without its text.
        if self.file.seek(SeekFrom::Start(start)).is_ok() {
            drop(self.file.read_to_end(&mut bytes));
        }
        String::from_utf8_lossy(&bytes).trim_end().to_owned()
    }
}
