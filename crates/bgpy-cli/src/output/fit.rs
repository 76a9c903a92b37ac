//! Text in as many columns as there are.

use ratatui::text::Span;

/// How many columns a text takes.
pub(crate) fn columns(text: &str) -> usize {
    Span::raw(text).width()
}

/// A text in at most `width` columns, with an ellipsis for what has no room.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for character in text.chars() {
        kept.push(character);
        if columns(&kept) >= width {
            kept.pop();
            break;
        }
    }
    if width > 0 {
        kept.push('\u{2026}');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_cut() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab\u{2026}");
        assert_eq!(cut("abcd", 1), "\u{2026}");
        assert_eq!(cut("abcd", 0), "");
        assert_eq!(
            cut("\u{4e2d}\u{4e2d}\u{4e2d}", 5),
            "\u{4e2d}\u{4e2d}\u{2026}",
            "wide characters"
        );
    }
}
