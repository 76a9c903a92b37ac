//! TCP keepalive: detects a peer machine that has disappeared while nothing is sent. While data is
//! under way, the system sends no probes: a server [checks](crate::server) its delivery, and a
//! client waits for an answer to what it has sent.

use std::io;
use std::time::Duration;

use socket2::SockRef;

use crate::platform;

/// Silence after which the system sends the first probe.
const AFTER: Duration = Duration::from_secs(30);

/// The interval between probes until one is answered.
const EVERY: Duration = Duration::from_secs(8);

/// Unanswered probes after which the connection is lost: within a minute of the last byte in total.
const TIMES: u32 = 3;

/// Enables keepalive on a TCP connection.
pub(crate) fn ask(socket: SockRef<'_>) -> io::Result<()> {
    platform::hasten_delivery(&*socket);
    platform::keep_alive(&socket, AFTER, EVERY, TIMES)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_peer_that_is_gone_is_noticed_within_a_minute() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = SockRef::from(&stream);
        ask(SockRef::from(&stream)).unwrap();
        assert!(socket.keepalive().unwrap());
        let (after, every) =
            (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap());
        let all = after + every * socket.tcp_keepalive_retries().unwrap();
        assert!(all < Duration::from_secs(60), "{all:?}");
    }
}
