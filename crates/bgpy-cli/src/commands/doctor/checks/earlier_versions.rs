//! Looks for servers in the runtime directories of earlier versions of bgpy.

use bgpy::registry::{DIRECTORY_VARIABLE, Entry, Registry};
use bgpy::survey::{ServerState, look_at_all};
use bgpy::{ServerInfo, Wait};

use super::Finding;

/// Running servers that the other commands do not see.
pub(super) fn servers(former: &[Registry], interrupted: &dyn Fn() -> bool) -> Vec<Finding> {
    let running = |registry: &Registry| {
        let mut entries = registry.entries().unwrap_or_default();
        entries.retain(Entry::has_process);
        let infos = look_at_all(registry, entries, &Wait::new(None, interrupted));
        let answers = |info: &&ServerInfo| matches!(info.state, ServerState::Alive(_));
        let running = infos.iter().filter(answers);
        let names: Vec<_> = running.map(|info| info.entry.target().to_string()).collect();
        (!names.is_empty()).then(|| {
            let place = registry.directory().display();
            let text = format!(
                "servers of an earlier version of bgpy are still registered in '{place}': {}",
                names.join(", ")
            );
            let fix = format!(
                "stop them with `{DIRECTORY_VARIABLE}='{place}' bgpy stop --all`, then start them again"
            );
            Finding::note("directory", text, fix)
        })
    };
    former.iter().filter_map(running).collect()
}
