//! Servers that are about to end, and those that have ended while their processes have not.

use bgpy::registry::Entry;

use super::Finding;

/// Servers whose last task still runs, and processes that hold memory, and perhaps a device, for no
/// server.
pub(super) fn of_servers(ended: &[Entry]) -> Vec<Finding> {
    let busy = ended.iter().filter(|entry| entry.ending.is_none() && entry.has_process());
    let busy = busy.map(|entry| {
        let mend = "give it time, or end its process with `bgpy kill`";
        Finding::note("stopping", format!("{}: {}", entry.target(), entry.hindrance()), mend)
    });
    let is_left = |entry: &&Entry| entry.ending.is_some() && !entry.is_over();
    let left = ended.iter().filter(is_left).map(|entry| {
        let (target, pid) = (entry.target(), entry.process.pid);
        // Its name may be another server's by now.
        let mend = format!("if that does not end by itself, `kill {pid}` ends it where it runs");
        Finding::wrong("stopping", format!("{target}: {}", entry.hindrance()), mend)
    });
    busy.chain(left).collect()
}
