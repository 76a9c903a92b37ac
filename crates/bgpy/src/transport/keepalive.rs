//! Noticing that the other machine is gone while nothing is sent: the system asks it from time to time. While
//! something is on its way, the system does not ask: a server [looks](crate::server) how that fares, and a
//! client waits for an answer to what it has sent.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use crate::platform;

/// Silence after which the other machine is asked whether it is still there.
const AFTER: Duration = Duration::from_secs(30);

/// How often it is asked, until it answers.
const EVERY: Duration = Duration::from_secs(8);

/// Questions without an answer after which it is gone: within a minute of the last byte, all in all.
const TIMES: u32 = 3;

/// Has the system ask the other end of a TCP connection for signs of life.
pub(crate) fn ask(socket: SockRef<'_>) -> io::Result<()> {
    let times = TcpKeepalive::new().with_time(AFTER).with_interval(EVERY).with_retries(TIMES);
    platform::hasten_delivery(&*socket);
    socket.set_tcp_keepalive(&times)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn who_is_gone_is_noticed_within_a_minute() {
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
