//! `CONNECT`: the connection becomes another protocol's, with what came behind it.

use super::{
    kit::{Table, answer, answers, check, feed, flat, wire},
    post,
};
use crate::{
    CallHead, Event, Fed, Head, Out, Protocol, Reply, ReplyHead, Side, Wire, netrpc::NetRpc,
    rpcx::Rpcx,
};
use bytes::BytesMut;
use farcall_core::{Bounds, Compress, Format, Found, Limits, Routes, Shaped};

const RPCX: &str = "HTTP/1.0 200 Connected to rpcx\n\n";
const GO: &str = "HTTP/1.0 200 Connected to Go RPC\n\n";

/// A client's call of `Arith.Mul` with the text `six`.
fn call(client: &mut dyn Wire, format: Format, seq: u64) -> Vec<u8> {
    let shape = const { &<&str as Shaped>::SHAPE };
    let mut out = Out::new();
    let head = CallHead {
        seq,
        service: "Arith",
        method: "Mul",
        format,
        compress: Compress::None,
        oneway: false,
        timeout: None,
        meta: &[],
        shape,
        streams: farcall_core::Streams::default(),
    };
    let mark = client.begin(Head::Call(head), &mut out);
    crate::format::encode(format, &"six", Bounds::default(), out.tail()).unwrap();
    client.end(mark, &mut out);
    flat(&out)
}

fn protocols() -> [(&'static dyn Protocol, Format, &'static str, &'static str); 2] {
    [(&Rpcx, Format::MsgPack, "/_rpcx_", RPCX), (&NetRpc, Format::Gob, "/_goRPC_", GO)]
}

#[test]
fn what_comes_with_the_connect_is_the_tunnels() {
    for (protocol, format, path, connected) in protocols() {
        let limits = Limits::default();
        let mut client = protocol.open(Side::Client, &limits);
        let two = [call(&mut *client, format, 1), call(&mut *client, format, 2)].concat();
        for request in [
            format!("CONNECT {path} HTTP/1.0\n\n"),
            format!("CONNECT {path} HTTP/1.0\r\n\r\n"),
            format!("CONNECT {path} HTTP/1.0\nHost: h\nA: b\n\n"),
            format!("CONNECT {path} HTTP/1.1\r\nHost: h:1\r\nUser-Agent: x\r\n\r\n"),
            format!("CONNECT {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
            // A tunnel is not closed by what was said of the requests before it.
            format!("CONNECT {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
        ] {
            let bytes = [request.as_bytes(), &two].concat();
            let seen = check(&limits, &bytes);
            assert_eq!(String::from_utf8_lossy(&seen.out), connected, "{request}");
            assert_eq!(seen.end, Ok(Fed::Hungry { need: 0 }), "{request}");
            let [Event::Call(first), Event::Call(second)] = &seen.found[..] else {
                panic!("{request} gave {:?}", seen.found)
            };
            assert_eq!((first.ticket.format, first.ticket.seq), (format, 1));
            assert_eq!((second.ticket.format, second.ticket.seq), (format, 2));
        }
    }
}

#[test]
fn replies_and_failures_are_the_tunnels() {
    for (protocol, format, path, connected) in protocols() {
        let limits = Limits::default();
        let mut client = protocol.open(Side::Client, &limits);
        let mut server = wire(&limits);
        let connect = format!("CONNECT {path} HTTP/1.0\n\n");
        assert!(!server.midway());
        let bytes = [connect.as_bytes(), &call(&mut *client, format, 7)].concat();
        let seen = feed(&mut *server, &bytes, &[]);
        assert_eq!(seen.out, connected.as_bytes());
        let [Event::Call(served)] = &seen.found[..] else { panic!() };
        // Half a message is the tunnel's to judge.
        let half = call(&mut *client, format, 8);
        let rest = feed(&mut *server, &half[..half.len() - 1], &[]);
        assert!(matches!(rest.end, Ok(Fed::Hungry { need: 1.. })), "{:?}", rest.end);
        let mut out = Out::new();
        let shape = Some(const { &<&str as Shaped>::SHAPE });
        let head = ReplyHead {
            ticket: &served.ticket,
            service: "Arith",
            method: "Mul",
            error: None,
            meta: &[],
            shape,
        };
        let mark = server.begin(Head::Reply(head), &mut out);
        server.abandon(mark, &mut out);
        assert!(out.is_empty());
        let status = server.unknown(Found::NoMethod, "Arith", "Mul");
        assert!(status.text().contains("can't find method"), "{status}");
        let ticket = &served.ticket;
        let (service, method, error, meta) = ("Arith", "Mul", Some(&status), &[][..]);
        let head = ReplyHead { ticket, service, method, error, meta, shape: None };
        let mark = server.begin(Head::Reply(head), &mut out);
        server.end(mark, &mut out);
        let mut input = BytesMut::from(&flat(&out)[..]);
        let mut found = Vec::new();
        client.feed(&mut input, &mut Out::new(), &(), &mut found, 9).unwrap();
        let [Event::Reply(Reply { seq: 7, error: Some(error), .. })] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(error.text(), status.text());
    }
}

/// Requests before the `CONNECT` are answered before it; behind it nothing is HTTP.
#[test]
fn it_waits_for_what_came_before() {
    let limits = Limits::default();
    let mut client = Rpcx.open(Side::Client, &limits);
    let connect = b"CONNECT /_rpcx_ HTTP/1.0\n\n";
    let before = post("/Arith/Mul", "", "1").repeat(2);
    let behind = call(&mut *client, Format::Json, 3);
    let bytes = [before.as_bytes(), connect, &behind].concat();
    let mut server = wire(&limits);
    let (mut input, mut out, mut found) = (BytesMut::from(&bytes[..]), Out::new(), Vec::new());
    let mut feed = |server: &mut dyn Wire, out: &mut Out, found: &mut Vec<Event>| {
        server.feed(&mut input, out, &Table, found, 99)
    };
    assert_eq!(feed(&mut *server, &mut out, &mut found), Ok(Fed::Waiting));
    assert_eq!((found.len(), out.len()), (2, 0));
    for (index, fed) in [(1, Fed::Waiting), (0, Fed::Became("rpcx"))] {
        let event = &found[index];
        answer(&mut *server, &mut out, event, Ok("1"), &[]);
        assert_eq!(feed(&mut *server, &mut out, &mut found), Ok(fed));
    }
    assert_eq!(feed(&mut *server, &mut out, &mut found), Ok(Fed::Hungry { need: 0 }));
    assert_eq!(found.len(), 3);
    let said = flat(&out);
    let said = said.strip_suffix(RPCX.as_bytes()).expect("its word comes last");
    assert_eq!(answers(said, false).len(), 2);
}

#[test]
fn what_is_not_spoken_is_named() {
    struct Little;
    impl Routes for Little {
        fn find(&self, _: &[u8], _: &[u8]) -> Found {
            Found::NoService
        }
        fn speaks(&self, protocol: &str) -> bool {
            protocol == "http"
        }
    }
    let get = "GET /after HTTP/1.1\r\nHost: h\r\n\r\n";
    for (request, text, closes) in [
        ("CONNECT /_goRPC_ HTTP/1.0\n\n".to_owned(), "`netrpc` is not spoken", true),
        ("CONNECT /_rpcx_ HTTP/1.0\n\n".to_owned(), "`rpcx` is not spoken", true),
        (post("/jsonrpc", "", "{}"), "`jsonrpc` is not spoken", false),
        (post("/x", "X-JSONRPC-2.0: true\r\n", "{}"), "`rpcx` is not spoken", false),
        (post("/x", "X-RPCX-ServiceMethod: Mul\r\n", "{}"), "`rpcx` is not spoken", false),
    ] {
        let bytes = [&request, get].concat();
        let seen = super::kit::check_by(&Little, &Limits::default(), bytes.as_bytes());
        assert!(seen.found.is_empty());
        let answers = answers(&seen.out, false);
        assert_eq!((answers[0].status, answers.len()), (404, 2 - usize::from(closes)), "{request}");
        assert!(answers[0].body.contains(text), "{:?}", answers[0]);
        assert_eq!(seen.end.is_err(), closes);
    }
    // Another method on such a path: Go's words, and the connection goes on.
    for method in ["GET", "POST", "HEAD"] {
        let request = format!("{method} /_goRPC_ HTTP/1.1\r\nHost: h\r\n\r\n");
        let seen = check(&Limits::default(), request.as_bytes());
        let answers = answers(&seen.out, method == "HEAD");
        assert_eq!((answers[0].status, answers[0].field("allow")), (405, Some("CONNECT")));
        let body = if method == "HEAD" { "" } else { "405 must CONNECT\n" };
        assert_eq!(answers[0].body, body);
        assert_eq!(answers[0].field("content-length"), Some("17"));
    }
}
