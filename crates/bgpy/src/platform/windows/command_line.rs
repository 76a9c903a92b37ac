//! A command in the form in which the system takes it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::handle::wide;

const QUOTE: u16 = b'"' as u16;
const BACKSLASH: u16 = b'\\' as u16;

/// The strings for a new process, each of which ends with a zero.
#[derive(Debug)]
pub(super) struct CommandLine {
    pub(super) program: Vec<u16>,
    /// All words in one line, as programs take them apart again.
    pub(super) words: Vec<u16>,
    /// `NAME=value` after `NAME=value`, and one more zero at the end.
    pub(super) environment: Vec<u16>,
    pub(super) directory: Option<Vec<u16>>,
}

impl CommandLine {
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if the program is not on `PATH`, [`io::ErrorKind::InvalidInput`]
    /// if it is a batch file, or a string contains a zero.
    pub(super) fn of(command: &Command) -> io::Result<Self> {
        let program = find(Path::new(command.get_program()))?;
        let extension = program.extension().unwrap_or_default().to_ascii_lowercase();
        if extension == "bat" || extension == "cmd" {
            return Err(invalid("a batch file takes words apart in its own way: name a program"));
        }
        let mut words = Vec::new();
        append_quoted(&mut words, program.as_os_str());
        for word in command.get_args() {
            words.push(u16::from(b' '));
            append_quoted(&mut words, word);
        }
        words.push(0);
        let made = Self {
            program: wide(&program),
            words,
            environment: environment(command),
            directory: command.get_current_dir().map(wide),
        };
        let is_whole = |text: &[u16]| !text[..text.len() - 1].contains(&0);
        let strings = [Some(&made.program), Some(&made.words), made.directory.as_ref()];
        if strings.into_iter().flatten().all(|text| is_whole(text)) {
            Ok(made)
        } else {
            Err(invalid("a zero character cannot be passed to a program"))
        }
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// The path of a program. A bare name is searched for on `PATH` alone: a file in the working
/// directory must not be run by accident.
fn find(program: &Path) -> io::Result<PathBuf> {
    let with_extension = |path: PathBuf| match path.extension() {
        Some(_) => path,
        None => path.with_extension(env::consts::EXE_EXTENSION),
    };
    if program.components().count() > 1 {
        let is_complete = program.is_file();
        return Ok(if is_complete {
            program.to_owned()
        } else {
            with_extension(program.to_owned())
        });
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .filter(|place| !place.as_os_str().is_empty())
        .map(|place| with_extension(place.join(program)))
        .find(|path| path.is_file())
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Appends a word in quotes: a backslash is an ordinary character unless a quote follows.
fn append_quoted(line: &mut Vec<u16>, word: &OsStr) {
    line.push(QUOTE);
    let mut backslashes = 0;
    for unit in word.encode_wide() {
        if unit == QUOTE {
            line.extend(std::iter::repeat_n(BACKSLASH, backslashes + 1));
        }
        backslashes = if unit == BACKSLASH { backslashes + 1 } else { 0 };
        line.push(unit);
    }
    line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
    line.push(QUOTE);
}

/// The environment of this process with the changes of a command, sorted as the system wants it.
fn environment(command: &Command) -> Vec<u16> {
    let mut variables: BTreeMap<OsString, (OsString, OsString)> =
        env::vars_os().map(|(name, value)| (name.to_ascii_uppercase(), (name, value))).collect();
    for (name, value) in command.get_envs() {
        let key = name.to_ascii_uppercase();
        match value {
            Some(value) => drop(variables.insert(key, (name.into(), value.into()))),
            None => drop(variables.remove(&key)),
        }
    }
    let mut block = Vec::new();
    for (mut variable, value) in variables.into_values() {
        variable.push("=");
        variable.push(value);
        block.extend(wide(variable));
    }
    // An empty one has two zeros as well.
    if block.is_empty() {
        block.push(0);
    }
    block.push(0);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_programs_take_them_apart() {
        for (word, quoted) in [
            ("", r#""""#),
            ("a b", r#""a b""#),
            (r"C:\a b\", r#""C:\a b\\""#),
            (r#"say "hi""#, r#""say \"hi\"""#),
            (r#"\\"x"#, r#""\\\\\"x""#),
            ("grüße", r#""grüße""#),
        ] {
            let mut line = Vec::new();
            append_quoted(&mut line, OsStr::new(word));
            assert_eq!(String::from_utf16(&line).unwrap(), quoted, "{word}");
        }
    }

    #[test]
    fn a_variable_is_replaced_whatever_its_case() {
        let mut command = Command::new("x");
        command.env("path", "new").env("BGPY_TEST_COMMAND_LINE", "é").env_remove("SystemRoot");
        let block = String::from_utf16(&environment(&command)).unwrap();
        let lines: Vec<_> = block.split_terminator('\0').collect();
        assert!(lines.contains(&"path=new") && lines.contains(&"BGPY_TEST_COMMAND_LINE=é"));
        assert!(!lines.iter().any(|line| line.to_ascii_uppercase().starts_with("SYSTEMROOT=")));
        assert_eq!(
            lines.iter().filter(|line| line.to_ascii_uppercase().starts_with("PATH=")).count(),
            1
        );
        assert!(block.ends_with("\0\0"));
    }
}
