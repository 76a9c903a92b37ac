//! Where servers listen, and who is let in.

mod support;

use std::net::{IpAddr, TcpListener};
use std::sync::mpsc::{self};
use std::thread;
use std::time::Duration;

use bgpy::address::Address;
use bgpy::error::FailureKind;
use bgpy::registry::Registry;
use bgpy::{
    CallError, Client, ClientOptions, ConnectError, Ended, ServeError, Server, ServerOptions,
    Token, Value, Wait,
};
use support::custom::*;
use support::{call, limit, payload};

#[test]
fn port_0_takes_a_free_port_and_tells_it() {
    let first = Server::bind(&loopback(0), options(None)).unwrap();
    let second = Server::bind(&loopback(0), options(None)).unwrap();
    assert_ne!(first.address().port(), 0);
    assert_ne!(first.address().port(), second.address().port());
    assert_eq!(first.socket(), None);
}

#[test]
fn ipv6_is_served() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: no IPv6 here");
        return;
    }
    for host in ["::1", "[::1]"] {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::at(directory.path().join("run"));
        let options = options(Some(&registry));
        let token = options.token.clone();
        let server = Server::bind(&Address::new(host, 0), options).unwrap();
        let address = Address::new(host, server.address().port());
        assert!(server.address().is_ipv6());
        assert_eq!(registry.find(&address.resolve().unwrap()).unwrap().len(), 1);
        let thread = thread::spawn(move || server.run(&mut echo(mpsc::channel().1)));
        let client = Client::new(address, ClientOptions { token, ..ClientOptions::default() });
        assert_eq!(call(&client, 5_u64).unwrap(), Value::Int(5));
        client.terminate(payload(Value::Nil), &limit()).unwrap();
        assert!(matches!(thread.join().unwrap(), Ended::Orderly));
    }
}

#[test]
fn an_address_in_use_is_told_and_nothing_is_left_behind() {
    let directory = tempfile::tempdir().unwrap();
    let registry = Registry::at(directory.path().join("run"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = loopback(taken.local_addr().unwrap().port());
    let refused = Server::bind(&address, options(Some(&registry))).unwrap_err();
    assert!(
        matches!(&refused, ServeError::AddressInUse { address: told } if *told == address.to_string())
    );
    assert_eq!(refused.kind(), FailureKind::AddressInUse);
    assert_eq!(left_behind(&registry), [""; 0]);
    drop(taken);
    drop(Server::bind(&address, options(Some(&registry))).unwrap());
    // One that never ran leaves nothing either.
    assert_eq!(left_behind(&registry), [""; 0]);
    Server::bind(&address, options(None)).unwrap();
}

#[test]
fn an_address_in_use_is_told_whatever_the_name_of_the_host_stands_for() {
    let address = Address::new("localhost", 0);
    let running = Server::bind(&address, options(None)).unwrap();
    let again = Address::new("localhost", running.address().port());
    let refused = Server::bind(&again, options(None)).unwrap_err();
    assert!(matches!(refused, ServeError::AddressInUse { .. }), "{refused}");
}

#[test]
fn addresses_that_cannot_be_had_are_refused() {
    let elsewhere = Server::bind(&Address::new("192.0.2.1", 0), options(None)).unwrap_err();
    assert!(matches!(elsewhere, ServeError::Bind { .. }), "{elsewhere}");
    let nowhere = Server::bind(&Address::new("no\0where", 0), options(None)).unwrap_err();
    assert!(matches!(nowhere, ServeError::Resolve { .. }), "{nowhere}");
}

#[test]
fn other_machines_are_kept_out_by_a_real_token() {
    let anywhere = Address::new("0.0.0.0", 0);
    let weak = ServerOptions { token: Some(Token::new("hunter2")), ..options(None) };
    let refused = Server::bind(&anywhere, weak.clone()).unwrap_err();
    assert!(matches!(refused, ServeError::WeakToken { .. }), "{refused}");
    Server::bind(&anywhere, ServerOptions { allow_weak_token: true, ..weak }).unwrap();
    let open = ServerOptions { auth: false, ..options(None) };
    let refused = Server::bind(&anywhere, open.clone()).unwrap_err();
    assert!(matches!(refused, ServeError::Unprotected { .. }), "{refused}");
    assert!(Server::bind(&loopback(0), open).unwrap().address().ip().is_loopback());
}

#[test]
fn without_a_registry_a_token_that_was_given_is_enough() {
    let directory = tempfile::tempdir().unwrap();
    // A file where the directory should be.
    let path = directory.path().join("run");
    std::fs::write(&path, "").unwrap();
    let registry = Registry::at(&path);

    let made_up = ServerOptions { token: None, ..options(Some(&registry)) };
    let refused = Server::bind(&loopback(0), made_up).unwrap_err();
    let ServeError::Registry { directory: Some(told), .. } = &refused else { panic!("{refused}") };
    assert_eq!(*told, path);
    assert!(refused.to_string().contains("pass a token"), "{refused}");

    let given = options(Some(&registry));
    let token = given.token.clone();
    let server = Server::bind(&loopback(0), given).unwrap();
    assert_eq!(server.socket(), None);
    let address = loopback(server.address().port());
    let thread = thread::spawn(move || server.run(&mut echo(mpsc::channel().1)));
    let client = Client::new(address, ClientOptions { token, ..ClientOptions::default() });
    assert_eq!(call(&client, 5_u64).unwrap(), Value::Int(5));
    client.terminate(payload(Value::Nil), &limit()).unwrap();
    assert!(matches!(thread.join().unwrap(), Ended::Orderly));
}

#[test]
fn a_name_without_a_registry_is_refused_in_words() {
    let named = ServerOptions { name: Some("trainer".parse().unwrap()), ..options(None) };
    let refused = Server::bind(&loopback(0), named).unwrap_err().to_string();
    assert!(refused.starts_with("there is no place to keep the server's name in: "), "{refused}");
}

#[test]
fn an_entry_that_cannot_be_written_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let registry = Registry::at(directory.path().join("run"));
    registry.prepare().unwrap();
    let options = ServerOptions { token: None, ..options(Some(&registry)) };
    // A directory where the entry belongs, which is not the server's to remove.
    let entry = registry.log_path(options.instance).with_extension("json");
    std::fs::create_dir(&entry).unwrap();
    std::fs::write(entry.join("somebodys"), "").unwrap();
    let refused = Server::bind(&loopback(0), options).unwrap_err();
    assert!(matches!(refused, ServeError::Registry { .. }), "{refused}");
    assert!(refused.to_string().contains("with something in it"), "{refused}");
    std::fs::remove_dir_all(&entry).unwrap();
    assert_eq!(left_behind(&registry), [""; 0]);
}

#[test]
fn calls_wait_for_a_server_that_listens_but_does_not_run_yet() {
    let options = options(None);
    let token = options.token.clone();
    let server = Server::bind(&loopback(0), options).unwrap();
    let address = loopback(server.address().port());
    let client = Client::new(address, ClientOptions { token, ..ClientOptions::default() });
    thread::scope(|scope| {
        let early = scope.spawn(|| call(&client, 5_u64).unwrap());
        let (started, start) = mpsc::channel();
        scope.spawn(move || {
            start.recv().unwrap();
            server.run(&mut echo(mpsc::channel().1))
        });
        let late = client.open(&Wait::at_most(Duration::from_millis(50))).unwrap_err();
        assert!(matches!(late, ConnectError::Timeout { .. }), "{late}");
        started.send(()).unwrap();
        assert_eq!(early.join().unwrap(), Value::Int(5));
        client.terminate(payload(Value::Nil), &limit()).unwrap();
    });
}

#[test]
fn a_server_without_authentication_takes_everybody_on_this_machine() {
    let options = ServerOptions { auth: false, ..options(None) };
    let token = options.token.clone();
    let server = Server::bind(&loopback(0), options).unwrap();
    assert!(matches!(server.address().ip(), IpAddr::V4(ip) if ip.is_loopback()));
    let address = loopback(server.address().port());
    let thread = thread::spawn(move || server.run(&mut echo(mpsc::channel().1)));
    let careful = Client::new(address.clone(), ClientOptions::default());
    let refused = careful.ping(&limit()).unwrap_err();
    assert!(matches!(refused, CallError::Connect(ConnectError::NoToken { .. })), "{refused}");
    let proven = Client::new(address.clone(), ClientOptions { token, ..ClientOptions::default() });
    assert_eq!(call(&proven, 1_u64).unwrap(), Value::Int(1));
    let client = Client::new(address, ClientOptions { auth: false, ..ClientOptions::default() });
    assert_eq!(call(&client, 1_u64).unwrap(), Value::Int(1));
    client.terminate(payload(Value::Nil), &limit()).unwrap();
    assert!(matches!(thread.join().unwrap(), Ended::Orderly));
}

#[test]
fn without_a_token_nobody_on_another_machine_is_talked_to() {
    let elsewhere = Address::new("192.0.2.1", 54321);
    let client = Client::new(elsewhere, ClientOptions { auth: false, ..ClientOptions::default() });
    let refused = client.ping(&limit()).unwrap_err();
    assert!(matches!(refused, CallError::Connect(ConnectError::Unprotected { .. })), "{refused}");
}
