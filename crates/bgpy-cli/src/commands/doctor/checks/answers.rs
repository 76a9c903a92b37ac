//! Checks that running servers respond, and that failed ones are back.

use bgpy::Presence;
use bgpy::ServerInfo;
use bgpy::survey::ServerState;

use super::Finding;

/// Servers that do not respond, are being restarted, or have no file descriptors left.
pub(super) fn of_servers(infos: &[ServerInfo]) -> Vec<Finding> {
    let is_stale = |info: &&ServerInfo| info.state == ServerState::Stale && !info.is_full;
    let found = infos.iter().filter(is_stale).map(|info| {
        let target = info.entry.target();
        let reason = info.reason.as_deref().unwrap_or("it does not respond");
        let fix = match info.entry.presence() {
            Presence::Unknown => format!(
                "check on the machine or container where it runs; if it is gone, remove its entry ({}.json) from \
                 the runtime directory",
                info.entry.instance.get(..16).unwrap_or_default()
            ),
            _ => format!("`bgpy logs {target}` may show why; `bgpy kill {target}` ends it"),
        };
        Finding::error("answers", format!("{target} is STALE: {reason}"), fix)
    });
    let is_paused = |info: &&ServerInfo| info.state == ServerState::Restarting;
    let paused = infos.iter().filter(is_paused).map(|info| {
        let target = info.entry.target();
        let reason = info.reason.as_deref().unwrap_or_default();
        let fix = format!(
            "`bgpy logs {target}` may show why; once that is fixed, `bgpy restart {target}` starts it at once"
        );
        Finding::error("answers", format!("{target} is RESTARTING: {reason}"), fix)
    });
    let full = infos.iter().filter(|info| info.is_full).map(|info| {
        let (target, state) = (info.entry.target(), info.state);
        let reason = info.reason.as_deref().unwrap_or_default();
        let fix = "close files in its tasks, or start it with a higher limit (ulimit -n); \
                    connected clients are not affected";
        Finding::error(
            "answers",
            format!("{target} is {state}, but takes no more clients: {reason}"),
            fix,
        )
    });
    let found: Vec<_> = found.chain(paused).chain(full).collect();
    match (infos.len(), found.is_empty()) {
        (_, false) => found,
        (0, true) => vec![Finding::ok("answers", "no servers are running")],
        (_, true) => vec![Finding::ok("answers", "every server responds")],
    }
}
