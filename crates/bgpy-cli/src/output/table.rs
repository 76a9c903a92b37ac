//! Tables for people.

use std::fmt::Write as _;

use anstyle::Style;
use bgpy::{Progress, escape};

use super::fit;
use super::progress;

/// How narrow progress, or a text that may be cut, may become before other columns are left out for it.
const LEAST: usize = 16;

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
    /// What the text tells, if it can be told in other widths, too.
    progress: Option<Progress>,
    /// Whether the text may be cut so that other columns have room.
    may_be_cut: bool,
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
            let natural = self.width(column, Cell::width);
            let cells = self.rows.iter().map(|row| {
                let cell = &row[column];
                (cell.fitted(width, natural), cell.style)
            });
            let Column { title, is_number, .. } = self.columns[column];
            Fitted { title, is_number, width, cells: cells.collect() }
        };
        self.shown(Some(width)).into_iter().map(fit).collect()
    }

    /// The table as aligned lines, not wider than `width`, without colors.
    pub fn aligned(&self, width: Option<usize>) -> String {
        self.lines(width, false)
    }

    /// Like [`aligned`](Self::aligned), in color if wanted.
    pub(crate) fn lines(&self, width: Option<usize>, colored: bool) -> String {
        let shown = self.shown(width.map(|width| width.max(1)));
        let naturals: Vec<_> =
            shown.iter().map(|(column, _)| self.width(*column, Cell::width)).collect();
        let mut text = String::new();
        let titles = self.columns.iter().map(|column| Cell::from(column.title)).collect();
        for (index, row) in std::iter::once(&titles).chain(&self.rows).enumerate() {
            let mut line = String::new();
            let mut pending = 0;
            for ((column, width), natural) in shown.iter().zip(&naturals) {
                let cell = &row[*column];
                let content = cell.fitted(*width, *natural);
                let room = width.saturating_sub(fit::columns(&content));
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
    /// if necessary: to half the width if others then have room. Progress takes what the others leave.
    fn shown(&self, width: Option<usize>) -> Vec<(usize, usize)> {
        let of_columns = |measure: fn(&Cell) -> usize| -> Vec<_> {
            (0..self.columns.len()).map(|column| (column, self.width(column, measure))).collect()
        };
        let Some(width) = width else { return of_columns(Cell::width) };
        let mut shown = of_columns(Cell::width_least);
        let Some(&(_, first)) = shown.first() else { return shown };
        let needed = first.min(width / 2);
        let mut left = loop {
            let others: usize = shown[1..].iter().map(|(_, width)| width + GAP).sum();
            let has_others = shown.len() > 1;
            if !has_others || needed + others <= width {
                shown[0].1 = first.min(width.saturating_sub(others));
                break width.saturating_sub(shown[0].1 + others);
            }
            let least = (1..shown.len()).min_by_key(|at| self.columns[shown[*at].0].rank);
            shown.remove(least.expect("there is more than one column"));
        };
        for (column, width) in &mut shown[1..] {
            let more = (self.width(*column, Cell::width_most) - *width).min(left);
            *width += more;
            left -= more;
        }
        shown
    }

    fn width(&self, column: usize, measure: fn(&Cell) -> usize) -> usize {
        let cells = self.rows.iter().map(|row| measure(&row[column]));
        cells.chain([self.columns[column].title.len()]).max().unwrap_or(0)
    }
}

impl Cell {
    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Self {
        // A row is one line, also outside a terminal.
        let text = escape::line(&text.into()).into_owned();
        Self { text, style, progress: None, may_be_cut: false }
    }

    /// A text that is cut where other columns need the room.
    pub(crate) fn cut(text: impl Into<String>) -> Self {
        Self { may_be_cut: true, ..text.into().into() }
    }

    /// How far a call has come, with a bar where there is room; `none` if nothing is known of it.
    pub(crate) fn progress(progress: Option<&Progress>, none: &str) -> Self {
        match progress.and_then(|told| Some((told, progress::words(told)?))) {
            Some((told, text)) => {
                let progress = Some(told.clone());
                Self { text, style: Style::new(), progress, may_be_cut: true }
            }
            None => none.into(),
        }
    }

    /// The text in at most `width` columns, of which the longest text of the cell's column takes `longest`.
    fn fitted(&self, width: usize, longest: usize) -> String {
        match &self.progress {
            Some(progress) => progress::line(progress, width, longest),
            None => fit::cut(&self.text, width),
        }
    }

    fn width(&self) -> usize {
        fit::columns(&self.text)
    }

    fn width_least(&self) -> usize {
        let least = if self.may_be_cut { LEAST } else { usize::MAX };
        self.width().min(least)
    }

    fn width_most(&self) -> usize {
        self.progress.as_ref().map_or_else(|| self.width(), progress::columns_with_bar)
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::new())
    }
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
    fn progress_takes_what_is_left() {
        let mut table = Table::new().texts("NAME", 9).texts("PROGRESS", 8).numbers("CALLS", 1);
        let told = |done, text| Progress::new(Some(done), Some(100.0), Some(text));
        let progress = |told: &Progress| Cell::progress(Some(told), "-");
        table.row(vec!["a".into(), progress(&told(30.0, "training")), "7".into()]);
        table.row(vec!["b".into(), progress(&told(50.0, "reading")), "7".into()]);
        table.row(vec!["c".into(), progress(&Progress::default()), "7".into()]);
        let lines = |width| table.aligned(width).lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            lines(None),
            [
                "NAME  PROGRESS                  CALLS",
                "a     training 30 of 100 (30%)      7",
                "b     reading 50 of 100 (50%)       7",
                "c     -                             7",
            ]
        );
        assert_eq!(lines(Some(37)), lines(None));
        assert_eq!(
            lines(Some(48)),
            [
                "NAME  PROGRESS                             CALLS",
                "a     ███░░░░░░░ training 30 of 100 (30%)      7",
                "b     █████░░░░░ reading 50 of 100 (50%)       7",
                "c     -                                        7",
            ]
        );
        assert_eq!(lines(Some(36))[1], "a     training 30%                 7");
        assert_eq!(lines(Some(28))[1..3], ["a     training 30%", "b     reading 50%"]);
        assert!(lines(Some(200))[1].contains(&"░".repeat(28)));
    }

    #[test]
    fn texts_that_may_be_cut_take_what_is_left() {
        let mut table = Table::new().texts("NAME", 9).texts("WHY", 8).numbers("CALLS", 1);
        table.row(vec!["a".into(), Cell::cut("nobody knows why it failed"), "7".into()]);
        let lines = |width| table.aligned(width).lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines(None)[1], "a     nobody knows why it failed      7");
        assert_eq!(lines(Some(39)), lines(None));
        assert_eq!(lines(Some(38))[1], "a     nobody knows why it fail\u{2026}      7");
        assert_eq!(lines(Some(29))[1], "a     nobody knows wh\u{2026}      7");
        assert_eq!(lines(Some(28))[1], "a     nobody knows why it f\u{2026}");
    }

    #[test]
    fn colors_take_no_room() {
        let mut table = Table::new().texts("A", 1).texts("B", 1);
        table.row(vec![Cell::styled("x", anstyle::AnsiColor::Red.on_default()), "y".into()]);
        assert_eq!(table.lines(None, true), "A  B\n\u{1b}[31mx\u{1b}[0m  y");
        assert_eq!(table.lines(None, false), "A  B\nx  y");
    }
}
