//! Draws the bottom of the screen: a question, what an action has to tell, or the keys.

use bgpy::duration::shown;
use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::text::words_in;
use crate::commands::top::actions::{Action, Report};
use crate::commands::top::keys::{HINTS, LOG_HINTS, View};
use crate::commands::top::state::{Question, State};
use crate::output::fit::cut;

/// Minimum height for a line with the keys.
const KEYS_HEIGHT: u16 = 8;

/// Most lines of what an action has to tell.
const NOTICE_LINES: usize = 4;

/// Between two keys, and between them and what is shown at the right.
const BETWEEN: &str = "   ";

/// What the bottom of the screen shows.
pub(super) struct Bottom {
    lines: Vec<Line<'static>>,
    /// At the right of the last line.
    right: Option<Span<'static>>,
}

impl Bottom {
    pub(super) fn of(state: &State, area: Rect) -> Self {
        let width = usize::from(area.width);
        if let Some(question) = &state.question {
            return Self { lines: vec![asked(question, width)], right: None };
        }
        if let Some(notice) = &state.notice {
            let style = match notice {
                Report::Failed(_) if state.colored => Style::new().fg(Color::Red),
                _ => Style::new(),
            };
            let (Report::Progress(text) | Report::Done(text) | Report::Failed(text)) = notice;
            let count = usize::from(area.height / 2).clamp(1, NOTICE_LINES);
            let lines = words_in(&bgpy::escape::line(text), width, count);
            let lines = lines.into_iter().map(|line| Line::styled(line, style)).collect();
            return Self { lines, right: None };
        }
        if area.height < KEYS_HEIGHT {
            return Self { lines: Vec::new(), right: None };
        }
        keys(state, width)
    }

    pub(super) fn height(&self) -> u16 {
        u16::try_from(self.lines.len()).unwrap_or(u16::MAX)
    }

    pub(super) fn draw(self, frame: &mut Frame<'_>, area: Rect) {
        frame.render_widget(Paragraph::new(self.lines), area);
        if let Some(right) = self.right {
            frame.render_widget(Paragraph::new(right).alignment(Alignment::Right), area);
        }
    }
}

/// The question, of which the end is always seen.
fn asked(Question { action, entry }: &Question, width: usize) -> Line<'static> {
    let verb = match action {
        Action::Stop => "Stop ",
        Action::Restart => "Restart ",
    };
    let end = "? y/n";
    let room = width.saturating_sub(verb.len() + end.len());
    let target = bgpy::escape::line(&entry.target().to_string()).into_owned();
    let text = format!("{verb}{}{end}", cut(&target, room));
    Line::styled(text, Style::new().add_modifier(Modifier::BOLD))
}

/// As many keys as have room, then the number of servers if that has.
fn keys(state: &State, width: usize) -> Bottom {
    let dim = Style::new().add_modifier(Modifier::DIM);
    let hints = if state.view == View::Log { &LOG_HINTS[..] } else { &HINTS };
    let mut left = String::new();
    for hint in hints {
        let gap = if left.is_empty() { "" } else { BETWEEN };
        let longer = format!("{left}{gap}{hint}");
        if Span::raw(longer.as_str()).width() > width {
            break;
        }
        left = longer;
    }
    let number = state.servers.as_ref().map_or(0, Vec::len);
    let plural = if number == 1 { "" } else { "s" };
    let interval = shown(state.interval);
    let right = Span::styled(format!("{number} server{plural}, every {interval}"), dim);
    let left = Span::styled(left, dim);
    let has_room = left.width() + BETWEEN.len() + right.width() <= width;
    Bottom { lines: vec![Line::from(left)], right: has_room.then_some(right) }
}
