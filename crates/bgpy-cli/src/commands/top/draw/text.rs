//! Text in lines that fit.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::output::fit::{columns, cut};

/// Breaks a line after each `width` columns.
pub(super) fn broken(line: &Line<'_>, width: usize) -> Vec<Line<'static>> {
    let mut rows = vec![Row::default()];
    for span in &line.spans {
        for character in span.content.chars() {
            let columns = Span::raw(character.to_string()).width();
            let last = rows.last_mut().expect("there is one");
            if last.columns + columns <= width || last.columns == 0 {
                last.add(character, columns, span.style);
            } else {
                let mut row = Row::default();
                row.add(character, columns, span.style);
                rows.push(row);
            }
        }
    }
    rows.into_iter().map(|row| Line::from(row.spans)).collect()
}

#[derive(Default)]
struct Row {
    spans: Vec<Span<'static>>,
    columns: usize,
}

impl Row {
    fn add(&mut self, character: char, columns: usize, style: Style) {
        self.columns += columns;
        match self.spans.last_mut() {
            Some(span) if span.style == style => span.content.to_mut().push(character),
            _ => self.spans.push(Span::styled(character.to_string(), style)),
        }
    }
}

/// The words of a text in at most `count` lines; what has no room is replaced by an ellipsis.
pub(super) fn words_in(text: &str, width: usize, count: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one");
        let both = columns(line) + 1 + columns(word);
        if line.is_empty() {
            line.push_str(word);
        } else if both <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    if lines.len() > count {
        lines.truncate(count);
        if let Some(last) = lines.last_mut() {
            last.push_str(" \u{2026}");
        }
    }
    lines.iter().map(|line| cut(line, width)).collect()
}

#[cfg(test)]
mod tests {
    use ratatui::style::Modifier;

    use super::*;

    #[test]
    fn lines_are_broken_where_they_are_full() {
        let dim = Style::new().add_modifier(Modifier::DIM);
        let line = Line::from(vec![Span::styled("abc", dim), Span::raw("defg")]);
        let rows = broken(&line, 4);
        let texts: Vec<_> = rows.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["abcd", "efg"]);
        assert_eq!(
            rows[0].spans.iter().map(|span| span.style).collect::<Vec<_>>(),
            [dim, Style::new()]
        );
        assert_eq!(broken(&Line::from(""), 4).len(), 1);
        assert_eq!(broken(&Line::from("\u{4e2d}\u{4e2d}\u{4e2d}"), 5).len(), 2, "wide characters");
        assert_eq!(broken(&Line::from("abc"), 0).len(), 3);
    }

    #[test]
    fn words_stay_whole_as_long_as_there_is_room() {
        assert_eq!(words_in("one two three", 8, 3), ["one two", "three"]);
        assert_eq!(words_in("one two three four", 8, 2), ["one two", "three \u{2026}"]);
        assert_eq!(words_in("one two", 9, 3), ["one two"]);
        assert_eq!(words_in("a-very-long-word", 6, 3), ["a-ver\u{2026}"]);
    }
}
