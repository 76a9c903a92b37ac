//! Tables for people.

use std::fmt::Write as _;

use anstyle::Style;
use bgpy::escape;

/// Blanks between two columns.
pub(crate) const GAP: usize = 2;

/// A table: the titles of its columns, and rows of cells.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug)]
struct Column {
    title: &'static str,
    is_number: bool,
    /// Columns with the lowest rank are left out first where there is no room for all.
    rank: u8,
}

/// A column that fits, with its cells from top to bottom.
#[derive(Debug)]
pub(crate) struct Fitted<'a> {
    pub(crate) title: &'a str,
    pub(crate) is_number: bool,
    pub(crate) width: usize,
    pub(crate) cells: Vec<(String, Style)>,
}

/// The text of a cell, and its style in color.
#[derive(Debug)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self { columns: Vec::new(), rows: Vec::new() }
    }

    /// Adds a column of text, aligned to the left.
    pub(crate) fn texts(mut self, title: &'static str, rank: u8) -> Self {
        self.columns.push(Column { title, is_number: false, rank });
        self
    }

    /// Adds a column of numbers, aligned to the right.
    pub(crate) fn numbers(mut self, title: &'static str, rank: u8) -> Self {
        self.columns.push(Column { title, is_number: true, rank });
        self
    }

    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// The columns that fit, each with its width.
    pub(crate) fn fitted(&self, width: usize) -> Vec<Fitted<'_>> {
        let fit = |(column, width): (usize, usize)| {
            let cells = self.rows.iter().map(|row| {
                let cell = &row[column];
                (cut(&cell.text, width).0, cell.style)
            });
            let Column { title, is_number, .. } = self.columns[column];
            Fitted { title, is_number, width, cells: cells.collect() }
        };
        self.shown(width).into_iter().map(fit).collect()
    }

    /// The table as aligned lines, not wider than `width`, without colors.
    pub fn aligned(&self, width: Option<usize>) -> String {
        self.lines(width, false)
    }

    /// Like [`aligned`](Self::aligned), in color if wanted.
    pub(crate) fn lines(&self, width: Option<usize>, colored: bool) -> String {
        let shown = self.shown(width.map_or(usize::MAX, |width| width.max(1)));
        let mut text = String::new();
        let titles = self.columns.iter().map(|column| Cell::from(column.title)).collect();
        for (index, row) in std::iter::once(&titles).chain(&self.rows).enumerate() {
            let mut line = String::new();
            let mut pending = 0;
            for (column, width) in &shown {
                let cell = &row[*column];
                let (content, length) = cut(&cell.text, *width);
                let room = width - length;
                let before = if self.columns[*column].is_number { room } else { 0 };
                let style = if colored && index > 0 { cell.style } else { Style::new() };
                let blanks = pending + before;
                let _ = write!(line, "{:blanks$}{style}{content}{style:#}", "");
                pending = room - before + GAP;
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.pop();
        text
    }

    /// The titles of the columns.
    pub fn titles(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.title).collect()
    }

    /// The texts of the cells, row by row.
    pub fn rows(&self) -> impl Iterator<Item = Vec<&str>> {
        self.rows.iter().map(|row| row.iter().map(|cell| cell.text.as_str()).collect())
    }

    /// The indices of the columns that fit, with their widths. The first column is always shown, truncated
    /// if necessary: to half the width if others then have room.
    fn shown(&self, width: usize) -> Vec<(usize, usize)> {
        let mut shown: Vec<_> =
            (0..self.columns.len()).map(|column| (column, self.width(column))).collect();
        let Some(&(_, first)) = shown.first() else { return shown };
        let needed = first.min(width / 2);
        loop {
            let others: usize = shown[1..].iter().map(|(_, width)| width + GAP).sum();
            let has_others = shown.len() > 1;
            if !has_others || needed + others <= width {
                shown[0].1 = first.min(width.saturating_sub(others));
                return shown;
            }
            let least = (1..shown.len()).min_by_key(|at| self.columns[shown[*at].0].rank);
            shown.remove(least.expect("there is more than one column"));
        }
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].text.chars().count());
        cells.chain([self.columns[column].title.len()]).max().unwrap_or(0)
    }
}

impl Cell {
    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Self {
        // A row is one line, also outside a terminal.
        Self { text: escape::line(&text.into()).into_owned(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::new())
    }
}

/// The text truncated to a width, and its length in characters.
fn cut(text: &str, width: usize) -> (String, usize) {
    let length = text.chars().count();
    if length <= width {
        return (text.to_owned(), length);
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    (format!("{kept}…"), width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new().texts("NAME", 9).texts("STATE", 8).numbers("CALLS", 1);
        table.row(vec!["trainer".into(), "READY".into(), "7".into()]);
        table.row(vec!["b".into(), "BUSY".into(), "1000".into()]);
        table
    }

    #[test]
    fn columns_stand_below_each_other() {
        let lines = "NAME     STATE  CALLS\ntrainer  READY      7\nb        BUSY    1000";
        assert_eq!(table().aligned(None), lines);
        assert_eq!(table().aligned(Some(21)), lines);
    }

    #[test]
    fn what_has_no_room_is_left_out_or_cut() {
        assert_eq!(table().aligned(Some(20)), "NAME     STATE\ntrainer  READY\nb        BUSY");
        assert_eq!(table().aligned(Some(4)), "NAME\ntra…\nb");
        assert_eq!(table().aligned(Some(13)), "NAME    STATE\ntrain…  READY\nb       BUSY");
        assert_eq!(table().aligned(Some(0)), "…\n…\nb");
    }

    #[test]
    fn colors_take_no_room() {
        let mut table = Table::new().texts("A", 1).texts("B", 1);
        table.row(vec![Cell::styled("x", anstyle::AnsiColor::Red.on_default()), "y".into()]);
        assert_eq!(table.lines(None, true), "A  B\n\u{1b}[31mx\u{1b}[0m  y");
        assert_eq!(table.lines(None, false), "A  B\nx  y");
    }
}
