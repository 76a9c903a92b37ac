//! Looks for files that servers have left behind in the runtime directory.

use bgpy::registry::{Kind, Leftover, Registry};

use super::Finding;

const ABOUT: &str = "leftovers";

/// Files that were left behind; those that are surely unused are removed if `fix` is set.
pub(super) fn leftovers(registry: &Registry, fix: bool) -> Vec<Finding> {
    let left = registry.leftovers();
    if left.is_empty() {
        return vec![Finding::ok(ABOUT, "none")];
    }
    left.iter().map(|leftover| finding(registry, leftover, fix)).collect()
}

fn finding(registry: &Registry, leftover: &Leftover, fix: bool) -> Finding {
    let text = describe(leftover);
    if !leftover.kind.is_unused() {
        let path = leftover.path.display();
        return match leftover.kind {
            Kind::Newer(_) => Finding::error(
                ABOUT,
                text,
                "install a newer bgpy, so that this command sees its server",
            ),
            Kind::Foreign(_) => {
                let fix = format!("if its server no longer runs there, remove '{path}'");
                Finding::note(ABOUT, text, fix)
            }
            _ => {
                let fix = format!(
                    "stop its server if it runs (ps shows processes), then remove '{path}'"
                );
                Finding::error(ABOUT, text, fix)
            }
        };
    }
    if !fix {
        return Finding::note(ABOUT, text, "`bgpy doctor --fix` removes it");
    }
    match registry.clear(leftover) {
        Ok(()) => Finding::ok(ABOUT, format!("removed: {text}")),
        Err(error) => {
            let fix = format!("remove '{}'", leftover.path.display());
            Finding::error(ABOUT, format!("{text}, and cannot be removed: {error}"), fix)
        }
    }
}

fn describe(leftover: &Leftover) -> String {
    let path = leftover.path.display();
    match &leftover.kind {
        Kind::Dead(entry) => {
            let (target, pid) = (entry.target(), entry.pid());
            format!("'{path}' is the entry of the server {target}, whose process {pid} is gone")
        }
        Kind::Unreadable(error) => format!("the entry '{path}' cannot be read: {error}"),
        Kind::Newer(format) => {
            format!("the entry '{path}' has format {format}, which is that of a newer bgpy")
        }
        Kind::Foreign(machine) => {
            let machine = machine.split(' ').next().unwrap_or_default();
            format!(
                "the entry '{path}' is from another machine, or from this one before its last boot \
                 ({machine})"
            )
        }
        Kind::Draft => format!("'{path}' is an unfinished entry"),
        Kind::Socket => format!("nothing listens on the socket '{path}', which has no entry"),
        Kind::Lock(name) => format!("'{path}' is the unused lock of the name {name}"),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::super::Level;
    use super::*;

    fn entry(pid: u32, format: u32, machine: &str) -> String {
        serde_json::json!({
            "format": format, "instance": "a", "name": "trainer", "machine": machine, "process": {"pid": pid, "start": null},
            "host": "127.0.0.1", "address": "127.0.0.1:4000", "socket": null, "token": null,
            "log_file": null, "bgpy": "1.0.0", "python": null, "started_ms": 0,
        })
        .to_string()
    }

    /// The finding for an entry that holds this, and whether the file is there after `--fix`.
    fn of_entry(text: &str) -> (Finding, bool) {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::at(directory.path().join("run"));
        registry.prepare().unwrap();
        let path = registry.directory().join("a.json");
        fs::write(&path, text).unwrap();
        let found = leftovers(&registry, false).swap_remove(0);
        assert!(path.exists());
        leftovers(&registry, true);
        (found, path.exists())
    }

    #[test]
    fn what_may_be_used_stays() {
        let (torn, is_there) = of_entry("{\"format\": 1, \"inst");
        assert_eq!((torn.level, is_there), (Level::Error, true));
        assert!(torn.fix.unwrap().contains("a.json"));
        let (newer, is_there) = of_entry(&entry(1, 99, "m"));
        assert_eq!((newer.level, is_there), (Level::Error, true));
        assert!(newer.text.contains("format 99"));
        let (foreign, is_there) = of_entry(&entry(1, 1, "elsewhere boot"));
        assert_eq!((foreign.level, is_there), (Level::Note, true));
        assert!(foreign.text.contains("(elsewhere)"));
    }

    #[test]
    fn a_directory_in_order_has_none() {
        let nowhere = Registry::at("/nowhere");
        assert_eq!(leftovers(&nowhere, true), [Finding::ok(ABOUT, "none")]);
    }
}
