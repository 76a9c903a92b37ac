//! The lexemes of simple expressions of Python: names, numbers, strings and signs.

use crate::origin::is_identifier;

/// Longest text that is looked at.
const BYTES_MAX: usize = 4096;

/// Words that are no names.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// A lexeme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lexeme<'a> {
    /// A name, or None, True or False.
    Name(&'a str),
    /// A number of digits.
    Number(&'a str),
    /// A string without escapes, without its quotes.
    String(&'a str),
    /// `...`
    Ellipsis,
    /// One of `.,[]()|-`
    Sign(char),
}

/// Whether a text may be the name of a variable.
pub(crate) fn is_name(text: &str) -> bool {
    is_identifier(text) && !KEYWORDS.contains(&text)
}

/// The lexemes of a text; `None` if it has others.
pub(crate) fn lexemes(text: &str) -> Option<Vec<Lexeme<'_>>> {
    if text.len() > BYTES_MAX {
        return None;
    }
    let mut rest = text.trim_start();
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (lexeme, length) = match first {
            '\'' | '"' => {
                let inner = rest[1..].split(first).next()?;
                let is_plain = |c: char| c != '\\' && !c.is_control();
                let is_whole = rest[1..].len() > inner.len() && inner.chars().all(is_plain);
                (Lexeme::String(is_whole.then_some(inner)?), inner.len() + 2)
            }
            '.' if rest.starts_with("...") => (Lexeme::Ellipsis, 3),
            '.' | ',' | '[' | ']' | '(' | ')' | '|' | '-' => (Lexeme::Sign(first), 1),
            '0'..='9' => {
                let digits =
                    &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())];
                let has_no_zero = digits == "0" || !digits.starts_with('0');
                (Lexeme::Number(has_no_zero.then_some(digits)?), digits.len())
            }
            _ => {
                let is_end = |c: char| !c.is_alphanumeric() && c != '_';
                let word = &rest[..rest.find(is_end).unwrap_or(rest.len())];
                let is_value = ["None", "True", "False"].contains(&word);
                (Lexeme::Name((is_value || is_name(word)).then_some(word)?), word.len())
            }
        };
        found.push(lexeme);
        let behind = &rest[length..];
        rest = behind.trim_start_matches(' ');
        // Such as in 1if, 'a''b' or b'a'.
        let is_word = |lexeme: &Lexeme<'_>| !matches!(lexeme, Lexeme::Sign(_) | Lexeme::Ellipsis);
        let next = behind.chars().next();
        if is_word(&lexeme) && next.is_some_and(|c| c.is_alphanumeric() || "_'\"".contains(c)) {
            return None;
        }
    }
    Some(found)
}

/// Whether a text is a value that means the same everywhere: a number, a string, None, True or False.
pub(crate) fn is_literal(text: &str) -> bool {
    let Some(lexemes) = lexemes(text) else { return false };
    let number: &[_] = match lexemes.as_slice() {
        [Lexeme::Sign('-'), rest @ ..] => rest,
        [Lexeme::String(_)] => return true,
        [Lexeme::Name(word)] => return !is_name(word),
        all => all,
    };
    match number {
        [Lexeme::Number(_)] => true,
        // Fractions are not split by blanks.
        [Lexeme::Number(_), Lexeme::Sign('.'), Lexeme::Number(_)] => !text.contains(' '),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_told_from_other_defaults() {
        for text in ["1", "-5", "0", "1.5", "-0.5", "'a b'", "\"\"", "None", "True"] {
            assert!(is_literal(text), "{text}");
        }
        for text in [
            "", "a", "1e5", "01", "1 . 5", "[]", "()", "<object>", "inf", "'a\\n'", "'a", "'a''b'",
            "b'a'", "...", "1if", "not", "- ",
        ] {
            assert!(!is_literal(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_simple_token_is_refused() {
        for text in ["a b\n", "a\u{0}", "a:=1", "x if y else z", "f'{a}'", "a'b'", "²", "'\t'"] {
            assert!(lexemes(text).is_none(), "{text}");
        }
        assert_eq!(
            lexemes("dict[str, 'ü'] | None"),
            Some(vec![
                Lexeme::Name("dict"),
                Lexeme::Sign('['),
                Lexeme::Name("str"),
                Lexeme::Sign(','),
                Lexeme::String("ü"),
                Lexeme::Sign(']'),
                Lexeme::Sign('|'),
                Lexeme::Name("None"),
            ])
        );
        assert!(lexemes(&"a|".repeat(BYTES_MAX)).is_none());
    }
}
