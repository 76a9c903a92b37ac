//! Draws the table of servers.

use anstyle::{AnsiColor, Color as AnsiStyleColor, Effects};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell as Shown, Row, Table as Rows, TableState};

use crate::commands::top::state::{Seen, State};
use crate::output::table::{Cell, Fitted, GAP, Table};
use crate::output::view::{NONE, bytes, span, style, told};

pub(super) fn draw_servers(frame: &mut Frame<'_>, area: Rect, servers: &[Seen], state: &State) {
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

/// The table of servers, with progress if there is any; columns with the lowest rank are left out first.
fn table(servers: &[Seen]) -> Table {
    let mut table = Table::new()
        .texts("NAME", 13)
        .texts("STATE", 12)
        .numbers("CPU", 11)
        .numbers("BUSY", 9)
        .numbers("CALLS/S", 8)
        .numbers("QUEUE", 7)
        .numbers("ANSWER", 3)
        .numbers("RSS", 6)
        .numbers("UPTIME", 5)
        .numbers("CLIENTS", 4)
        .numbers("PID", 2)
        .texts("ADDRESS", 1);
    let is_told = servers.iter().any(|seen| told(&seen.info).is_some());
    if is_told {
        table = table.texts("PROGRESS", 10);
    }
    for Seen { info, rates } in servers {
        let known = |text: Option<String>| Cell::from(text.unwrap_or_else(|| NONE.to_owned()));
        let status = info.status.as_ref();
        let cpu = rates.and_then(|rates| rates.cpu);
        let mut row = vec![
            info.entry.target().to_string().into(),
            Cell::styled(info.state.as_str(), style(info.state)),
            known(cpu.map(|percent| format!("{percent:.0}%"))),
            known(status.and_then(|status| status.busy_s).map(span)),
            known(rates.map(|rates| format!("{:.1}", rates.calls))),
            known(status.map(|status| status.queue.to_string())),
            known(info.answered_in.map(|took| format!("{:.1}ms", took.as_secs_f64() * 1e3))),
            known(status.and_then(|status| status.rss_bytes).map(bytes)),
            known(status.map(|status| span(status.uptime_s))),
            known(status.map(|status| status.clients.to_string())),
            info.entry.pid().to_string().into(),
            info.entry.address.to_string().into(),
        ];
        if is_told {
            row.push(Cell::progress(told(info), NONE));
        }
        table.row(row);
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

/// A style of the command on this screen.
pub(super) fn look(style: anstyle::Style, colored: bool) -> Style {
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
