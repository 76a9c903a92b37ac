//! Candidates for shell completion.

use bgpy::registry::Registry;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};

/// Completes the names and addresses of registered servers, without connecting to them.
pub(crate) fn targets() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let entries =
            Registry::of_user().and_then(|registry| registry.entries()).unwrap_or_default();
        let candidate = |entry: bgpy::registry::Entry| {
            let help = format!("pid {} at {}", entry.pid(), entry.address);
            CompletionCandidate::new(entry.target().to_string()).help(Some(help.into()))
        };
        entries.into_iter().map(candidate).collect()
    })
}
