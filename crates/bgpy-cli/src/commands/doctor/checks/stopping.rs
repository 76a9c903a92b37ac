//! Looks for servers that are stopping, and for processes that remain after their servers have ended.

use bgpy::registry::Entry;

use super::Finding;

/// Servers whose last task still runs, and processes that still hold memory, and perhaps a device, after
/// their servers have ended.
pub(super) fn of_servers(ended: &[Entry]) -> Vec<Finding> {
    let busy = ended.iter().filter(|entry| entry.ending.is_none() && entry.has_process());
    let busy = busy.map(|entry| {
        let target = entry.target();
        let fix = format!("wait, or end its process with `bgpy kill {target}`");
        Finding::note("stopping", format!("{target}: {}", entry.hindrance()), fix)
    });
    let is_left = |entry: &&Entry| entry.ending.is_some() && !entry.is_over();
    let left = ended.iter().filter(is_left).map(|entry| {
        let (target, pid) = (entry.target(), entry.pid());
        // Its name may be another server's by now.
        let fix = format!("if it does not end by itself, run `kill {pid}`");
        Finding::error("stopping", format!("{target}: {}", entry.hindrance()), fix)
    });
    busy.chain(left).collect()
}
