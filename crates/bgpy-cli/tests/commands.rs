//! The native program with servers, and with peers that are not servers.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread::{self, JoinHandle};

use bgpy::address::Address;
use bgpy::registry::Registry;
use bgpy::{
    Client, ClientOptions, Delivered, Ended, Executor, Failure, FailureCode, Pace, Reply, Server,
    ServerOptions, Service, Token, Value, Wait,
};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

/// What a command printed and how it ended.
struct Outcome {
    code: i32,
    data: String,
    words: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ended by itself"),
            data: String::from_utf8(output.stdout).expect("output is text"),
            words: String::from_utf8(output.stderr).expect("output is text"),
        }
    }
}

/// The command in an isolated environment: an empty runtime directory, and no token.
struct Shell {
    directory: TempDir,
}

impl Shell {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    /// The runtime directory, which the first user of it creates.
    fn runtime(&self) -> PathBuf {
        self.directory.path().join("run")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bgpy"));
        command.args(arguments).env("BGPY_RUNTIME_DIR", self.runtime());
        command.env_remove("BGPY_TOKEN").stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        self.command(arguments).output().expect("the program starts").into()
    }

    fn run_with_token(&self, arguments: &[&str], token: &str) -> Outcome {
        let mut command = self.command(arguments);
        command.env("BGPY_TOKEN", token).output().expect("the program starts").into()
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Outcome {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        pipe.write_all(input.as_bytes()).expect("the program reads");
        drop(pipe);
        child.wait_with_output().expect("the program ends").into()
    }
}

/// A server in this process.
struct Running {
    port: String,
    token: Token,
    thread: JoinHandle<Ended>,
}

impl Running {
    /// Serves with its registry at `runtime`.
    fn start(runtime: PathBuf, mut executor: impl Executor + Send + 'static) -> Self {
        let token = Token::generate(32);
        let options = ServerOptions {
            token: Some(token.clone()),
            registry: Some(Registry::at(runtime)),
            ..ServerOptions::default()
        };
        let server = Server::bind(&Address::new("127.0.0.1", 0), options).expect("a free port");
        let port = server.address().port().to_string();
        let thread = thread::spawn(move || server.run(&mut executor));
        Self { port, token, thread }
    }

    fn idle(runtime: PathBuf) -> Self {
        Self::start(runtime, Service::new(|_| Ok(()), |(), _| Ok(None)))
    }

    fn client(&self) -> Client {
        let address = Address::new("127.0.0.1", self.port.parse().expect("a port"));
        let options = ClientOptions { token: Some(self.token.clone()), ..ClientOptions::default() };
        Client::new(address, options)
    }

    fn terminate<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        ["terminate", "127.0.0.1", &self.port].iter().chain(more).copied().collect()
    }

    fn end(self) -> Ended {
        self.thread.join().expect("the server does not panic")
    }
}

/// A peer on a free port that passes its first connection to `act`.
fn peer(act: impl FnOnce(std::net::TcpStream) + Send + 'static) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let thread = thread::spawn(move || act(listener.accept().expect("a connection").0));
    (port, thread)
}

#[test]
fn version_is_data() {
    for arguments in [["version"], ["--version"]] {
        let outcome = Shell::new().run(&arguments);
        assert_eq!(outcome.code, 0);
        assert_eq!(outcome.data, format!("bgpy {}\n", bgpy::VERSION));
        assert_eq!(outcome.words, "");
    }
}

#[test]
fn help_is_data_unless_nobody_asked() {
    let shell = Shell::new();
    let asked = shell.run(&["terminate", "--help"]);
    assert_eq!(asked.code, 0);
    assert!(asked.data.contains("Examples:") && asked.data.contains("--timeout"), "{}", asked.data);
    let unasked = shell.run(&[]);
    assert_eq!((unasked.code, unasked.data.as_str()), (2, ""));
    assert!(unasked.words.contains("bgpy start tasks.py"), "{}", unasked.words);
}

#[test]
fn wrong_arguments_are_explained() {
    let shell = Shell::new();
    for (arguments, part) in [
        (&["terminate", "127.0.0.1", "0"][..], "'0'"),
        (&["server", "127.0.0.1", "65536"], "'65536'"),
        (&["server", "127.0.0.1"], "<PORT>"),
        (&["begin"], "'begin'"),
        (&["restart"], "<TARGET>"),
        (&["terminate", "127.0.0.1", "1", "--token"], "the token is empty"),
    ] {
        let outcome = shell.run(arguments);
        assert_eq!((outcome.code, outcome.data.as_str()), (2, ""), "{arguments:?}");
        assert!(outcome.words.starts_with("error: "), "{}", outcome.words);
        assert!(outcome.words.contains(part), "{}", outcome.words);
    }
}

#[test]
fn a_token_among_the_arguments_is_not_repeated() {
    let outcome = Shell::new().run(&["terminate", "127.0.0.1", "1", "--token=hunter2"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.words.contains("BGPY_TOKEN"), "{}", outcome.words);
    assert!(!outcome.words.contains("hunter2"), "{}", outcome.words);
}

#[test]
fn nobody_is_there() {
    // Bound but not listening: connections are refused, and no other process can take the port.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
    let address = socket.local_addr().expect("an address").as_socket().expect("it has a port");
    let port = address.port().to_string();
    let outcome = Shell::new().run(&["terminate", "127.0.0.1", &port]);
    assert_eq!((outcome.code, outcome.data.as_str()), (3, ""));
    let text = format!("error: no server listens on 127.0.0.1:{port}: start one there");
    assert!(outcome.words.starts_with(&text), "{}", outcome.words);
}

#[test]
fn ends_a_server_whose_token_is_in_the_environment() {
    let (shell, elsewhere) = (Shell::new(), Shell::new());
    let server = Running::idle(elsewhere.runtime());
    let log = shell.directory.path().join("client.log");
    let log = log.to_str().expect("the path is text");
    let arguments = server.terminate(&["--log-file", log, "--log-level", "DEBUG"]);
    let outcome = shell.run_with_token(&arguments, server.token.expose());
    assert_eq!(outcome.words, format!("Terminated 127.0.0.1:{}.\n", server.port));
    assert_eq!((outcome.code, outcome.data.as_str()), (0, ""));
    let logged = std::fs::read_to_string(log).expect("there is a log");
    assert!(logged.contains("connected to 127.0.0.1") && logged.contains("Terminated"), "{logged}");
    assert!(matches!(server.end(), Ended::Orderly));
}

#[test]
fn ends_a_server_with_a_piped_token() {
    let (shell, elsewhere) = (Shell::new(), Shell::new());
    let server = Running::idle(elsewhere.runtime());
    let input = format!("{}\n", server.token.expose());
    let outcome = shell.run_with_input(&server.terminate(&["--token"]), &input);
    assert_eq!(outcome.code, 0, "{}", outcome.words);
    assert!(matches!(server.end(), Ended::Orderly));
}

#[test]
fn ends_a_server_of_the_same_user_without_a_token() {
    let shell = Shell::new();
    let server = Running::idle(shell.runtime());
    // bgpy 0.3 passed this for no file.
    let outcome = shell.run(&server.terminate(&["--log-file=None"]));
    assert_eq!(outcome.code, 0, "{}", outcome.words);
    assert!(matches!(server.end(), Ended::Orderly));
}

#[test]
fn a_wrong_token_ends_nothing() {
    let (shell, elsewhere) = (Shell::new(), Shell::new());
    let server = Running::idle(elsewhere.runtime());
    let wrong = Token::generate(32);
    let outcome = shell.run_with_token(&server.terminate(&[]), wrong.expose());
    assert_eq!((outcome.code, outcome.data.as_str()), (5, ""));
    assert!(outcome.words.contains("did not accept the token"), "{}", outcome.words);
    assert!(!outcome.words.contains(wrong.expose()));
    let none = shell.run(&server.terminate(&[]));
    assert_eq!(none.code, 5);
    assert!(none.words.contains("BGPY_TOKEN"), "{}", none.words);
    let right = shell.run_with_token(&server.terminate(&[]), server.token.expose());
    assert_eq!(right.code, 0, "{}", right.words);
    assert!(matches!(server.end(), Ended::Orderly));
}

/// A server whose `exit_task` fails.
struct BadExit;

impl Executor for BadExit {
    fn start(&mut self) -> Result<bool, Failure> {
        Ok(true)
    }

    fn init(&mut self, _message: Delivered, _reply: &Reply) -> Result<(), Failure> {
        Ok(())
    }

    fn exec(&mut self, _message: Delivered, _reply: &Reply) -> Result<Pace, Failure> {
        Ok(Pace::Over)
    }

    fn exit(&mut self, message: Option<Delivered>, _reply: &Reply) -> Result<(), Failure> {
        let message = message.expect("a client asks");
        assert_eq!(message.value(), Ok(Value::Map(vec![])));
        Err(Failure::new(FailureCode::Task, "the disk is full"))
    }
}

#[test]
fn a_failing_exit_task_is_told() {
    let shell = Shell::new();
    let server = Running::start(shell.runtime(), BadExit);
    let outcome = shell.run(&server.terminate(&[]));
    assert_eq!(outcome.code, 1);
    assert!(outcome.words.contains("has ended, but its exit_task failed"), "{}", outcome.words);
    assert!(outcome.words.contains("the disk is full"), "{}", outcome.words);
    assert!(matches!(server.end(), Ended::ExitTask(_)));
}

#[test]
fn a_busy_server_ends_later_than_somebody_waits() {
    let shell = Shell::new();
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let task = move |(): &mut (), _| held.recv().map(|()| None).map_err(|error| error.to_string());
    let server = Running::start(shell.runtime(), Service::new(|_| Ok(()), task));
    let client = server.client();
    let nothing = || Value::Nil.encode().expect("nil is flat").into();
    client.initialize(nothing(), &Wait::forever()).expect("it initialises");
    client.execute(nothing(), &Wait::forever()).expect("it accepts");
    let outcome = shell.run(&server.terminate(&["--timeout", "0.3"]));
    assert_eq!(outcome.code, 4);
    assert!(outcome.words.contains("has not ended within 0.3s"), "{}", outcome.words);
    hold.send(()).expect("the task waits");
    assert!(matches!(server.end(), Ended::Orderly));
}

#[test]
fn a_task_that_cannot_be_interrupted_runs_on() {
    let shell = Shell::new();
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let (begin, begun) = std::sync::mpsc::channel();
    let task = move |(): &mut (), _| {
        begin.send(()).expect("the test waits");
        held.recv().map(|()| None).map_err(|error| error.to_string())
    };
    let server = Running::start(shell.runtime(), Service::new(|_| Ok(()), task));
    let client = server.client();
    let nothing = || Value::Nil.encode().expect("nil is flat").into();
    client.initialize(nothing(), &Wait::forever()).expect("it initialises");
    client.execute(nothing(), &Wait::forever()).expect("it accepts");
    begun.recv().expect("it begins");
    let target = format!("127.0.0.1:{}", server.port);
    let outcome = shell.run(&["cancel", &target]);
    assert_eq!((outcome.code, outcome.data.as_str()), (1, ""));
    let text = format!("error: call 2 of {target} cannot be cancelled while it runs: ");
    assert!(outcome.words.starts_with(&text), "{}", outcome.words);
    hold.send(()).expect("the task waits");
    shell.run(&server.terminate(&[]));
    assert!(matches!(server.end(), Ended::Orderly));
}

#[test]
fn another_version_is_no_server_of_ours() {
    let (port, thread) = peer(|mut stream| {
        let mut preamble = [0; 8];
        stream.read_exact(&mut preamble).expect("the client speaks first");
        stream.write_all(b"bgpy\x09\0\0\0").expect("the client listens");
        // Until the client disconnects, with an error or EOF.
        drop(stream.read_to_end(&mut Vec::new()));
    });
    let outcome = Shell::new().run_with_token(&["terminate", "127.0.0.1", &port], "token");
    assert_eq!(outcome.code, 6);
    assert!(outcome.words.contains("version 9"), "{}", outcome.words);
    assert!(outcome.words.contains("install the same version"), "{}", outcome.words);
    thread.join().expect("the peer does not panic");
}

#[test]
fn a_silent_peer_is_not_waited_for() {
    let (port, thread) = peer(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let arguments = ["terminate", "127.0.0.1", &port, "--timeout", "0.3"];
    let outcome = Shell::new().run_with_token(&arguments, "token");
    assert_eq!(outcome.code, 4);
    assert!(outcome.words.contains("did not answer within 0.3s"), "{}", outcome.words);
    thread.join().expect("the peer does not panic");
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let mut command = Shell::new().command(&["version"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = command.stdout(writer).status().expect("the program starts");
    assert_eq!(status.code(), Some(0));
}
