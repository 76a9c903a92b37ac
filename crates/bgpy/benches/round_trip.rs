//! Small calls from Rust to Rust beside raw echoes, in one run: `cargo bench -p bgpy`.
//!
//! Each server is a process of its own, started from this program. The ways take turns, and each
//! line of the output is one of them: its name and the median of its rounds' medians, in
//! microseconds.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use bgpy::address::Address;
use bgpy::registry::Registry;
use bgpy::{Client, ClientOptions, Payload, Server, ServerOptions, Service, Token, Value, Wait};

const ROUNDS: usize = 7;
const CALLS: usize = 10_000;
const BYTES: usize = 64;

/// Both sides know it, so that the bench needs no way to pass it on.
const TOKEN: &str = "a-token-that-only-guards-this-benchmark-0123456789";

/// A name and one call.
type Way = (&'static str, Box<dyn FnMut()>);

fn main() {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("echo-tcp") => echo_tcp(),
        #[cfg(unix)]
        Some("echo-unix") => echo_unix(&arguments.next().expect("a path")),
        Some("serve") => serve(&arguments.next().expect("a directory")),
        // `cargo bench` and `cargo test` pass flags of their own.
        _ => measure(),
    }
}

fn measure() {
    let directory = tempfile::tempdir().expect("a directory");
    // A directory of its own, because the registry creates it closed to others.
    let place = directory.path().join("run").to_str().expect("a plain path").to_owned();
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("BGPY_RUNTIME_DIR", &place) };
    let mut ways: Vec<Way> = Vec::new();
    let mut servers = Vec::new();

    let (server, port) = start(&["echo-tcp"]);
    servers.push(server);
    let stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("the echo listens");
    stream.set_nodelay(true).expect("an option of TCP");
    ways.push(("raw TCP echo, Rust", Box::new(echo_call(stream))));

    #[cfg(unix)]
    {
        let path = format!("{}/echo", directory.path().display());
        let (server, _) = start(&["echo-unix", &path]);
        servers.push(server);
        let stream = std::os::unix::net::UnixStream::connect(path).expect("the echo listens");
        ways.push(("raw Unix echo, Rust", Box::new(echo_call(stream))));
    }

    let (server, port) = start(&["serve", &place]);
    servers.push(server);
    for (name, unix_socket) in [("bgpy, Unix socket", true), ("bgpy, TCP encrypted", false)] {
        let token = Some(Token::new(TOKEN));
        let options = ClientOptions { token, unix_socket, ..ClientOptions::default() };
        let client = Client::new(Address::new("127.0.0.1", port), options);
        client.initialize(payload(), &Wait::forever()).expect("the server answers");
        ways.push((
            name,
            Box::new(move || {
                client.call(payload(), &Wait::forever()).expect("the server answers");
            }),
        ));
    }

    let mut medians = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for ((_, call), medians) in ways.iter_mut().zip(&mut medians) {
            let mut times: Vec<_> = (0..CALLS)
                .map(|_| {
                    let start = Instant::now();
                    call();
                    start.elapsed().as_nanos()
                })
                .collect();
            times.sort_unstable();
            medians.push(times[CALLS / 2]);
        }
    }
    for ((name, _), medians) in ways.iter().zip(&mut medians) {
        medians.sort_unstable();
        println!("{name}\t{:.3}", medians[ROUNDS / 2] as f64 / 1e3);
    }
    drop(ways);
    for mut server in servers {
        server.kill().and_then(|()| server.wait()).expect("the server ends");
    }
}

/// Starts this program as a server, which prints the port that it listens on.
fn start(arguments: &[&str]) -> (Child, u16) {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program starts");
    let mut line = String::new();
    let output = child.stdout.take().expect("it was piped");
    BufReader::new(output).read_line(&mut line).expect("the server prints its port");
    (child, line.trim().parse().expect("a port"))
}

fn echo_call(mut stream: impl Read + Write) -> impl FnMut() {
    let mut buffer = [0; 4096];
    move || {
        stream.write_all(&[1; BYTES]).expect("the echo listens");
        stream.read_exact(&mut buffer[..BYTES]).expect("the echo answers");
    }
}

fn echo(mut stream: impl Read + Write) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        stream.write_all(&buffer[..count]).expect("the client listens");
    }
}

fn echo_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("an address").port());
    let (stream, _) = listener.accept().expect("a client");
    stream.set_nodelay(true).expect("an option of TCP");
    echo(stream);
}

#[cfg(unix)]
fn echo_unix(path: &str) {
    let listener = std::os::unix::net::UnixListener::bind(path).expect("a free path");
    println!("0");
    echo(listener.accept().expect("a client").0);
}

fn serve(directory: &str) {
    let token = Some(Token::new(TOKEN));
    let registry = Some(Registry::at(directory));
    let options = ServerOptions { token, registry, ..ServerOptions::default() };
    let server = Server::bind(&Address::new("127.0.0.1", 0), options).expect("a free port");
    println!("{}", server.address().port());
    let mut service = Service::new(|_| Ok(()), |(), value| Ok(Some(value)));
    server.run(&mut service);
}

fn payload() -> Payload {
    Value::Bytes(vec![1; BYTES - 2]).encode().expect("short").into()
}
