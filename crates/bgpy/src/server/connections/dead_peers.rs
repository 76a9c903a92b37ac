//! Detects clients that vanished without closing: the network has dropped the connection, or their
//! machine sleeps.
//!
//! While no data is on its way to a client, the system [probes](crate::transport::keepalive) the
//! connection. While data is on its way, the system sends no probes and retransmits for a quarter
//! of an hour. A client whose system answers is alive even if it reads nothing, such as a process
//! stopped in a debugger.

use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::platform::Undelivered;
use crate::sync::lock;

/// How often clients are checked.
const EVERY: Duration = Duration::from_secs(5);

/// When an unresponsive client counts as vanished. With [`EVERY`], it is detected within a minute.
pub(crate) const LIMIT: Limit = Limit { tries: 3, silence: Duration::from_secs(50) };

/// How much a client may leave unanswered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// Retransmissions: one or two losses happen on a slow or congested network.
    tries: u8,
    silence: Duration,
}

/// The time of the last check.
#[derive(Debug)]
pub(crate) struct LastCheck(Mutex<Instant>);

/// Traffic between the server and a client since the last check.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Data was sent and is not known to have arrived in full.
    pub(crate) sent: bool,
    pub(crate) heard: bool,
}

/// Whether the error says that the peer's machine does not respond or has become unreachable.
pub(crate) fn is_unreachable(error: &io::Error) -> bool {
    use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut};
    matches!(error.kind(), HostUnreachable | NetworkDown | NetworkUnreachable | TimedOut)
}

impl Limit {
    /// Whether a client with undelivered data has vanished.
    pub(crate) fn is_exceeded_by(self, undelivered: Undelivered) -> bool {
        undelivered.tries >= self.tries && undelivered.silence >= self.silence
    }
}

impl Default for LastCheck {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl LastCheck {
    pub(crate) fn is_due(&self) -> bool {
        let mut checked = lock(&self.0);
        let is_due = checked.elapsed() >= EVERY;
        if is_due {
            *checked = Instant::now();
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_enough_unanswered_for_long_enough_has_vanished() {
        let table = [
            // Any answer counts as alive, however often data was retransmitted before.
            (0, 0, false),
            (15, 0, false),
            (15, 49_999, false),
            // Silent for long but probed only now: the connection was idle, and a packet or two got
            // lost.
            (0, 3_600_000, false),
            (2, 50_000, false),
            (3, 50_000, true),
            (15, 949_000, true),
        ];
        for (tries, silence_ms, has_vanished) in table {
            let undelivered = Undelivered { tries, silence: Duration::from_millis(silence_ms) };
            assert_eq!(LIMIT.is_exceeded_by(undelivered), has_vanished, "{undelivered:?}");
        }
    }

    #[test]
    fn it_is_found_within_a_minute() {
        // An idle server runs its checks once a second.
        assert!(LIMIT.silence + EVERY + Duration::from_secs(2) < Duration::from_secs(60));
    }

    #[test]
    fn it_is_looked_from_time_to_time() {
        let now = Instant::now();
        let Some(before) = now.checked_sub(EVERY) else { return };
        let last_check = LastCheck(Mutex::new(before));
        assert!(last_check.is_due());
        assert!(!last_check.is_due());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells_how_data_fares() {
        use std::io::Write;
        use std::net::{TcpListener, TcpStream};

        use crate::platform;
        use crate::transport::keepalive;

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _reader = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut writer, _) = listener.accept().unwrap();
        keepalive::ask(socket2::SockRef::from(&writer)).unwrap();
        assert_eq!(platform::undelivered(&writer).unwrap(), None);
        // The reader does not read, and its buffer is full.
        writer.set_nonblocking(true).unwrap();
        while writer.write(&[0; 65_536]).is_ok() {}
        let undelivered = platform::undelivered(&writer).unwrap().expect("something waits");
        assert!(
            !LIMIT.is_exceeded_by(undelivered) && undelivered.silence < LIMIT.silence,
            "{undelivered:?}"
        );
    }
}
