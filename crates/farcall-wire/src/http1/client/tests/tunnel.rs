//! `CONNECT`, and what is answered to it.

use crate::{OverHttp, Protocol, http1::Opening, netrpc::NetRpc, rpcx::Rpcx};

fn opening(protocol: &dyn Protocol, path: Option<&str>) -> (Opening, String) {
    match protocol.over_http() {
        Some(OverHttp::Tunnel(tunnel)) => Opening::new(tunnel, path, 256),
        _ => panic!("{} has no tunnel", protocol.name()),
    }
}

#[test]
fn requests_are_those_of_go() {
    assert_eq!(opening(&NetRpc, None).1, "CONNECT /_goRPC_ HTTP/1.0\n\n");
    assert_eq!(opening(&Rpcx, None).1, "CONNECT /_rpcx_ HTTP/1.0\n\n");
    assert_eq!(opening(&Rpcx, Some("/a?b")).1, "CONNECT /a?b HTTP/1.0\n\n");
}

#[test]
fn answers_must_be_those_of_go() {
    let good = "200 Connected to Go RPC";
    let long = format!("HTTP/1.0 {good}\n{}", "A: b\n".repeat(100));
    for (answer, expected) in [
        (format!("HTTP/1.0 {good}\n\n"), Ok(Some(34))),
        (format!("HTTP/1.1 {good}\r\n\r\n"), Ok(Some(36))),
        (format!("HTTP/1.0 {good}\nA: b\r\n\nrest"), Ok(Some(40))),
        (format!("HTTP/1.0 {good}\n"), Ok(None)),
        (String::new(), Ok(None)),
        (
            format!("HTTP/1.0 {good} \n\n"),
            Err("unexpected HTTP response: 200 Connected to Go RPC "),
        ),
        ("HTTP/1.0 200 Connected to rpcx\n\n".to_owned(), Err("200 Connected to rpcx")),
        ("HTTP/1.1 404 Not Found\r\n".to_owned(), Err("unexpected HTTP response: 404 Not Found")),
        ("HTTP/1.1 200 O\x1b[2JK\r\n".to_owned(), Err("200 O\u{fffd}[2JK")),
        ("SSH-2.0-x\r\n".to_owned(), Err("not HTTP: SSH-2.0-x")),
        ("HTTP/1.2 200 Connected to Go RPC\n\n".to_owned(), Err("not HTTP")),
        ("x".repeat(256), Err("Limits::head_bytes")),
        (long, Err("Limits::head_bytes")),
    ] {
        let whole = opening(&NetRpc, None).0.read(answer.as_bytes());
        match (&whole, &expected) {
            (Ok(got), Ok(want)) => assert_eq!(got, want, "{answer:?}"),
            (Err(got), Err(want)) => assert!(got.contains(want), "{answer:?} {got}"),
            _ => panic!("{answer:?} {whole:?}"),
        }
        let mut slow = opening(&NetRpc, None).0;
        let mut last = Ok(None);
        for end in 0..=answer.len() {
            last = slow.read(&answer.as_bytes()[..end]);
            if !matches!(last, Ok(None)) {
                break;
            }
        }
        assert_eq!(last, whole, "{answer:?} byte by byte");
    }
}
