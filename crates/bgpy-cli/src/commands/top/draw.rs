//! Draws the live view: the servers above, the log of the selected one below.

use anstyle::{AnsiColor, Color as AnsiStyleColor, Effects};
use bgpy::escape;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell as Shown, Paragraph, Row, Table as Rows, TableState};

use super::state::{Seen, State};
use crate::output::table::{Cell, Fitted, GAP, Table};
use crate::output::view::{NONE, bytes, span, style};

/// Minimum height for a line with the keys.
const KEYS_HEIGHT: u16 = 8;

/// Minimum height for the log.
const LOG_HEIGHT: u16 = 5;

/// Lines that the table leaves for the log where both need more.
const LOG_LINES: u16 = 3;

/// Draws the screen.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let area = frame.area();
    let servers = state.servers.as_deref().unwrap_or_default();
    let keys = u16::from(area.height >= KEYS_HEIGHT);
    let rest = area.height - keys;
    // The titles, and at least one server.
    let wanted = u16::try_from(servers.len().max(1)).unwrap_or(u16::MAX).saturating_add(1);
    let has_log = area.height >= LOG_HEIGHT && state.selected().is_some();
    let most = if has_log { rest.saturating_sub(LOG_LINES).max(2) } else { rest };
    let areas = Layout::vertical([
        Constraint::Length(wanted.min(most)),
        Constraint::Fill(1),
        Constraint::Length(keys),
    ]);
    let [above, middle, below] = areas.areas(area);
    match &state.servers {
        None => frame.render_widget(Paragraph::new("Looking for servers ..."), above),
        Some(servers) if servers.is_empty() => {
            let text = "No servers are running. Start one: bgpy start tasks.py";
            frame.render_widget(Paragraph::new(text), above);
        }
        Some(servers) => draw_servers(frame, above, servers, state),
    }
    if has_log {
        draw_log(frame, middle, state);
    }
    if keys > 0 {
        draw_keys(frame, below, state);
    }
}

fn draw_servers(frame: &mut Frame<'_>, area: Rect, servers: &[Seen], state: &State) {
    let table = table(servers);
    let columns = table.fitted(usize::from(area.width));
    let widths = columns.iter().map(|column| Constraint::Length(width(column.width)));
    let titles = columns.iter().map(|column| shown(column.title, column, Style::new()));
    let titles = Row::new(titles).style(Style::new().add_modifier(Modifier::BOLD));
    let rows = (0..servers.len()).map(|row| {
        Row::new(columns.iter().map(|column| {
            let (text, style) = &column.cells[row];
            shown(text, column, look(*style, state.colored))
        }))
    });
    let rows = Rows::new(rows, widths)
        .column_spacing(width(GAP))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    // A single line shows a server, not the titles.
    let rows = if area.height > 1 { rows.header(titles) } else { rows };
    // Scrolls to the selected server.
    let mut selection = TableState::new().with_selected(state.selected_row());
    frame.render_stateful_widget(rows, area, &mut selection);
}

fn draw_log(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let Some(seen) = state.selected() else { return };
    let mut title = format!(" log of {} ", seen.info.entry.target());
    if let Some(reason) = &seen.info.reason {
        title += &format!("- {}: {reason} ", seen.info.state);
    }
    let title = escape::line(&title).into_owned();
    let block = Block::new().borders(Borders::TOP).title(title);
    let inside = block.inner(area);
    let lines = state.log.last(usize::from(inside.height));
    let lines: Vec<_> = lines.into_iter().map(Line::from).collect();
    frame.render_widget(block, area);
    frame.render_widget(Paragraph::new(lines), inside);
}

fn draw_keys(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let dim = Style::new().add_modifier(Modifier::DIM);
    let text = Span::styled("q quit   \u{2191}\u{2193} select", dim);
    frame.render_widget(Paragraph::new(text), area);
    let number = state.servers.as_ref().map_or(0, Vec::len);
    let plural = if number == 1 { "" } else { "s" };
    let interval = span(state.interval.as_secs_f64());
    let text = Span::styled(format!("{number} server{plural}, every {interval}"), dim);
    frame.render_widget(Paragraph::new(text).alignment(Alignment::Right), area);
}

/// The table of servers; columns with the lowest rank are left out first.
fn table(servers: &[Seen]) -> Table {
    let mut table = Table::new()
        .texts("NAME", 9)
        .texts("STATE", 8)
        .numbers("CALLS/S", 7)
        .numbers("ANSWER", 6)
        .numbers("QUEUE", 5)
        .numbers("RSS", 3)
        .numbers("UPTIME", 4);
    for Seen { info, rate } in servers {
        let known = |text: Option<String>| Cell::from(text.unwrap_or_else(|| NONE.to_owned()));
        let status = info.status.as_ref();
        table.row(vec![
            info.entry.target().to_string().into(),
            Cell::styled(info.state.as_str(), style(info.state)),
            known(rate.map(|rate| format!("{rate:.1}"))),
            known(info.answered_in.map(|took| format!("{:.1} ms", took.as_secs_f64() * 1e3))),
            known(status.map(|status| status.queue.to_string())),
            known(status.and_then(|status| status.rss_bytes).map(bytes)),
            known(status.map(|status| span(status.uptime_s))),
        ]);
    }
    table
}

fn shown(text: &str, column: &Fitted<'_>, style: Style) -> Shown<'static> {
    let alignment = if column.is_number { Alignment::Right } else { Alignment::Left };
    Shown::from(Line::from(text.to_owned()).alignment(alignment)).style(style)
}

fn width(columns: usize) -> u16 {
    u16::try_from(columns).unwrap_or(u16::MAX)
}

/// The style of a cell on this screen.
fn look(style: anstyle::Style, colored: bool) -> Style {
    let mut look = Style::new();
    if style.get_effects().contains(Effects::DIMMED) {
        look = look.add_modifier(Modifier::DIM);
    }
    match style.get_fg_color() {
        Some(AnsiStyleColor::Ansi(color)) if colored => look.fg(match color {
            AnsiColor::Green => Color::Green,
            AnsiColor::Cyan => Color::Cyan,
            AnsiColor::Yellow => Color::Yellow,
            AnsiColor::Red => Color::Red,
            _ => Color::Reset,
        }),
        _ => look,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use bgpy::survey::ServerState;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::buffer::Buffer;

    use super::*;
    use crate::commands::top::state::tests::{READY, server};

    fn draw_at(width: u16, height: u16, state: &State) -> (Vec<String>, Buffer) {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, state)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        let lines = (0..height).map(|y| line(y).trim_end().to_owned()).collect();
        (lines, buffer)
    }

    /// Two servers, the first of which has a log.
    fn state(directory: &tempfile::TempDir) -> State {
        let log = directory.path().join("a.log");
        let lines: Vec<_> = (1..=40).map(|number| format!("line {number}\n")).collect();
        fs::write(&log, lines.concat()).unwrap();
        let mut state = State::new(Duration::from_secs(1), true);
        let trainer = |uptime| {
            let mut info = server("trainer", READY, uptime);
            info.entry.log_file = Some(log.clone());
            info
        };
        state.take(vec![trainer(60.0), server("b", READY, 1.0)]);
        let mut failed = server("b", ServerState::Failed, 1.0);
        failed.reason = Some("signal 9: killed".into());
        state.take(vec![trainer(61.0), failed]);
        state.follow_log();
        state
    }

    #[test]
    fn a_usual_terminal_shows_everything() {
        let directory = tempfile::tempdir().unwrap();
        let (lines, buffer) = draw_at(80, 24, &state(&directory));
        assert_eq!(lines[0], "NAME     STATE   CALLS/S  ANSWER  QUEUE     RSS  UPTIME");
        assert_eq!(lines[1], "trainer  READY      20.0  0.2 ms      3  30 MiB   1m01s");
        assert_eq!(lines[2], "b        FAILED        -       -      -       -       -");
        assert!(lines[3].starts_with(" log of trainer \u{2500}"), "{lines:#?}");
        assert_eq!((lines[4].as_str(), lines[22].as_str()), ("line 22", "line 40"));
        assert!(lines[23].starts_with("q quit") && lines[23].ends_with("2 servers, every 1.0s"));
        assert_eq!((buffer[(9, 1)].fg, buffer[(9, 2)].fg), (Color::Green, Color::Red));
        assert!(buffer[(0, 1)].modifier.contains(Modifier::REVERSED));
        assert!(!buffer[(0, 2)].modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn a_small_terminal_shows_what_matters() {
        let directory = tempfile::tempdir().unwrap();
        let (lines, _) = draw_at(40, 10, &state(&directory));
        assert_eq!(lines[0], "NAME     STATE   CALLS/S  ANSWER  QUEUE");
        assert_eq!(lines[1], "trainer  READY      20.0  0.2 ms      3");
        assert!(lines[3].starts_with(" log of trainer"), "{lines:#?}");
        assert_eq!(lines[8], "line 40");
        assert!(lines[9].starts_with("q quit"));
    }

    #[test]
    fn tiny_terminals_show_the_selected_server() {
        let directory = tempfile::tempdir().unwrap();
        let mut state = state(&directory);
        assert_eq!(draw_at(9, 2, &state).0, ["NAME", "trainer"]);
        assert_eq!(draw_at(40, 1, &state).0[0], "trainer  READY      20.0  0.2 ms      3");
        state.select_by(1);
        assert!(draw_at(40, 2, &state).0[1].starts_with("b "));
        assert!(draw_at(40, 5, &state).0.iter().any(|line| line.contains("FAILED: signal 9")));
        for (width, height) in [(1, 1), (0, 0), (0, 5), (5, 0), (3, 3), (200, 4)] {
            draw_at(width, height, &state);
        }
    }

    #[test]
    fn many_servers_scroll_and_leave_room_for_the_log() {
        let mut state = State::new(Duration::from_secs(1), false);
        let name = |number| format!("server{number:02}");
        state.take((0..50).map(|number| server(&name(number), READY, 1.0)).collect());
        state.select_by(30);
        let (lines, buffer) = draw_at(80, 24, &state);
        assert!(lines.iter().any(|line| line.starts_with("server30")), "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains("no log file")), "{lines:#?}");
        assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset));
    }

    #[test]
    fn without_servers_there_is_advice() {
        let mut state = State::new(Duration::from_secs(1), false);
        assert!(draw_at(80, 24, &state).0[0].starts_with("Looking"));
        state.take(Vec::new());
        assert!(draw_at(80, 24, &state).0[0].contains("bgpy start"));
        assert!(draw_at(40, 10, &state).0[0].starts_with("No servers are running."));
    }
}
