//! Checks the interpreter that runs servers, and its version of bgpy.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::Finding;
use bgpy::start::interpreter::ask;

const ABOUT: &str = "python";

/// Prints both versions.
const PROGRAM: &str = "\
import sys
import bgpy
print(sys.version.split()[0], bgpy.__version__)";

/// Whether there is an interpreter, and whether it has this version of bgpy.
pub(super) fn interpreter(
    program: Result<PathBuf, String>,
    interrupted: &dyn Fn() -> bool,
) -> Vec<Finding> {
    let python = match program {
        Ok(python) => python,
        // The error says what to do; a finding is one line.
        Err(error) => {
            let lines: Vec<_> = error.lines().map(str::trim).collect();
            let fix = "set BGPY_PYTHON to an interpreter that has bgpy installed";
            return vec![Finding::error(ABOUT, lines.join(", "), fix)];
        }
    };
    // -P keeps files of the working directory from being imported.
    match ask(Command::new(&python).args(["-P", "-c", PROGRAM]), interrupted) {
        Ok(output) => vec![judge(&python, &output)],
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Vec::new(),
        Err(error) => {
            let text = format!("'{}' cannot be run: {error}", python.display());
            vec![Finding::error(ABOUT, text, "set BGPY_PYTHON to another interpreter")]
        }
    }
}

fn judge(python: &Path, output: &Output) -> Finding {
    let shown = python.display();
    let install = format!("run `'{shown}' -m pip install bgpy=={}`", bgpy::VERSION);
    let fix = format!("{install}, or set BGPY_PYTHON to another interpreter");
    let (said, words) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let versions = said.trim().split_once(' ').filter(|_| output.status.success());
    let Some((version, found)) = versions else {
        let reason = words.trim().lines().last().unwrap_or("it printed no error").trim();
        let text = format!("'{shown}' cannot import bgpy: {reason}");
        return Finding::error(ABOUT, text, fix);
    };
    if found != bgpy::VERSION {
        let own = bgpy::VERSION;
        let text = format!("'{shown}' has bgpy {found}, but this command is bgpy {own}");
        return Finding::error(ABOUT, text, fix);
    }
    Finding::ok(ABOUT, format!("'{shown}' is Python {version} with bgpy {found}"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::super::Level;
    use super::*;

    /// The finding for an interpreter that is this shell script.
    fn look(script: &str) -> Finding {
        let directory = tempfile::tempdir().unwrap();
        let python = directory.path().join("python");
        fs::write(&python, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o700)).unwrap();
        loop {
            let finding = interpreter(Ok(python.clone()), &|| false).swap_remove(0);
            // Another test may have forked while the script was written.
            if !finding.text.contains("Text file busy") {
                return finding;
            }
        }
    }

    #[test]
    fn the_same_version_is_fine() {
        let finding = look(&format!("echo 3.14.0 {}", bgpy::VERSION));
        assert_eq!(finding.level, Level::Ok);
        assert!(finding.text.contains("Python 3.14.0 with bgpy"));
    }

    #[test]
    fn another_version_or_none_is_wrong() {
        let other = look("echo 3.14.0 0.3.0");
        assert_eq!((other.level, other.text.contains("has bgpy 0.3.0")), (Level::Error, true));
        let none = look("echo \"ModuleNotFoundError: No module named 'bgpy'\" >&2; exit 1");
        assert!(none.text.ends_with("No module named 'bgpy'"), "{none:?}");
        assert!(none.fix.unwrap().contains("pip install bgpy=="));
        assert!(look("exit 3").text.ends_with("it printed no error"));
    }

    #[test]
    fn what_cannot_be_run_is_wrong() {
        let finding = interpreter(Ok("/nowhere/python".into()), &|| false).swap_remove(0);
        assert!(finding.text.contains("cannot be run"), "{finding:?}");
        let finding = interpreter(Err("none found; tried\n  PATH\n".into()), &|| false);
        assert_eq!(finding[0].text, "none found; tried, PATH");
    }
}
