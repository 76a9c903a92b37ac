//! Compares the versions of running servers and of the command.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use bgpy::registry::Entry;

use super::Finding;
use crate::platform::PROGRAM;

/// Whether running servers have this version.
pub(super) fn of_servers(running: &[Entry]) -> Vec<Finding> {
    const ABOUT: &str = "servers";
    let own = bgpy::VERSION;
    let others = running.iter().filter(|entry| entry.bgpy != own).map(|entry| {
        let (target, version) = (entry.target(), &entry.bgpy);
        let text = format!("{target} runs bgpy {version}, but this command is bgpy {own}");
        Finding::note(ABOUT, text, format!("run `bgpy restart {target}` when convenient"))
    });
    let others: Vec<_> = others.collect();
    if !others.is_empty() {
        return others;
    }
    let text = match running.len() {
        0 => format!("none running; this command is bgpy {own}"),
        number => format!("{number} running, with bgpy {own} like this command"),
    };
    vec![Finding::ok(ABOUT, text)]
}

/// Whether `PATH` has one `bgpy`.
pub(super) fn on_path(path: Option<&OsStr>) -> Vec<Finding> {
    const ABOUT: &str = "command";
    let places = path.into_iter().flat_map(env::split_paths);
    let mut found: Vec<(PathBuf, PathBuf)> = Vec::new();
    for place in places.filter(|place| !place.as_os_str().is_empty()) {
        let program = place.join(PROGRAM);
        // Links to the same file are one command.
        if let Ok(real) = fs::canonicalize(&program)
            && real.is_file()
            && found.iter().all(|(_, known)| *known != real)
        {
            found.push((program, real));
        }
    }
    let shown: Vec<_> =
        found.iter().map(|(program, _)| format!("'{}'", program.display())).collect();
    vec![match &shown[..] {
        [] => {
            let fix = "add its directory to PATH, or run `python -m bgpy`";
            Finding::note(ABOUT, "bgpy is not on PATH", fix)
        }
        [one] => Finding::ok(ABOUT, format!("PATH finds {one}")),
        [first, others @ ..] => {
            let text = format!("PATH finds {first}, which hides {}", others.join(", "));
            Finding::note(ABOUT, text, "uninstall the ones that you do not want")
        }
    }]
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn entry(version: &str) -> Entry {
        let text = serde_json::json!({
            "format": 1, "instance": "a", "name": "trainer", "machine": "m", "process": {"pid": 1, "start": null},
            "host": "127.0.0.1", "address": "127.0.0.1:4000", "socket": null, "token": null,
            "log_file": null, "bgpy": version, "python": null, "started_ms": 0,
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn servers_of_other_versions_are_noted() {
        let same = entry(bgpy::VERSION);
        assert_eq!(of_servers(&[])[0].level, Level::Ok);
        assert!(of_servers(std::slice::from_ref(&same))[0].text.starts_with("1 running"));
        let [finding] = &of_servers(&[same, entry("0.9.0")])[..] else { panic!("one differs") };
        assert_eq!(finding.level, Level::Note);
        assert!(finding.text.starts_with("trainer runs bgpy 0.9.0"), "{finding:?}");
    }

    #[test]
    fn several_commands_are_noted() {
        let directory = tempfile::tempdir().unwrap();
        let places = ["a", "b", "c"].map(|name| directory.path().join(name));
        for place in &places {
            fs::create_dir(place).unwrap();
        }
        let look = || on_path(Some(&env::join_paths(&places).unwrap())).swap_remove(0);
        assert!(look().text.contains("not on PATH"));
        fs::write(places[0].join(PROGRAM), "").unwrap();
        fs::hard_link(places[0].join(PROGRAM), places[1].join("other")).unwrap();
        assert_eq!(look().level, Level::Ok);
        fs::write(places[2].join(PROGRAM), "").unwrap();
        let finding = look();
        assert_eq!(finding.level, Level::Note);
        assert!(finding.text.contains("hides"), "{finding:?}");
        assert_eq!(on_path(None)[0].level, Level::Note);
    }
}
