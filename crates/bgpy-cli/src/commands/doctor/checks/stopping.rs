//! Looks for servers that are stopping, and for processes that remain after their servers have ended.

use bgpy::registry::Entry;

use super::Finding;

/// Servers whose last task still runs, and processes that still hold memory, and perhaps a device, after
/// their servers have ended.
pub(super) fn of_servers(ended: &[Entry]) -> Vec<Finding> {
    let busy = ended.iter().filter(|entry| entry.ending.is_none() && entry.has_process());
    let busy = busy.map(|entry| {
        let mend = "wait, or end its process with `bgpy kill`";
        Finding::note("stopping", format!("{}: {}", entry.target(), entry.hindrance()), mend)
    });
    let is_left = |entry: &&Entry| entry.ending.is_some() && !entry.is_over();
    let left = ended.iter().filter(is_left).map(|entry| {
        let (target, pid) = (entry.target(), entry.process.pid);
        // Its name may be another server's by now.
        let mend = format!("if it does not end by itself, run `kill {pid}`");
        Finding::wrong("stopping", format!("{target}: {}", entry.hindrance()), mend)
    });
    busy.chain(left).collect()
}
