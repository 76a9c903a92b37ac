//! The native program hands a server over to an interpreter.
#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// A fake interpreter that prints its process id and its arguments, one per line.
const INTERPRETER: &str = "#!/bin/sh\necho $$\nfor argument in \"$@\"; do echo \"$argument\"; done\n\
                           cat\nexit 7\n";

/// A directory with the interpreter as `python3`. It is written before any test starts a process:
/// one that inherits the file while it is open for writing keeps it from being run.
fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<TempDir> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let python = directory.path().join("python3");
        fs::write(&python, INTERPRETER).expect("it can be written");
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).expect("it is ours");
        directory
    });
    directory.path()
}

fn bgpy(arguments: &[&str]) -> Command {
    directory();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bgpy"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
    command.env_remove("BGPY_PYTHON").env_remove("VIRTUAL_ENV");
    command
}

#[test]
fn the_interpreter_gets_the_arguments_the_input_and_the_process() {
    let arguments = ["server", "127.0.0.1", "0", "--token", "-f", "a b.log", "--init-file=None"];
    let mut command = bgpy(&arguments);
    command.env("BGPY_PYTHON", directory().join("python3")).stdin(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let id = child.id();
    // The interpreter reads the token.
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"s3cret\n").expect("the interpreter reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(7));
    let text = String::from_utf8(output.stdout).expect("output is text");
    let expected = format!("{id}\n-P\n-m\nbgpy\n{}\ns3cret\n", arguments.join("\n"));
    assert_eq!(text, expected);
    assert!(output.stderr.is_empty());
}

#[test]
fn an_interpreter_on_the_path_will_do() {
    let path = std::env::join_paths([directory(), Path::new("/usr/bin"), Path::new("/bin")]);
    let mut command = bgpy(&["server", "127.0.0.1", "0"]);
    let output = command.env("PATH", path.expect("no colons")).output().expect("it starts");
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn wrong_arguments_are_found_before_an_interpreter_is_looked_for() {
    let mut command = bgpy(&["server", "127.0.0.1", "65536"]);
    let output = command.env("BGPY_PYTHON", "/nowhere/python").output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn no_interpreter_is_an_error_that_says_where_it_looked() {
    let mut set = bgpy(&["server", "127.0.0.1", "0"]);
    let output = set.env("BGPY_PYTHON", "/nowhere/python").output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).expect("output is text");
    assert!(words.starts_with("error: BGPY_PYTHON is '/nowhere/python'"), "{words}");

    let mut unset = bgpy(&["server", "127.0.0.1", "0"]);
    let output = unset.env("PATH", "/nowhere").output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).expect("output is text");
    assert!(words.starts_with("error: no Python interpreter found"), "{words}");
    assert!(words.contains("BGPY_PYTHON") && words.contains("VIRTUAL_ENV: not set"), "{words}");
}
