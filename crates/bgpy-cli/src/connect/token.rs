//! Reads a token from the user: from a file, from a prompt without echo, or from a pipe. Without one, servers
//! and clients find theirs themselves.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use bgpy::Token;

use crate::exit::Exit;
use crate::output::{self, terminal};

/// Maximum length of a token, in bytes; a longer file or line is not a token.
const TOKEN_BYTES_MAX: usize = 64 << 10;

/// Reads the first line of a file. Errors are printed before they are returned.
pub(crate) fn read_file(path: &Path) -> Result<Token, Exit> {
    let refuse = |text: String| {
        let path = path.display();
        output::error(format_args!("the token cannot be read from '{path}': {text}"), Exit::Usage)
    };
    // A device or a pipe has no length.
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| refuse(error.to_string()))?;
    let read = file.take(TOKEN_BYTES_MAX as u64 + 1).read_to_string(&mut text);
    if read.map_err(|error| refuse(error.to_string()))? > TOKEN_BYTES_MAX {
        return Err(refuse(format!("it is longer than {TOKEN_BYTES_MAX} bytes")));
    }
    match text.lines().next().unwrap_or_default() {
        "" => Err(refuse("its first line is empty".into())),
        token => Ok(Token::new(token)),
    }
}

/// Prompts for the token if `--token` was given. Errors are printed before they are returned.
pub(crate) fn asked_for(
    wanted: bool,
    interrupted: &dyn Fn() -> bool,
) -> Result<Option<Token>, Exit> {
    if !wanted {
        return Ok(None);
    }
    let input = io::stdin();
    let typed = if input.is_terminal() {
        terminal::read_hidden("Token: ")
    } else {
        first_line(input.lock(), interrupted)
    };
    match typed {
        Ok(token) if token.is_empty() => {
            let text = "the token is empty: type one, or omit --token";
            Err(output::error(text, Exit::Usage))
        }
        Ok(token) => Ok(Some(Token::new(token))),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            // The signal is handled here: the interpreter must not raise it again.
            interrupted();
            Err(output::error("interrupted at the prompt for the token", Exit::Interrupted))
        }
        Err(error) => {
            let text = format_args!("the token cannot be read: {error}; set BGPY_TOKEN instead");
            Err(output::error(text, Exit::Failed))
        }
    }
}

/// The first line without its line ending; empty if there is none.
fn first_line(mut input: impl Read, interrupted: &dyn Fn() -> bool) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match input.read(&mut byte) {
            Ok(0) => break,
            Ok(_) if byte == *b"\n" => break,
            Ok(_) if line.len() == TOKEN_BYTES_MAX => {
                let text = format!("it is longer than {TOKEN_BYTES_MAX} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            Ok(_) => line.extend(byte),
            Err(error) if error.kind() == io::ErrorKind::Interrupted && !interrupted() => {}
            Err(error) => return Err(error),
        }
    }
    if line.ends_with(b"\r") {
        line.pop();
    }
    String::from_utf8(line)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(input: &[u8]) -> io::Result<String> {
        first_line(input, &|| false)
    }

    #[test]
    fn takes_one_line_as_it_is() {
        for (input, token) in [
            ("s3cret\nmore\n", "s3cret"),
            ("a b \r\n", "a b "),
            ("end", "end"),
            ("\n", ""),
            ("", ""),
        ] {
            assert_eq!(line(input.as_bytes()).unwrap(), token);
        }
    }

    #[test]
    fn refuses_what_is_no_token() {
        assert!(line(b"\xff\n").is_err());
        assert!(line(&[b'x'; TOKEN_BYTES_MAX]).is_ok());
        assert!(line(&[b'x'; TOKEN_BYTES_MAX + 1]).is_err());
    }

    /// Input with a signal before each byte.
    struct Disturbed(bool);

    impl Read for Disturbed {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 = !self.0;
            if self.0 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            buffer[0] = b'\n';
            Ok(1)
        }
    }

    #[test]
    fn a_signal_ends_the_wait_only_when_it_is_meant_to() {
        assert_eq!(first_line(Disturbed(false), &|| false).unwrap(), "");
        let error = first_line(Disturbed(false), &|| true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    }
}
