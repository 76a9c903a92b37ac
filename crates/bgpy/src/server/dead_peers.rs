//! Clients that are gone without a word: the network has forgotten the connection, or their machine sleeps.
//!
//! While nothing is on its way to a client, the system [asks](crate::transport::keepalive) whether it is there. While
//! something is, it does not, and tries to deliver that for a quarter of an hour. Whoever answers lives, also
//! if it has no room for more, as a process that stands in a debugger: the system answers for it.

use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::platform::Delivery;
use crate::sync::lock;

/// How often it is looked whether clients answer.
const EVERY: Duration = Duration::from_secs(5);

/// When one that does not has vanished. With [`EVERY`], that is found within a minute.
pub(super) const PATIENCE: Patience = Patience { tries: 3, silence: Duration::from_secs(50) };

/// How much a client may leave unanswered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// A packet or two get lost where the network is only slow or full.
    tries: u8,
    silence: Duration,
}

/// When it was looked last.
#[derive(Debug)]
pub(super) struct Looks(Mutex<Instant>);

/// What has passed between the server and a client since it was looked.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// Something was sent, and it is not known that all of it has arrived.
    pub(super) sent: bool,
    pub(super) heard: bool,
}

/// Whether an error says that the machine at the other end does not answer, or cannot be reached any more.
pub(super) fn is_unreachable(error: &io::Error) -> bool {
    use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut};
    matches!(error.kind(), HostUnreachable | NetworkDown | NetworkUnreachable | TimedOut)
}

impl Patience {
    /// Whether a client has vanished for which data waits.
    pub(super) fn is_over(self, delivery: Delivery) -> bool {
        delivery.tries >= self.tries && delivery.silence >= self.silence
    }
}

impl Default for Looks {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Looks {
    pub(super) fn is_due(&self) -> bool {
        let mut looked = lock(&self.0);
        let is_due = looked.elapsed() >= EVERY;
        if is_due {
            *looked = Instant::now();
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
            // Whoever answers at all lives, however often something was sent again before.
            (0, 0, false),
            (15, 0, false),
            (15, 49_999, false),
            // Silent for long, and asked only just now: it has been idle, and a packet or two got lost.
            (0, 3_600_000, false),
            (2, 50_000, false),
            (3, 50_000, true),
            (15, 949_000, true),
        ];
        for (tries, silence_ms, has_vanished) in table {
            let delivery = Delivery { tries, silence: Duration::from_millis(silence_ms) };
            assert_eq!(PATIENCE.is_over(delivery), has_vanished, "{delivery:?}");
        }
    }

    #[test]
    fn it_is_found_within_a_minute() {
        // A server that is idle looks after everything once a second.
        assert!(PATIENCE.silence + EVERY + Duration::from_secs(2) < Duration::from_secs(60));
    }

    #[test]
    fn it_is_looked_from_time_to_time() {
        let now = Instant::now();
        let Some(before) = now.checked_sub(EVERY) else { return };
        let looks = Looks(Mutex::new(before));
        assert!(looks.is_due());
        assert!(!looks.is_due());
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
        assert_eq!(platform::delivery(&writer).unwrap(), None);
        // The reader does not read, and has no room for more soon.
        writer.set_nonblocking(true).unwrap();
        while writer.write(&[0; 65_536]).is_ok() {}
        let delivery = platform::delivery(&writer).unwrap().expect("something waits");
        assert!(!PATIENCE.is_over(delivery) && delivery.silence < PATIENCE.silence, "{delivery:?}");
    }
}
