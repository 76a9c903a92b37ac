//! Starting a process that outlives this one.

use std::fs::File;
use std::io;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

/// A process that was started in the background.
#[derive(Debug)]
pub(crate) struct BackgroundChild {
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Option<ChildStdout>,
    child: Child,
}

/// Starts a command whose process outlives this one. Its standard input and output are pipes, its
/// standard error is `log`. The process [detaches](super::detach) itself first of all, which saves a
/// fork of a large parent.
pub(crate) fn spawn_background(command: &mut Command, log: File) -> io::Result<BackgroundChild> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
    let mut child = command.spawn()?;
    Ok(BackgroundChild { stdin: child.stdin.take(), stdout: child.stdout.take(), child })
}

impl BackgroundChild {
    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// Kills it, with all processes in its group.
    pub(crate) fn kill_group(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        // The child leads a process group of its own once it has [detached](super::detach); before
        // that, no group has its id.
        if let Some(id) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(id, Signal::KILL);
        }
        drop(self.child.kill());
    }
}
