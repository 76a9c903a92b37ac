//! A process that has been started and has not said yet whether it is ready.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::StartError;
use crate::launch::Report;
use crate::registry::Registry;
use crate::sync::lock;
use crate::wait::Wait;
use crate::{log, platform, supervisor};

/// Bytes of a log that are shown when a start has failed.
const OUTPUT_BYTES_MAX: u64 = 8 << 10;

/// Stack of a thread that waits, in bytes.
const STACK_BYTES: usize = 128 << 10;

/// How long is waited at once for the end of a process that is no child.
const LOOK: Duration = Duration::from_secs(60);

/// How long whoever kills a server and its supervisor may take to note that.
const NOTED: Duration = Duration::from_secs(1);

/// How often it is looked whether that is noted.
const NOTED_LOOK: Duration = Duration::from_millis(20);

/// The end of a child, noticed by a thread of its own, so that it never stays a zombie.
#[derive(Debug, Default)]
pub(super) struct End {
    /// None until it came; then how, if anybody saw that.
    pub(super) outcome: Mutex<Option<Option<ExitStatus>>>,
    pub(super) came: Condvar,
}

/// A child that has not reported yet; it is ended when nobody takes it over.
pub(super) struct StartingChild {
    pub(super) child: Child,
    pub(super) instance: String,
    pub(super) registry: Option<Registry>,
    pub(super) over: bool,
}

pub(super) enum NoReport {
    Died,
    Timeout,
    Interrupted,
    /// Nobody can wait for it.
    NoThread(io::Error),
}

/// What is said where a thread that waits for a server cannot be started.
const NO_THREAD: &str =
    "the server was ended while it started, as there can be no thread that waits for it";

impl StartingChild {
    pub(super) fn report(&mut self, wait: &Wait<'_>) -> Result<Report, NoReport> {
        let output = self.child.stdout.take().expect("it was piped");
        let (sender, receiver) = channel();
        let listen = move || {
            let mut text = Vec::new();
            // A line, or the end of a child that died; its own children may keep the pipe open.
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

    /// Ends the child and puts together what can be said.
    pub(super) fn explain(
        &mut self,
        reason: NoReport,
        wait: &Wait<'_>,
        printed: &mut Option<Printed>,
    ) -> StartError {
        if !matches!(reason, NoReport::Died) {
            platform::kill_group(&mut self.child);
        }
        // None where somebody else has waited for it.
        let status = self.child.wait().ok();
        let limit = wait.limit().unwrap_or_default().as_secs_f64();
        let ended_for = match &reason {
            NoReport::Died => None,
            NoReport::Timeout => {
                Some(format!("not ready within {limit} s: ended by whoever started it"))
            }
            NoReport::Interrupted => Some("its start was interrupted".to_owned()),
            NoReport::NoThread(_) => Some(NO_THREAD.to_owned()),
        };
        // It may be in the registry already.
        if let (Some(registry), Some(status), Some(reason)) = (&self.registry, status, ended_for) {
            registry.note_exit(&self.instance, status, Some(&reason));
        }
        let status = status.map_or("its exit status is unknown".into(), |known| known.to_string());
        self.over = true;
        let output = printed.as_mut().map(Printed::text).unwrap_or_default();
        match reason {
            NoReport::Died => StartError::Died { status, output },
            NoReport::Timeout => {
                StartError::Timeout { after: wait.limit().unwrap_or_default(), output }
            }
            NoReport::Interrupted => StartError::Interrupted,
            NoReport::NoThread(source) => StartError::System { what: NO_THREAD, source },
        }
    }

    /// Waits for the end of the child, which is ended at once if nobody can.
    pub(super) fn watch(self) -> Result<Arc<End>, StartError> {
        let (instance, registry) = (self.instance.clone(), self.registry.clone());
        let end = Arc::new(End::default());
        let watched = end.clone();
        let mut child = self;
        let watch = move || {
            // None where somebody else has waited for it: another thread for all children at once, or
            // the system, where SIGCHLD is ignored. Either way it has ended.
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
            // Its owner went with what the thread was to do.
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

/// Waits for the end of a server whose supervisor has ended, or which was the child itself, and returns
/// how it has ended, if anybody saw that.
fn see_out(registry: &Registry, instance: &str, status: Option<ExitStatus>) -> Option<ExitStatus> {
    if let (false, Some(status)) = (supervisor::IS_SUPPORTED, status) {
        registry.note_exit(instance, status, None);
    }
    let known = registry.entry(instance);
    let Some(process) = known.map(|entry| entry.process) else { return status };
    let mut outlived = false;
    // The supervisor was killed, and how the server ends is seen by nobody.
    while let Ok(Some(process)) = platform::Process::open(&process) {
        outlived = true;
        process.ends_within(LOOK);
    }
    let ending = || registry.entry(instance).and_then(|entry| entry.ending);
    let since = Instant::now();
    // Whoever has killed both says so in a moment.
    while outlived && ending().is_none() && since.elapsed() < NOTED {
        thread::sleep(NOTED_LOOK);
    }
    let noted = ending().and_then(|ending| platform::status_of(ending.code, ending.signal));
    if outlived { noted } else { status.or(noted) }
}

impl Drop for StartingChild {
    fn drop(&mut self) {
        if !self.over {
            platform::kill_group(&mut self.child);
            drop(self.child.wait());
        }
    }
}

/// What a child has printed since it was started.
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
        // A log that cannot be read any more gives no text, and the error is told without it.
        if self.file.seek(SeekFrom::Start(start)).is_ok() {
            drop(self.file.read_to_end(&mut bytes));
        }
        String::from_utf8_lossy(&bytes).trim_end().to_owned()
    }
}
