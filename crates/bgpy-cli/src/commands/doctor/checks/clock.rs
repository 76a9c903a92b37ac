//! Checks the clock of this machine against the start times of servers.

use std::time::{Duration, SystemTime};

use bgpy::registry::Entry;

use super::Finding;
use crate::output::view::{span, time};

const ABOUT: &str = "clock";

/// Clocks that are synchronized over the network move a little.
const TOLERANCE: Duration = Duration::from_secs(5);

/// Servers that seem to have started in the future.
pub(super) fn starts(running: &[Entry], now_ms: i64) -> Vec<Finding> {
    let ahead = |entry: &Entry| {
        let ms = u64::try_from(entry.started_ms.saturating_sub(now_ms)).ok()?;
        Some(Duration::from_millis(ms)).filter(|ahead| *ahead > TOLERANCE)
    };
    let early = running.iter().filter_map(|entry| Some((entry, ahead(entry)?)));
    let findings = early.map(|(entry, ahead)| {
        let (target, ahead) = (entry.target(), span(ahead.as_secs_f64()));
        let text = format!(
            "{target}: its start time is {ahead} in the future: this machine's clock was set back"
        );
        Finding::note(ABOUT, text, "check the time of this machine; `date` prints it")
    });
    let findings: Vec<_> = findings.collect();
    if findings.is_empty() {
        return vec![Finding::ok(ABOUT, format!("it is {}", time(now_ms)))];
    }
    findings
}

/// Now, in milliseconds since 1970 UTC.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_start_in_the_future_is_noted() {
        let text = serde_json::json!({
            "format": 1, "instance": "a", "name": "trainer", "machine": "m", "process": {"pid": 1, "start": null},
            "host": "127.0.0.1", "address": "127.0.0.1:4000", "socket": null, "token": null,
            "log_file": null, "bgpy": "1.0.0", "python": null, "started_ms": 100_000,
        });
        let entries = [serde_json::from_value::<Entry>(text).unwrap()];
        for now_ms in [95_000, 100_000, i64::MAX] {
            assert_eq!(starts(&entries, now_ms)[0].level, Level::Ok);
        }
        for (now_ms, ahead) in [(40_000, "1m00s"), (i64::MIN, "d")] {
            let finding = starts(&entries, now_ms).swap_remove(0);
            assert_eq!(finding.level, Level::Note);
            assert!(finding.text.contains(ahead), "{finding:?}");
        }
        assert!(now_ms() > 1_700_000_000_000);
    }
}
