//! Checks the default port.

use std::net::SocketAddr;
use std::time::Duration;

use bgpy::registry::{Entry, Registry};
use bgpy::{Client, ClientOptions, ConnectError, Target, Wait};

use super::Finding;

/// The default port of the functions of bgpy 0.1.
pub(super) const DEFAULT: u16 = 54321;

const ABOUT: &str = "port";

/// How long the program that listens there may take to answer.
const ANSWER: Duration = Duration::from_secs(1);

/// Which program listens on the port on this machine.
pub(super) fn port(registry: &Registry, port: u16, interrupted: &dyn Fn() -> bool) -> Vec<Finding> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    if let Some(entry) =
        registry.find(&[address]).unwrap_or_default().into_iter().find(Entry::has_process)
    {
        let text = format!("your server {} (process {}) uses {port}", entry.target(), entry.pid());
        return vec![Finding::ok(ABOUT, text)];
    }
    let Ok(target) = address.to_string().parse::<Target>() else { return Vec::new() };
    let client = Client::new(target, ClientOptions::default());
    let what = match client.link(&Wait::new(Some(ANSWER), interrupted)) {
        Err(ConnectError::NotRunning { .. }) => {
            return vec![Finding::ok(ABOUT, format!("{port}, the default, is free"))];
        }
        Err(ConnectError::Interrupted) => return Vec::new(),
        Ok(_) => "a bgpy server that is not in your registry".to_owned(),
        Err(ConnectError::Auth { .. } | ConnectError::NoToken { .. }) => {
            "a bgpy server with another token, or another program,".to_owned()
        }
        Err(ConnectError::Protocol { .. }) => {
            "a program that is not a bgpy server of this version".to_owned()
        }
        Err(ConnectError::Timeout { .. }) => "a program that does not answer".to_owned(),
        Err(error) => return vec![Finding::note(ABOUT, error.to_string(), fix(port))],
    };
    let text = format!("{what} listens on 127.0.0.1:{port}, the default");
    vec![Finding::note(ABOUT, text, fix(port))]
}

fn fix(port: u16) -> String {
    format!("use another port than {port} for your servers, or 0 for a free one")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::super::Level;
    use super::*;

    fn look(port: u16) -> Finding {
        super::port(&Registry::at("/nowhere"), port, &|| false).swap_remove(0)
    }

    #[test]
    fn a_free_port_is_fine() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert_eq!(look(port).level, Level::Ok);
    }

    #[test]
    fn another_program_is_noted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        });
        let finding = look(port);
        thread.join().unwrap();
        assert_eq!(finding.level, Level::Note);
        assert!(finding.text.contains("not a bgpy server"), "{finding:?}");
    }

    #[test]
    fn silence_is_noted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let finding = look(listener.local_addr().unwrap().port());
        assert!(finding.text.contains("does not answer"), "{finding:?}");
    }
}
