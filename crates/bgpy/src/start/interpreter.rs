//! Runs an interpreter with a short program, for example to ask for its version.

use std::io;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::duration::shown;

/// How long the interpreter may take.
const ANSWER: Duration = Duration::from_secs(30);

/// How often its process is polled.
const LOOK: Duration = Duration::from_millis(10);

/// Runs an interpreter with a short program, and returns its output.
///
/// # Errors
/// The system's error; [`io::ErrorKind::TimedOut`], [`io::ErrorKind::Interrupted`].
pub fn ask(command: &mut Command, interrupted: &dyn Fn() -> bool) -> io::Result<Output> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let ended = wait(&mut child, interrupted);
    if ended.is_err() {
        // It may have ended in the meantime.
        drop(child.kill());
        child.wait()?;
    }
    ended.and_then(|()| child.wait_with_output())
}

fn wait(child: &mut Child, interrupted: &dyn Fn() -> bool) -> io::Result<()> {
    let since = Instant::now();
    while child.try_wait()?.is_none() {
        if interrupted() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if since.elapsed() > ANSWER {
            let text = format!("it did not answer within {}", shown(ANSWER));
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn one_that_says_nothing_can_be_interrupted() {
        let mut endless = Command::new("sleep");
        let error = ask(endless.arg("1000"), &|| true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    }
}
