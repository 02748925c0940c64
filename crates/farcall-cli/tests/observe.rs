//! What `farcall serve` shows, tells and holds back.

mod kit;

use kit::*;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::Stdio,
};

/// What `GET /metrics` answers there.
fn scrape(address: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("it listens");
    let request = "GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    socket.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn metrics_have_a_port_of_their_own() {
    let mut served = Served::start(&["--metrics", "http://127.0.0.1:0"]);
    let line = served.line();
    let place = line.strip_prefix("metrics on http://").and_then(|l| l.strip_suffix("/metrics"));
    let place = place.expect(&line);
    let output = farcall(&["call", &served.url("Arith/Mul"), r#"{"A":6,"B":7}"#]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let answer = scrape(place);
    let labels = r#"service="Arith",method="Mul",protocol="rpcx",code="ok""#;
    let want = format!("farcall_server_calls_total{{{labels}}} 1\n");
    assert!(answer.contains(&want), "{answer}");
    assert!(scrape(&served.address).starts_with("HTTP/1.1 404"), "no port of the services");
    let output = farcall(&["serve", "--metrics", "http://nowhere.invalid:x"]);
    assert_eq!(code(&output), 2, "{}", err(&output));
}

#[test]
fn metrics_are_read_while_calls_end() {
    let mut served = Served::start(&["--metrics", "http://127.0.0.1:0"]);
    let line = served.line();
    let place = line.strip_prefix("metrics on http://").and_then(|l| l.strip_suffix("/metrics"));
    let place = place.expect(&line).to_owned();
    let mut busy = TcpStream::connect(&served.address).expect("it listens");
    let body = r#"{"Ms":60000}"#;
    let length = body.len();
    let head = format!("POST /Echo/Sleep HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    busy.write_all((head + body).as_bytes()).expect("it reads");
    let runs = r#"calls_in_flight{service="Echo",method="Sleep",protocol="http"} 1"#;
    while !scrape(&place).contains(runs) {}
    let signal = || {
        let id = served.child.id().to_string();
        let sent = std::process::Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.expect("kill runs").success());
    };
    signal();
    // Nobody is let in any more, and what still runs is shown.
    while TcpStream::connect(&served.address).is_ok() {}
    assert!(scrape(&place).contains(runs));
    signal();
    let ended = served.child.wait().expect("ours");
    assert_eq!(ended.code(), Some(1));
}

#[test]
fn rates_are_kept() {
    for flag in ["--rate", "--peer-rate"] {
        let served = Served::start(&[flag, "1/h"]);
        let call = || farcall(&["call", &served.url("Arith/Mul"), r#"{"A":6,"B":7}"#]);
        assert_eq!(code(&call()), 0);
        let output = call();
        assert_eq!(code(&output), 1);
        assert!(err(&output).contains("too many calls"), "{}", err(&output));
    }
    for wrong in ["0/s", "fast", "10"] {
        let output = farcall(&["serve", "--rate", wrong]);
        assert_eq!(code(&output), 2, "{wrong}");
        assert!(err(&output).contains("1000/s, 60/m or 10/h"), "{}", err(&output));
    }
}

#[test]
fn slow_calls_are_told() {
    let mut command = command(&["serve", "--listen", "tcp://127.0.0.1:0", "--log-slow", "20ms"]);
    command.stderr(Stdio::piped());
    let mut served = Served::run(command);
    let told = BufReader::new(served.child.stderr.take().expect("piped"));
    let output = farcall(&["call", &served.url("Echo/Sleep"), r#"{"Ms":30}"#]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let mut lines = told.lines().map(|line| line.expect("text"));
    let line = lines.find(|line| line.contains("slow call")).expect("a line");
    for part in ["service=Echo", "method=Sleep", "protocol=\"rpcx\"", "status=\"ok\"", "took_ms="] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}
