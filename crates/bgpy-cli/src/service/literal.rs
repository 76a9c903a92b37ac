//! The tokens of simple expressions of Python: names, numbers, strings and signs.

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

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
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

/// The tokens of a text; `None` if it has others.
pub(crate) fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    if text.len() > BYTES_MAX {
        return None;
    }
    let mut rest = text.trim_start();
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '\'' | '"' => {
                let inner = rest[1..].split(first).next()?;
                let is_plain = |c: char| c != '\\' && !c.is_control();
                let is_whole = rest[1..].len() > inner.len() && inner.chars().all(is_plain);
                (Token::String(is_whole.then_some(inner)?), inner.len() + 2)
            }
            '.' if rest.starts_with("...") => (Token::Ellipsis, 3),
            '.' | ',' | '[' | ']' | '(' | ')' | '|' | '-' => (Token::Sign(first), 1),
            '0'..='9' => {
                let digits =
                    &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())];
                let has_no_zero = digits == "0" || !digits.starts_with('0');
                (Token::Number(has_no_zero.then_some(digits)?), digits.len())
            }
            _ => {
                let is_end = |c: char| !c.is_alphanumeric() && c != '_';
                let word = &rest[..rest.find(is_end).unwrap_or(rest.len())];
                let is_value = ["None", "True", "False"].contains(&word);
                (Token::Name((is_value || is_name(word)).then_some(word)?), word.len())
            }
        };
        found.push(token);
        let behind = &rest[length..];
        rest = behind.trim_start_matches(' ');
        // Such as in 1if, 'a''b' or b'a'.
        let is_word = |token: &Token<'_>| !matches!(token, Token::Sign(_) | Token::Ellipsis);
        let next = behind.chars().next();
        if is_word(&token) && next.is_some_and(|c| c.is_alphanumeric() || "_'\"".contains(c)) {
            return None;
        }
    }
    Some(found)
}

/// Whether a text is a value that means the same everywhere: a number, a string, None, True or False.
pub(crate) fn is_literal(text: &str) -> bool {
    let Some(tokens) = tokens(text) else { return false };
    let number: &[_] = match tokens.as_slice() {
        [Token::Sign('-'), rest @ ..] => rest,
        [Token::String(_)] => return true,
        [Token::Name(word)] => return !is_name(word),
        all => all,
    };
    match number {
        [Token::Number(_)] => true,
        // Fractions are not split by blanks.
        [Token::Number(_), Token::Sign('.'), Token::Number(_)] => !text.contains(' '),
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
            assert!(tokens(text).is_none(), "{text}");
        }
        assert_eq!(
            tokens("dict[str, 'ü'] | None"),
            Some(vec![
                Token::Name("dict"),
                Token::Sign('['),
                Token::Name("str"),
                Token::Sign(','),
                Token::String("ü"),
                Token::Sign(']'),
                Token::Sign('|'),
                Token::Name("None"),
            ])
        );
        assert!(tokens(&"a|".repeat(BYTES_MAX)).is_none());
    }
}
