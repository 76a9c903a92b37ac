//! Servers as tables and as JSON.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use bgpy::survey::ServerState;
use bgpy::{Level, Progress, ServerInfo, State, Status};
use serde_json::{Value, json};

use crate::output::fit;
use crate::output::progress::{self, progress_json};
use crate::output::table::{Cell, Table};

/// Shown for unknown values.
pub(crate) const NONE: &str = "-";

/// A table of servers, one per line. It has a column for progress if there is any.
pub fn servers_table(infos: &[&ServerInfo]) -> Table {
    let is_told = infos.iter().any(|info| told(info).is_some());
    let mut table = Table::new()
        .texts("NAME", 9)
        .texts("STATE", 8)
        .numbers("PID", 6)
        .texts("ADDRESS", 2)
        .numbers("UPTIME", 5)
        .numbers("CALLS", 4)
        .numbers("QUEUE", 3)
        .numbers("RSS", 1);
    if is_told {
        table = table.texts("PROGRESS", 7);
    }
    for info in infos {
        let status = info.status.as_ref();
        let known = |show: &dyn Fn(&Status) -> String| status.map_or(NONE.to_owned(), show);
        let mut row = vec![
            info.entry.name.as_ref().map_or(NONE, bgpy::Name::as_str).into(),
            Cell::styled(info.state.as_str(), style(info.state)),
            info.entry.pid().to_string().into(),
            info.entry.address.to_string().into(),
            known(&|status| span(status.uptime_s)).into(),
            known(&|status| status.calls.to_string()).into(),
            known(&|status| status.queue.to_string()).into(),
            known(&|status| status.rss_bytes.map_or(NONE.to_owned(), bytes)).into(),
        ];
        if is_told {
            row.push(Cell::progress(told(info), NONE));
        }
        table.row(row);
    }
    table
}

/// How far a server's call has come, if its task has told anything about it.
pub(crate) fn told(info: &ServerInfo) -> Option<&Progress> {
    let progress = info.status.as_ref()?.progress.as_ref()?;
    progress::words(progress).map(|_| progress)
}

/// What a server is doing, as titles and texts. If it tells progress, there is a bar if that has room in so many
/// columns.
pub fn status_rows(status: &Status, columns: Option<usize>) -> Vec<(&'static str, String)> {
    let Status { queue, calls, clients, .. } = status;
    let mut rows = vec![("state", status.state.as_str().to_owned())];
    if let (Some(task), Some(seconds)) = (&status.task, status.busy_s) {
        let number = status.call.map(|number| format!(" (call {number})")).unwrap_or_default();
        // Those of other names are methods of a class.
        let is_task = ["init_task", "exec_task", "exit_task"].contains(&task.as_str());
        let title = if is_task { "task" } else { "method" };
        rows.push((title, format!("{task}, for {}{number}", span(seconds))));
    }
    if let Some(progress) = &status.progress
        && let Some(words) = progress::words(progress)
    {
        // What is too long is not cut here.
        let columns = columns.unwrap_or_default().max(fit::columns(&words));
        rows.push(("progress", progress::line(progress, columns, 0)));
    }
    rows.push(("calls", format!("{calls} completed, {queue} queued")));
    rows.push(("clients", clients.to_string()));
    rows.push(("uptime", span(status.uptime_s)));
    rows.extend(status.cpu_s.map(|used| ("cpu", span(used))));
    rows.extend(status.rss_bytes.map(|resident| ("memory", bytes(resident))));
    rows
}

/// A server as JSON, without its token.
pub(crate) fn server_json(info: &ServerInfo) -> Value {
    let entry = &info.entry;
    let (ending, failing) = (entry.ending.as_ref(), entry.failing.as_ref());
    let next_try = failing.filter(|_| info.state == ServerState::Restarting);
    json!({
        "name": entry.name,
        "state": info.state.as_str(),
        "reason": info.reason,
        "pid": entry.pid(),
        "address": entry.address,
        "socket": entry.socket.as_ref().map(|path| path.display().to_string()),
        "instance": entry.instance,
        "generation": entry.generation,
        "restart": entry.config.as_ref().map(|config| config.restart),
        "watch": entry.config.as_ref().is_some_and(|config| config.watch),
        "failures": info.failures(),
        "last_failure": failing.map(|failing| &failing.last),
        "next_try": next_try.and_then(|failing| failing.next_ms).map(time),
        "class": entry.config.as_ref().and_then(|config| config.init_object.as_ref()),
        "log_file": entry.log_file.as_ref().map(|path| path.display().to_string()),
        "bgpy": entry.bgpy,
        "python": entry.python,
        "started": time(entry.started_ms),
        "ended": ending.map(|ending| time(ending.at_ms)),
        "exit_code": ending.and_then(|ending| ending.code),
        "signal": ending.and_then(|ending| ending.signal),
        "status": info.status.as_ref().map(status_json),
    })
}

/// A server's own status as JSON.
pub(crate) fn status_json(status: &Status) -> Value {
    json!({
        "state": status.state.as_str(),
        "task": status.task,
        "busy_s": status.busy_s,
        "queue": status.queue,
        "calls": status.calls,
        "clients": status.clients,
        "uptime_s": status.uptime_s,
        "cpu_s": status.cpu_s,
        "pid": status.pid,
        "rss_bytes": status.rss_bytes,
        "name": status.name,
        "call": status.call,
        "progress": status.progress.as_ref().map(progress_json),
    })
}

/// The color of a state.
pub(crate) fn style(state: ServerState) -> Style {
    let color = match state {
        ServerState::Alive(State::Ready) => AnsiColor::Green,
        ServerState::Alive(State::Busy) => AnsiColor::Cyan,
        ServerState::Alive(_) | ServerState::Restarting | ServerState::Stale => AnsiColor::Yellow,
        ServerState::Failed => AnsiColor::Red,
        ServerState::Exited => return Style::new().dimmed(),
    };
    color.on_default()
}

/// The color of a record's level.
pub(crate) fn level_style(level: Level) -> Style {
    match level {
        Level::Debug => Style::new().dimmed(),
        Level::Info => Style::new(),
        Level::Warning => AnsiColor::Yellow.on_default(),
        Level::Error | Level::Critical => AnsiColor::Red.on_default(),
    }
}

/// A duration in its two largest units.
pub(crate) fn span(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if whole < 10 => format!("{seconds:.1}s"),
        (0, 0, 0) => format!("{whole}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", whole % 60),
        (0, _, _) => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

/// A number of bytes in a unit that keeps it short.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut amount, mut unit) = (bytes as f64, 0);
    while amount >= 1000.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && amount < 10.0);
    format!("{amount:.digits$} {}", UNITS[unit])
}

/// A time with this machine's UTC offset.
pub(crate) fn time(ms: i64) -> String {
    bgpy::log::time(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        for (seconds, text) in [
            (0.04, "0.0s"),
            (9.96, "10.0s"),
            (59.9, "59s"),
            (61.0, "1m01s"),
            (3600.0, "1h00m"),
            (90_000.0, "1d01h"),
            (f64::NAN, "0.0s"),
        ] {
            let shown = span(seconds);
            assert!(shown == text || seconds.is_nan(), "{seconds}: {shown}");
        }
    }

    #[test]
    fn bytes_have_few_digits() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KiB"),
            (30 << 20, "30 MiB"),
            (1 << 30, "1.0 GiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }
}
