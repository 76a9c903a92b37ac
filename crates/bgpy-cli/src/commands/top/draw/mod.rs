//! Draws the live view: the servers above, the log of the selected one below.

mod bottom;
mod servers;
mod text;

use bgpy::escape;
use bgpy::log::parts;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};

use self::bottom::Bottom;
use self::servers::{draw_servers, look};
use self::text::broken;
use super::keys::{KEYS, View};
use super::state::State;
use crate::output::view::level_style;

/// Minimum height for the log.
const LOG_HEIGHT: u16 = 5;

/// Lines that the table leaves for the log where both need more.
const LOG_LINES: u16 = 3;

/// Width of the keys in the list of them.
const KEY_WIDTH: usize = 10;

/// Draws the screen.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let area = frame.area();
    let bottom = Bottom::of(state, area);
    let height = bottom.height().min(area.height);
    let areas = Layout::vertical([Constraint::Fill(1), Constraint::Length(height)]);
    let [rest, below] = areas.areas(area);
    match state.view {
        View::Servers => draw_overview(frame, rest, state),
        View::Log => draw_log(frame, rest, state, true),
        View::Help => draw_help(frame, rest),
    }
    bottom.draw(frame, below);
}

fn draw_overview(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let servers = state.servers.as_deref().unwrap_or_default();
    // The titles, and at least one server.
    let wanted = u16::try_from(servers.len().max(1)).unwrap_or(u16::MAX).saturating_add(1);
    let has_log = area.height >= LOG_HEIGHT && state.selected().is_some();
    let most = if has_log { area.height.saturating_sub(LOG_LINES).max(2) } else { area.height };
    let areas = Layout::vertical([Constraint::Length(wanted.min(most)), Constraint::Fill(1)]);
    let [above, below] = areas.areas(area);
    match &state.servers {
        None => frame.render_widget(Paragraph::new("Looking for servers ..."), above),
        Some(servers) if servers.is_empty() => {
            let text = "No servers are running. Start one: bgpy start tasks.py";
            let lines = text::words_in(text, usize::from(area.width), usize::from(area.height));
            let lines: Vec<_> = lines.into_iter().map(Line::from).collect();
            frame.render_widget(Paragraph::new(lines), area);
        }
        Some(servers) => draw_servers(frame, above, servers, state),
    }
    if has_log {
        draw_log(frame, below, state, false);
    }
}

/// Draws the end of the log. With `whole`, long lines are broken; otherwise they are cut.
fn draw_log(frame: &mut Frame<'_>, area: Rect, state: &State, whole: bool) {
    let Some(seen) = state.selected() else {
        frame.render_widget(Paragraph::new("No server is selected."), area);
        return;
    };
    let mut title = format!(" log of {} ", seen.info.entry.target());
    if let Some(reason) = &seen.info.reason {
        title += &format!("- {}: {reason} ", seen.info.state);
    }
    let title = escape::line(&title).into_owned();
    let block = Block::new().borders(Borders::TOP).title(title);
    let inside = block.inner(area);
    let height = usize::from(inside.height);
    let lines = state.log.last(height);
    let mut lines: Vec<_> = lines.iter().map(|line| record(line, state.colored)).collect();
    if whole {
        let width = usize::from(inside.width);
        lines = lines.iter().flat_map(|line| broken(line, width)).collect();
        lines.drain(..lines.len().saturating_sub(height));
    }
    frame.render_widget(block, area);
    frame.render_widget(Paragraph::new(lines), inside);
}

/// A line of a log; of the time of a record only that of the day.
fn record(line: &str, colored: bool) -> Line<'static> {
    let Some(parts) = parts(line) else { return Line::from(line.to_owned()) };
    let (dim, level) = (Style::new().add_modifier(Modifier::DIM), parts.level);
    Line::from(vec![
        Span::styled(format!("{} ", parts.time_of_day()), dim),
        Span::styled(level.to_string(), look(level_style(level), colored)),
        Span::raw(format!(" {}", parts.text)),
    ])
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let line = |(keys, does): (&str, &'static str)| {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        Line::from(vec![Span::styled(format!("{keys:<KEY_WIDTH$}"), bold), Span::raw(does)])
    };
    let lines: Vec<_> = KEYS.into_iter().map(line).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::time::Duration;

    use bgpy::survey::ServerState;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::buffer::Buffer;
    use ratatui::style::Color;

    use super::*;
    use crate::commands::top::actions::{Action, Report};
    use crate::commands::top::keys::Wish;
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
            info.status.as_mut().unwrap().busy_s = Some(5.0);
            info.state = ServerState::Alive(bgpy::State::Busy);
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
        assert_eq!(
            lines[..3],
            [
                "NAME     STATE   CPU  BUSY  CALLS/S  QUEUE  ANSWER     RSS  UPTIME  CLIENTS  PID",
                "trainer  BUSY    25%  5.0s     20.0      3   0.2ms  30 MiB   1m01s        1   42",
                "b        FAILED    -     -        -      -       -       -       -        -   42",
            ]
        );
        assert!(lines[3].starts_with(" log of trainer \u{2500}"), "{lines:#?}");
        assert_eq!((lines[4].as_str(), lines[22].as_str()), ("line 22", "line 40"));
        assert!(lines[23].starts_with("? keys   q quit"), "{lines:#?}");
        assert!(lines[23].ends_with("r restart     2 servers, every 1s"), "{lines:#?}");
        assert_eq!((buffer[(9, 1)].fg, buffer[(9, 2)].fg), (Color::Cyan, Color::Red));
        assert!(buffer[(0, 1)].modifier.contains(Modifier::REVERSED));
        assert!(!buffer[(0, 2)].modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn a_small_terminal_shows_what_matters() {
        let directory = tempfile::tempdir().unwrap();
        let (lines, _) = draw_at(40, 10, &state(&directory));
        assert_eq!(lines[0], "NAME     STATE   CPU  BUSY  CALLS/S");
        assert_eq!(lines[1], "trainer  BUSY    25%  5.0s     20.0");
        assert!(lines[3].starts_with(" log of trainer"), "{lines:#?}");
        assert_eq!(lines[8], "line 40");
        assert_eq!(lines[9], "? keys   q quit   \u{2191}\u{2193} select   f log");
    }

    #[test]
    fn a_wide_terminal_shows_more() {
        let directory = tempfile::tempdir().unwrap();
        let (lines, _) = draw_at(160, 50, &state(&directory));
        assert!(lines[0].ends_with("UPTIME  CLIENTS  PID  ADDRESS"), "{lines:#?}");
        assert!(lines[1].ends_with("42  127.0.0.1:4000"), "{lines:#?}");
        assert!(lines[49].ends_with("2 servers, every 1s"), "{lines:#?}");
    }

    #[test]
    fn tiny_terminals_show_the_selected_server() {
        let directory = tempfile::tempdir().unwrap();
        let mut state = state(&directory);
        assert_eq!(draw_at(9, 2, &state).0, ["NAME", "trainer"]);
        assert_eq!(draw_at(40, 1, &state).0[0], "trainer  BUSY    25%  5.0s     20.0");
        state.select_by(1);
        assert!(draw_at(40, 2, &state).0[1].starts_with("b "));
        assert!(draw_at(40, 5, &state).0.iter().any(|line| line.contains("FAILED: signal 9")));
        for (width, height) in [(1, 1), (0, 0), (0, 5), (5, 0), (3, 3), (200, 4)] {
            draw_at(width, height, &state);
        }
    }

    #[test]
    fn a_long_name_leaves_room_for_the_state() {
        let mut state = State::new(Duration::from_secs(1), false);
        state.take(vec![server(&"n".repeat(60), READY, 1.0)]);
        let (lines, _) = draw_at(40, 10, &state);
        assert!(lines[1].contains("\u{2026}  READY"), "{lines:#?}");
        assert!(lines[1].chars().count() <= 40);
    }

    #[test]
    fn the_log_takes_the_whole_height_and_its_lines_are_broken() {
        let directory = tempfile::tempdir().unwrap();
        let mut state = state(&directory);
        let log = directory.path().join("a.log");
        let text = "0123456789".repeat(5);
        let record = format!("1970-01-01T00:00:00+00:00 ERROR {text}");
        let mut log = fs::OpenOptions::new().append(true).open(&log).unwrap();
        writeln!(log, "{record}\nshort").unwrap();
        state.act(Wish::Show(View::Log));
        state.follow_log();
        let (lines, buffer) = draw_at(40, 10, &state);
        assert!(lines[0].starts_with(" log of trainer"), "{lines:#?}");
        assert!(lines[1..9].concat().contains(&text), "{lines:#?}");
        assert!(!lines.concat().contains("1970"), "{lines:#?}");
        let row = lines.iter().position(|line| line.contains("ERROR")).unwrap() as u16;
        assert_eq!(buffer[(9, row)].fg, Color::Red);
        assert!(lines[9].starts_with("Esc back"), "{lines:#?}");
    }

    #[test]
    fn the_keys_fit_the_smallest_usual_terminal() {
        let mut state = State::new(Duration::from_secs(1), false);
        state.act(Wish::Show(View::Help));
        let (lines, _) = draw_at(40, 10, &state);
        for (line, (keys, does)) in lines.iter().zip(KEYS) {
            assert!(line.starts_with(keys) && line.ends_with(does), "{lines:#?}");
        }
    }

    #[test]
    fn questions_and_notices_take_the_bottom() {
        let directory = tempfile::tempdir().unwrap();
        let mut state = state(&directory);
        state.act(Wish::Ask(Action::Stop));
        assert_eq!(draw_at(80, 24, &state).0[23], "Stop trainer? y/n");
        assert_eq!(draw_at(16, 3, &state).0[2], "Stop train\u{2026}? y/n");
        state.act(Wish::Decline);
        state.report(Report::Done("Stopped trainer.".into()));
        assert_eq!(draw_at(40, 10, &state).0[9], "Stopped trainer.");
        state.report(Report::Failed("word ".repeat(40)));
        let (lines, _) = draw_at(40, 10, &state);
        assert!(lines[9].ends_with("\u{2026}"), "{lines:#?}");
        assert!(lines[6..].iter().all(|line| line.starts_with("word word")), "{lines:#?}");
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
