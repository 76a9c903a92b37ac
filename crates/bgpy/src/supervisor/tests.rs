//! Supervisors of servers that always fail, with short pauses.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::child::Child;
use super::held::{HeldResources, Successor};
use super::watch::{Start, Supervisor};
use crate::config::Config;
use crate::config::Launch;
use crate::registry::{Ending, Entry, Registry};
use crate::restart::{Restart, Times};

/// Records each start, reports like a server, and fails. A directory comes back at the second start.
const FAILS: &str = "\
echo started >> starts
test -z \"$COMES_BACK\" || test ! -e broken || mkdir -p \"$COMES_BACK\"
exec python3 -c 'import json, os, sys
line = json.load(sys.stdin)[\"inheritance\"][\"supervisor_pipe\"]
if not os.path.exists(\"broken\"):
    os.write(line, b\"{\\\"ready\\\":{\\\"pid\\\":1,\\\"address\\\":\\\"127.0.0.1:1\\\"}}\\n\")
open(\"broken\", \"w\")
sys.exit(3)'";

const TIMES: Times = Times {
    pause: Duration::from_millis(1),
    pause_max: Duration::from_millis(50),
    healthy: Duration::from_secs(60),
    give_up_after: Duration::from_secs(1),
};

struct World {
    directory: TempDir,
    registry: Registry,
    config: Config,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::at(directory.path().join("run"));
        let words = ["sh", "-c", FAILS].map(Into::into).to_vec();
        let launch = Launch { directory: Some(directory.path().into()), ..Launch::new(words) };
        let mut config = Config {
            launch: Some(launch),
            name: Some("camera".parse().unwrap()),
            log_file: Some(directory.path().join("log")),
            restart: Restart::OnFailure { least: 2 },
            ..Config::default()
        };
        config.settle();
        Self { directory, registry, config }
    }

    fn supervisor(&mut self) -> Supervisor {
        let held = HeldResources::of(&mut self.config, Some(&self.registry)).unwrap().unwrap();
        let address = format!("127.0.0.1:{}", self.config.port).parse().unwrap();
        let mut entry = Entry::new(self.config.id(), "127.0.0.1", address);
        entry.name = self.config.name.clone();
        self.registry.put(&entry).unwrap();
        let first = Successor { generation: 0, is_foreground: false, failing: None };
        let child = Child::start(&self.config, &held, &first).unwrap();
        let (config, registry) = (self.config.clone(), Some(self.registry.clone()));
        let (held, starter, is_foreground) = (Some(held), None, false);
        let start = Start { config, registry, held, starter, child, is_foreground };
        Supervisor::new(start, TIMES).unwrap()
    }

    fn starts(&self) -> usize {
        std::fs::read_to_string(self.directory.path().join("starts")).unwrap().lines().count()
    }

    fn ending(&self) -> Ending {
        let ended = self.registry.ended().unwrap();
        ended.into_iter().next().and_then(|entry| entry.ending).expect("it has ended")
    }
}

#[test]
fn a_server_that_goes_on_failing_is_given_up_and_says_why() {
    let mut world = World::new();
    let since = Instant::now();
    let status = world.supervisor().run();
    assert!(since.elapsed() >= TIMES.give_up_after);
    assert_eq!(status.code(), Some(3));
    assert!(world.starts() > 2, "{}", world.starts());
    let ending = world.ending();
    assert_eq!((ending.orderly, ending.code), (false, Some(3)));
    let words = format!("given up after {} failures", world.starts());
    assert!(ending.reason.contains(&words), "{}", ending.reason);
    assert!(ending.reason.ends_with("(on-failure:2)"), "{}", ending.reason);
    // Its name is free.
    assert!(world.registry.claim(&"camera".parse().unwrap()).unwrap().is_some());
    let log = std::fs::read_to_string(world.config.log_file.unwrap()).unwrap();
    assert!(log.contains("next try in 1ms") && log.contains(&words), "{log}");
}

#[test]
fn a_supervisor_needs_no_disk_and_counts_what_its_log_lacks() {
    let mut world = World::new();
    let log = world.directory.path().join("gone/log");
    world.config.log_file = Some(log.clone());
    let launch = world.config.launch.as_mut().unwrap();
    launch.set("COMES_BACK".into(), log.parent().unwrap().into());
    let supervisor = world.supervisor();
    // Neither log nor registry can be written: their directories are gone.
    std::fs::remove_dir_all(world.registry.directory()).unwrap();
    assert_eq!(supervisor.run().code(), Some(3));
    let text = std::fs::read_to_string(log).unwrap();
    let told = text.lines().next().unwrap();
    assert!(told.contains("records were lost here: the log could not be written"), "{text}");
    assert!(text.contains("given up after"), "{text}");
}

#[test]
fn what_does_not_start_at_all_is_not_tried_again() {
    let mut world = World::new();
    std::fs::write(world.directory.path().join("broken"), "").unwrap();
    assert_eq!(world.supervisor().run().code(), Some(3));
    assert_eq!(world.starts(), 1);
}
