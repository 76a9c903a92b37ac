//! The log of a server, read by its clients.

#![cfg(unix)]

mod support;

use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use bgpy::log::read::{Begin, last_lines};
use bgpy::{Client, ClientOptions, Executor, Level, Log, Service, State, Value, limits};
use bgpy::{LogPiece, LogReply, LogRequest};
use bgpy_proto::Kind;
use support::peer::{LOG, Peer, frame};
use support::{Running, call, limit, payload, until};

/// Each call waits to be released.
fn tasks(held: mpsc::Receiver<()>) -> impl Executor {
    Service::new(
        |_| Ok(()),
        move |(), value: Value| {
            // Nobody holds any more when the test is over.
            let _ = held.recv();
            Ok(Some(value))
        },
    )
}

/// A server with a log, and what else is written to that.
struct Logging {
    server: Running,
    log: Log,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Logging {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("server.log");
        let log = Log::file(Level::Info, &path).unwrap();
        let server = Running::logging(log.clone(), tasks);
        // What the server says at its start has been said when it answers.
        server.client().ping(&limit()).unwrap();
        Self { server, log, path, _directory: directory }
    }

    /// Writes numbers, each with so many bytes behind it.
    fn write(&self, numbers: Range<usize>, bytes: usize) {
        for number in numbers {
            self.log.info(format_args!("number {number:06} {}", "x".repeat(bytes)));
        }
    }
}

fn piece(client: &Client, request: &LogRequest) -> LogPiece {
    match client.log(request, &limit()).unwrap() {
        LogReply::Piece(piece) => piece,
        LogReply::Unreadable(why) => panic!("{why}"),
    }
}

/// Everything from some place on, and where it goes on.
fn read(client: &Client, mut request: LogRequest) -> (Vec<u8>, LogRequest) {
    let mut text = Vec::new();
    loop {
        let piece = piece(client, &request);
        text.extend(piece.text);
        request = LogRequest::After(piece.after);
        if !piece.more {
            return (text, request);
        }
    }
}

/// The numbers of the records in a text.
fn numbers(text: &[u8]) -> Vec<usize> {
    let text = String::from_utf8_lossy(text);
    let number = |line: &str| line.split_once(" number ").map(|(_, rest)| rest[..6].parse());
    text.lines().filter_map(number).map(Result::unwrap).collect()
}

#[test]
fn a_log_is_read_from_wherever_it_is_wanted() {
    let log = Logging::start();
    log.write(0..1000, 500);
    let client = log.server.client();
    let (text, next) = read(&client, LogRequest::Start);
    assert_eq!(text, fs::read(&log.path).unwrap());
    assert!(text.len() > 4 * limits::LOG_BYTES_MAX);
    for lines in [0, 1, 100, 1_000_000] {
        let (text, _) = read(&client, Begin::LastLines(lines).request());
        assert!(text == last_lines(&log.path, lines).unwrap().as_bytes(), "{lines}");
    }
    assert!(read(&client, LogRequest::Since(0)).0 == text);
    assert!(read(&client, LogRequest::Since(i64::MAX)).0.is_empty());
    // What comes later follows, and what was there is not sent again.
    let (nothing, next) = read(&client, next);
    assert_eq!(nothing, b"");
    log.write(1000..1001, 0);
    assert_eq!(numbers(&read(&client, next).0), [1000]);
}

#[test]
fn a_follower_gets_every_record_while_the_log_is_rotated() {
    const RECORDS: usize = 70;
    let log = Logging::start();
    let (client, seen) = (log.server.client(), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..RECORDS {
                // More than a rotation ahead, and never more than what is kept.
                while number > seen.load(Ordering::SeqCst) + 30 {
                    thread::yield_now();
                }
                log.write(number..number + 1, 1 << 20);
            }
        });
        let (mut request, mut line) = (LogRequest::Start, Vec::new());
        while seen.load(Ordering::SeqCst) < RECORDS {
            let piece = piece(&client, &request);
            request = LogRequest::After(piece.after);
            for part in piece.text.split_inclusive(|byte| *byte == b'\n') {
                line.extend_from_slice(part);
                if line.ends_with(b"\n") {
                    if let [number] = numbers(&line)[..] {
                        assert_eq!(number, seen.fetch_add(1, Ordering::SeqCst));
                    }
                    line.clear();
                }
            }
        }
    });
    assert!(log.path.with_extension("log.5").exists(), "it was rotated");
}

#[test]
fn a_busy_server_is_heard_as_well() {
    let log = Logging::start();
    let client = log.server.client();
    client.initialize(payload(Value::Nil), &limit()).unwrap();
    let caller = log.server.client();
    let waiting = thread::spawn(move || call(&caller, 1_u64).unwrap());
    until(&client, "busy", |status| status.state == State::Busy);
    log.write(0..3, 0);
    let (text, _) = read(&client, LogRequest::LastLines(2));
    assert_eq!(numbers(&text), [1, 2]);
    log.server.release();
    waiting.join().unwrap();
}

#[test]
fn a_client_gets_no_more_than_it_takes() {
    let log = Logging::start();
    log.write(0..100, 500);
    let message_bytes_max = limits::MESSAGE_BYTES_LEAST;
    let token = Some(log.server.token.clone());
    let options = ClientOptions { token, message_bytes_max, ..ClientOptions::default() };
    let client = Client::new(log.server.address.clone(), options);
    assert_eq!(read(&client, LogRequest::Start).0, fs::read(&log.path).unwrap());
}

#[test]
fn a_server_without_a_log_says_so() {
    let unreadable = |client: &Client| match client.log(&LogRequest::Start, &limit()).unwrap() {
        LogReply::Unreadable(why) => why,
        LogReply::Piece(piece) => panic!("{piece:?}"),
    };
    let server = Running::start(tasks);
    assert!(unreadable(&server.client()).contains("no file"));
    let log = Logging::start();
    fs::remove_file(&log.path).unwrap();
    assert!(unreadable(&log.server.client()).contains("cannot be read"));
}

#[test]
fn many_requests_at_once_are_put_off_and_all_are_answered() {
    const REQUESTS: u64 = 2000;
    let log = Logging::start();
    log.write(0..1000, 500);
    let mut peer = Peer::new(&log.server);
    let request = |id| [frame(LOG, 0, 0, id, 1), vec![0x80]].concat();
    let requests: Vec<u8> = (1..=REQUESTS).flat_map(request).collect();
    // They are written beside the reading: a server reads no more while its answers wait.
    let mut writer = peer.reader();
    let writing = thread::spawn(move || writer.send(&requests));
    let (mut read, mut put_off) = (0, None);
    for id in 1..=REQUESTS {
        let frame = peer.expect(Kind::LogReply, id);
        let Some(LogReply::Piece(piece)) = bgpy_proto::LogReply::decode(&frame.payload.data) else {
            panic!("the log can be read");
        };
        assert!(piece.more);
        if piece.text.is_empty() {
            put_off = Some(piece.after);
        } else {
            read += 1;
        }
    }
    writing.join().unwrap();
    assert!(read > 0);
    // Who was put off has missed nothing.
    let (client, next) =
        (log.server.client(), put_off.map_or(LogRequest::Start, LogRequest::After));
    assert!(self::read(&client, next).0 == fs::read(&log.path).unwrap());
}
