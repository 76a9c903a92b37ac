//! Text of others, made harmless to show: characters that a terminal would obey, or that reorder or
//! break lines, are written out.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character does something instead of being seen.
fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Line and paragraph separators; embeddings, overrides and isolates of text direction.
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// A text of several lines: line ends and tabulators stay.
///
/// ```
/// assert_eq!(bgpy::escape::text("a\tb\n\x1b[2Jc\u{202e}"), "a\tb\n\\x1b[2Jc\\u202e");
/// ```
pub fn text(text: &str) -> Cow<'_, str> {
    escaped(text, |character| matches!(character, '\n' | '\t'))
}

/// A text that must stay on one line.
///
/// ```
/// assert_eq!(bgpy::escape::line("a\tb\n"), "a\\tb\\n");
/// ```
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let must_go = |character: char| is_active(character) && !stays(character);
    let Some(first) = text.find(must_go) else { return Cow::Borrowed(text) };
    let (clean, rest) = text.split_at(first);
    let mut shown = clean.to_owned();
    for character in rest.chars() {
        if must_go(character) {
            write_out(&mut shown, character);
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// JSON knows the longer form as well, and has none of the other characters in it.
fn write_out(shown: &mut String, character: char) {
    let done = match (character, u32::from(character)) {
        ('\n', _) => write!(shown, "\\n"),
        ('\t', _) => write!(shown, "\\t"),
        ('\r', _) => write!(shown, "\\r"),
        (_, code @ ..0x20) => write!(shown, "\\x{code:02x}"),
        (_, code) => write!(shown, "\\u{code:04x}"),
    };
    done.expect("a String takes everything");
}

/// Makes a stream of bytes harmless, which need not be UTF-8, nor be cut where characters end.
#[derive(Debug, Default)]
pub struct Stream {
    /// The beginning of a character, or of a line end.
    begun: Vec<u8>,
}

impl Stream {
    /// Takes the next bytes, and returns what can be shown.
    pub fn feed(&mut self, bytes: &[u8]) -> String {
        self.begun.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.begun);
        let (mut shown, mut rest) = (String::new(), &bytes[..]);
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    // What follows it tells whether it is half of a line end.
                    let whole = valid.strip_suffix('\r').unwrap_or(valid);
                    self.begun = rest[whole.len()..].to_vec();
                    shown.push_str(&lines(whole));
                    return shown;
                }
                Err(error) => {
                    let (valid, broken) = rest.split_at(error.valid_up_to());
                    shown.push_str(&lines(&String::from_utf8_lossy(valid)));
                    let Some(length) = error.error_len() else {
                        self.begun = broken.to_vec();
                        return shown;
                    };
                    shown.push_str(&invalid(&broken[..length]));
                    rest = &broken[length..];
                }
            }
        }
    }

    /// What is left when nothing follows.
    pub fn finish(self) -> String {
        match std::str::from_utf8(&self.begun) {
            Ok(rest) => line(rest).into_owned(),
            Err(_) => invalid(&self.begun),
        }
    }
}

/// Lines may end as they do on Windows.
fn lines(several: &str) -> String {
    let mut ends = several.split("\r\n");
    let mut shown = text(ends.next().unwrap_or_default()).into_owned();
    for part in ends {
        shown.push_str("\r\n");
        shown.push_str(&text(part));
    }
    shown
}

fn invalid(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        for (given, shown) in [
            ("plain \u{e9}\u{4e16}\u{1f600}\n\tx", "plain \u{e9}\u{4e16}\u{1f600}\n\tx"),
            ("\x1b]52;c;AA\x07", "\\x1b]52;c;AA\\x07"),
            ("a\rb\x08\0\x7f", "a\\rb\\x08\\x00\\u007f"),
            ("\u{9b}31m\u{85}", "\\u009b31m\\u0085"),
            (
                "\u{202a}\u{202e}\u{2066}\u{2069}\u{2028}\u{2029}",
                "\\u202a\\u202e\\u2066\\u2069\\u2028\\u2029",
            ),
        ] {
            assert_eq!(text(given), shown);
            assert_eq!(text(&text(given)), shown, "once is enough");
        }
        assert_eq!(line("a\nb\tc\r"), "a\\nb\\tc\\r");
    }

    #[test]
    fn a_stream_may_be_cut_anywhere() {
        let bytes = b"a\x1b[1m\r\nb\xc3\xa9\xff\xe2\x80\xae\rc\r\n\xf0\x9f\x98";
        let shown = "a\\x1b[1m\r\nb\u{e9}\\xff\\u202e\\rc\r\n\\xf0\\x9f\\x98";
        for cut in 0..=bytes.len() {
            let mut stream = Stream::default();
            let mut told = stream.feed(&bytes[..cut]);
            told += &stream.feed(&bytes[cut..]);
            told += &stream.finish();
            assert_eq!(told, shown, "cut at {cut}");
        }
        let mut stream = Stream::default();
        let told: String = bytes.iter().map(|byte| stream.feed(&[*byte])).collect();
        assert_eq!(told + &stream.finish(), shown);
    }
}
