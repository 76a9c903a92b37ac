//! Text from others, made safe to show: characters that a terminal would obey, or that reorder or
//! break lines, are escaped.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character has an effect instead of being visible: the Unicode categories Cc, Zl, Zp
/// and Cf, which are controls, line separators, and formats (text direction, joiners, zero-width
/// spaces).
fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'..='\u{891}'
                | '\u{8e2}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{110bd}'
                | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0001}'..='\u{e007f}'
        )
}

/// Whether a character joins or separates its neighbours, as in composed emojis and in many
/// scripts. Next to ASCII it only hides something.
fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}')
}

/// Whether a joiner next to this character joins anything.
fn joins(character: Option<char>) -> bool {
    character.is_some_and(|neighbour| !neighbour.is_ascii() && !is_active(neighbour))
}

/// A text of several lines: line ends and tabulators stay.
///
/// ```
/// assert_eq!(bgpy::escape::text("a\tb\n\x1b[2Jc\u{202e}"), "a\tb\n\\x1b[2Jc\\u202e");
/// ```
pub fn text(text: &str) -> Cow<'_, str> {
    escaped(text, None, |character| matches!(character, '\n' | '\t'))
}

/// A text that must stay on one line.
///
/// ```
/// assert_eq!(bgpy::escape::line("a\tb\n"), "a\\tb\\n");
/// ```
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, None, |_| false)
}

/// Escapes the characters with an effect, except those that stay, in a text that follows the
/// character `before`.
fn escaped(text: &str, before: Option<char>, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let must_go = |character: char| is_active(character) && !stays(character);
    if !text.contains(must_go) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let (mut before, mut rest) = (before, text.chars());
    while let Some(character) = rest.next() {
        let is_in_use = is_joiner(character) && joins(before) && joins(rest.clone().next());
        if must_go(character) && !is_in_use {
            write_out(&mut shown, character);
        } else {
            shown.push(character);
        }
        before = Some(character);
    }
    Cow::Owned(shown)
}

/// JSON accepts the four-digit form as well, and contains none of the other characters. Beyond the
/// first 65536 characters it takes a pair of escapes.
fn write_out(shown: &mut String, character: char) {
    let done = match (character, u32::from(character)) {
        ('\n', _) => write!(shown, "\\n"),
        ('\t', _) => write!(shown, "\\t"),
        ('\r', _) => write!(shown, "\\r"),
        (_, code @ ..0x20) => write!(shown, "\\x{code:02x}"),
        _ => character
            .encode_utf16(&mut [0; 2])
            .iter()
            .try_for_each(|unit| write!(shown, "\\u{unit:04x}")),
    };
    done.expect("a String takes everything");
}

/// Makes a stream of bytes safe to show; it may be invalid UTF-8, and chunks may split characters.
#[derive(Debug, Default)]
pub struct Escaper {
    /// An incomplete character, line end or joined sequence.
    begun: Vec<u8>,
    /// The character before it.
    before: Option<char>,
}

impl Escaper {
    /// Takes the next bytes, and returns what can be shown.
    pub fn feed(&mut self, bytes: &[u8]) -> String {
        self.begun.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.begun);
        let (mut shown, mut rest) = (String::new(), &bytes[..]);
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    let settled = settled(valid);
                    self.begun = rest[settled.len()..].to_vec();
                    self.show(&mut shown, settled);
                    return shown;
                }
                Err(error) => {
                    let (valid, broken) = rest.split_at(error.valid_up_to());
                    let valid = String::from_utf8_lossy(valid);
                    let Some(length) = error.error_len() else {
                        let settled = settled(&valid);
                        self.begun = [&valid.as_bytes()[settled.len()..], broken].concat();
                        self.show(&mut shown, settled);
                        return shown;
                    };
                    self.show(&mut shown, &valid);
                    self.before = None;
                    shown.push_str(&invalid(&broken[..length]));
                    rest = &broken[length..];
                }
            }
        }
    }

    /// The rest, when nothing follows.
    pub fn finish(self) -> String {
        let valid =
            std::str::from_utf8(&self.begun).map_or_else(|error| error.valid_up_to(), str::len);
        let (valid, broken) = self.begun.split_at(valid);
        line(&String::from_utf8_lossy(valid)).into_owned() + &invalid(broken)
    }

    /// Lines may end in CRLF.
    fn show(&mut self, shown: &mut String, several: &str) {
        for (index, part) in several.split("\r\n").enumerate() {
            if index > 0 {
                shown.push_str("\r\n");
                self.before = None;
            }
            shown.push_str(&escaped(part, self.before, |end| matches!(end, '\n' | '\t')));
            self.before = part.chars().next_back().or(self.before);
        }
    }
}

/// The part of a text whose escaping does not depend on what follows.
fn settled(text: &str) -> &str {
    let open = |end: char| end == '\r' || is_joiner(end);
    match text.char_indices().next_back() {
        Some((at, last)) if open(last) => &text[..at],
        _ => text,
    }
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
    fn nothing_is_hidden() {
        for (given, shown) in [
            ("tr\u{200b}ain\u{2060}er\u{feff}", "tr\\u200bain\\u2060er\\ufeff"),
            ("a\u{ad}b\u{61c}\u{200e}\u{200f}", "a\\u00adb\\u061c\\u200e\\u200f"),
            ("\u{fff9}\u{180e}\u{206a}\u{70f}", "\\ufff9\\u180e\\u206a\\u070f"),
            ("x\u{e0041}\u{1d173}", "x\\udb40\\udc41\\ud834\\udd73"),
            ("tr\u{200d}ain\u{200c}er\u{200d}", "tr\\u200dain\\u200cer\\u200d"),
            ("\u{4e16}\u{200d}\u{200d}\u{4e16}", "\u{4e16}\\u200d\\u200d\u{4e16}"),
        ] {
            assert_eq!(line(given), shown);
            assert_eq!(text(given), shown);
        }
    }

    #[test]
    fn what_is_joined_stays() {
        let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
        let persian = "\u{645}\u{6cc}\u{200c}\u{62e}";
        let accent = "e\u{301}\u{fe0f}";
        for whole in [family, persian, accent] {
            assert_eq!(line(whole), whole);
            assert_eq!(text(&format!("\x1b{whole}")), format!("\\x1b{whole}"));
        }
    }

    #[test]
    fn a_stream_may_be_cut_anywhere() {
        // With joined sequences and others, at the end and before an invalid byte.
        let bytes = b"a\x1b[1m\r\nb\xc3\xa9\xe2\x80\x8d\xc3\xa9\xe2\x80\x8d\xff\xe2\x80\xae\rc\r\n\
                      \xc3\xa9\xe2\x80\x8d\xf0\x9f\x98";
        let shown = "a\\x1b[1m\r\nb\u{e9}\u{200d}\u{e9}\\u200d\\xff\\u202e\\rc\r\n\u{e9}\\u200d\
                     \\xf0\\x9f\\x98";
        for cut in 0..=bytes.len() {
            let mut stream = Escaper::default();
            let mut told = stream.feed(&bytes[..cut]);
            told += &stream.feed(&bytes[cut..]);
            told += &stream.finish();
            assert_eq!(told, shown, "cut at {cut}");
        }
        let mut stream = Escaper::default();
        let told: String = bytes.iter().map(|byte| stream.feed(&[*byte])).collect();
        assert_eq!(told + &stream.finish(), shown);
    }
}
