//! How `farcall serve` ends, and what it takes over from the one before.
#![cfg(unix)]

mod kit;

use kit::*;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const SOON: Duration = Duration::from_secs(60);

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.expect("there is kill").success());
}

fn ended(child: &mut Child) -> Option<i32> {
    let until = Instant::now() + SOON;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().expect("it is ours") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it does not end");
}

/// `POST /Echo/Sleep`, written and not yet answered.
fn sleeping(address: &str, millis: u32) -> TcpStream {
    let mut socket = TcpStream::connect(address).expect("it listens");
    let body = format!("{{\"Ms\":{millis}}}");
    let head = "POST /Echo/Sleep HTTP/1.1\r\nHost: h\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    socket.write_all(request.as_bytes()).expect("it reads");
    socket
}

fn all_of(mut socket: TcpStream) -> String {
    let mut all = String::new();
    socket.read_to_string(&mut all).expect("an orderly end");
    all
}

/// The calls are running: a call that came behind them is answered.
fn settled(address: &str) {
    assert!(farcall(&["call", &format!("rpcx://{address}/Arith/Mul")]).status.success());
    std::thread::sleep(Duration::from_millis(50));
}

#[test]
fn a_signal_ends_it_well() {
    for name in ["-TERM", "-INT"] {
        let mut served = Served::start(&["--drain-delay", "50ms"]);
        let busy = sleeping(&served.address, 700);
        // Silent, and idle.
        let silent = TcpStream::connect(&served.address).expect("it listens");
        settled(&served.address);
        signal(&served.child, name);
        let answer = all_of(busy);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("Connection: close"));
        assert_eq!(all_of(silent), "");
        assert_eq!(ended(&mut served.child), Some(0), "{name}");
    }
}

#[test]
fn a_second_signal_cuts() {
    let mut served = Served::start(&[]);
    let busy = sleeping(&served.address, 60_000);
    settled(&served.address);
    signal(&served.child, "-TERM");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(served.child.try_wait().expect("ours"), None, "it waits for what runs");
    signal(&served.child, "-TERM");
    assert_eq!(ended(&mut served.child), Some(1));
    drop(busy);
}

#[test]
fn it_waits_no_longer_than_it_is_told() {
    let mut served = Served::start(&["--drain-time", "200ms"]);
    let _busy = sleeping(&served.address, 60_000);
    settled(&served.address);
    signal(&served.child, "-TERM");
    assert_eq!(ended(&mut served.child), Some(1));
}

/// The binary with a listener as descriptor 3, passed as systemd does.
fn passed(listener: &TcpListener, args: &str) -> Command {
    let copy = listener.try_clone().expect("a copy");
    let script = "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=$$ ";
    let mut command = Command::new("sh");
    let line = format!("{script} exec \"$0\" serve {args}");
    command.args(["-c", &line, env!("CARGO_BIN_EXE_farcall")]);
    command.stdin(Stdio::from(OwnedFd::from(copy))).env_remove("FARCALL_LOG");
    command
}

#[test]
fn a_successor_serves_who_came_while_nobody_accepted() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    // Nobody accepts yet.
    let mut waiting: Vec<_> = (0..5).map(|_| sleeping(&address, 1)).collect();
    for args in ["", "--listen fd://3", "--listen 'fd://web?speak=http,rpcx'"] {
        let mut served = Served::run(passed(&listener, args));
        assert_eq!(served.address, address, "{args}");
        settled(&address);
        signal(&served.child, "-TERM");
        for socket in waiting.drain(..) {
            let answer = all_of(socket);
            assert!(answer.starts_with("HTTP/1.1 200"), "{args}: {answer}");
        }
        assert_eq!(ended(&mut served.child), Some(0), "{args}");
        waiting = (0..5).map(|_| sleeping(&address, 1)).collect();
    }
}

/// A socket file that somebody else opened is served, and stays when the server goes.
#[test]
fn a_socket_file_is_inherited() {
    use std::os::unix::net::{UnixListener, UnixStream};
    let path = std::env::temp_dir().join(format!("farcall-passed-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("a new file");
    // Nobody accepts yet.
    let mut waiting = UnixStream::connect(&path).expect("it listens");
    let ask =
        b"POST /Arith/Mul HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 13\r\n\r\n";
    waiting.write_all(&[&ask[..], br#"{"A":6,"B":7}"#].concat()).expect("it has room");
    let line = "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve";
    let mut command = Command::new("sh");
    command.args(["-c", line, env!("CARGO_BIN_EXE_farcall")]).stdout(Stdio::piped());
    let copy = listener.try_clone().expect("a copy");
    let mut child = command.stdin(Stdio::from(OwnedFd::from(copy))).spawn().expect("it starts");
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).expect("an answer");
    assert!(answer.ends_with("{\"C\":42}"), "{answer}");
    signal(&child, "-TERM");
    assert_eq!(ended(&mut child), Some(0));
    let mut said = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut said).expect("text");
    assert_eq!(said, format!("listening on unix://{}\n", path.display()));
    assert!(path.exists(), "it is not the server's to remove");
    std::fs::remove_file(&path).expect("it was there");
}

#[test]
fn what_was_passed_wrongly_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    for (args, why) in [
        ("--listen fd://1", "below 3"),
        ("--listen fd://9", "LISTEN_FDS passes 3 to 3"),
        ("--listen fd://db", "LISTEN_FDNAMES"),
    ] {
        let output = passed(&listener, args).output().expect("it runs");
        assert!(!output.status.success() && err(&output).contains(why), "{}", err(&output));
    }
    let mut command = Command::new("sh");
    let line = "exec 3</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve";
    let output = command.args(["-c", line, env!("CARGO_BIN_EXE_farcall")]).output();
    let output = output.expect("it runs");
    assert!(err(&output).contains("descriptor 3 is not a socket"), "{}", err(&output));
    let output = command_with("LISTEN_FDS", "many").output().expect("it runs");
    assert!(err(&output).contains("LISTEN_FDS is `many`"), "{}", err(&output));
}

fn command_with(name: &str, value: &str) -> Command {
    let mut command = command(&["serve"]);
    command.env(name, value);
    command
}

/// A server without descriptors goes on: those who say nothing give way, and it does not say the
/// same thing a thousand times.
#[test]
fn without_descriptors_the_silent_give_way() {
    let mut line = Command::new("sh");
    line.args(["-c", "ulimit -n 64; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_farcall")]);
    line.args(["serve", "--listen", "tcp://127.0.0.1:0"]).stderr(Stdio::piped());
    let since = Instant::now();
    let mut served = Served::run(line);
    let busy = sleeping(&served.address, 1_500);
    settled(&served.address);
    let connect = |_| TcpStream::connect(&served.address).expect("it listens");
    let silent: Vec<_> = (0..100).map(connect).collect();
    // It is served although all of them are there, and who has spoken is not cut.
    settled(&served.address);
    drop(silent);
    signal(&served.child, "-TERM");
    assert!(all_of(busy).starts_with("HTTP/1.1 200"));
    assert_eq!(ended(&mut served.child), Some(0));
    let mut said = String::new();
    let err = served.child.stderr.take();
    err.expect("piped").read_to_string(&mut said).expect("text");
    let failures = said.matches("accepting failed").count();
    let most = since.elapsed().as_secs() as usize + 1;
    assert!((1..=most).contains(&failures), "{said}");
}
