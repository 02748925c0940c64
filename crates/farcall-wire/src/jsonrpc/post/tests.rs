//! Calls as requests, answers as replies.

use crate::{CallHead, Event, Fed, Head, Out, OverHttp, Place, Protocol, Reply, Wire, jsonrpc};
use bytes::BytesMut;
use farcall_core::{Code, Compress, Format, Limits, Shaped};

fn wire(protocol: &dyn Protocol, path: Option<&str>) -> Box<dyn Wire> {
    match protocol.over_http() {
        Some(OverHttp::Requests(protocol)) => {
            assert_eq!((protocol.in_flight(), protocol.name()), (Some(1), "jsonrpc"));
            protocol.open_to(&Place { host: "h:1", path }, &Limits::default())
        }
        _ => panic!("not over HTTP"),
    }
}

fn head(seq: u64, oneway: bool) -> CallHead<'static> {
    CallHead {
        seq,
        service: "Arith",
        method: "Mul",
        format: Format::Json,
        compress: Compress::None,
        oneway,
        timeout: None,
        meta: &[],
        shape: &<i64 as Shaped>::SHAPE,
        streams: farcall_core::Streams::default(),
    }
}

fn ask(wire: &mut dyn Wire, seq: u64, oneway: bool, body: &str) -> String {
    let head = head(seq, oneway);
    let mut out = Out::new();
    let mark = wire.begin(Head::Call(head), &mut out);
    out.tail().extend_from_slice(body.as_bytes());
    wire.end(mark, &mut out);
    String::from_utf8(out.tail().clone()).expect("text")
}

/// One answer, whole and byte by byte.
fn answer(protocol: &dyn Protocol, oneway: bool, line: &str, body: &str) -> Reply {
    let length = body.len();
    let text = format!("HTTP/1.1 {line}\r\nContent-Length: {length}\r\n\r\n{body}");
    let feed = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut wire = wire(protocol, None);
        ask(&mut *wire, 5, oneway, "1");
        let (mut input, mut events) = (BytesMut::new(), Vec::new());
        for piece in pieces {
            input.extend_from_slice(piece);
            let fed = wire.feed(&mut input, &mut Out::new(), &(), &mut events, usize::MAX);
            assert!(matches!(fed, Ok(Fed::Hungry { .. })), "{fed:?}");
        }
        match (events.pop(), events.len()) {
            (Some(Event::Reply(reply)), 0) => reply,
            (event, _) => panic!("{event:?}"),
        }
    };
    let whole = feed(&mut [text.as_bytes()].into_iter());
    let single = feed(&mut text.as_bytes().chunks(1));
    assert_eq!(format!("{whole:?}"), format!("{single:?}"));
    whole
}

#[test]
fn requests() {
    let text = ask(&mut *wire(&jsonrpc::V2, None), 5, false, "6");
    let body = "{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\",\"params\":[6],\"id\":5}\n";
    let length = body.len();
    let expected = format!(
        "POST /jsonrpc HTTP/1.1\r\nHost: h:1\r\nContent-Type: application/json\r\n\
         Accept: application/json\r\nContent-Length:         {length}\r\n\r\n{body}"
    );
    assert_eq!(text, expected);
    let text = ask(&mut *wire(&jsonrpc::V1, Some("/rpc?x=y")), 5, true, "6");
    assert!(text.starts_with("POST /rpc?x=y HTTP/1.1\r\n"), "{text}");
    assert!(
        text.ends_with("\r\n\r\n{\"method\":\"Arith.Mul\",\"params\":[6],\"id\":5}\n"),
        "{text}"
    );
    let text = ask(&mut *wire(&jsonrpc::V2, None), 5, true, "6");
    assert!(text.ends_with("\"params\":[6]}\n"), "a notification: {text}");
}

#[test]
fn metadata_are_fields() {
    let mut wire = wire(&jsonrpc::V2, None);
    let meta = [("traceparent", "00-x"), ("evil", "a\r\nHost: b"), ("Content-Length", "7")];
    let meta = meta.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let head = CallHead { meta: &meta, ..head(5, false) };
    let mut out = Out::new();
    let mark = wire.begin(Head::Call(head), &mut out);
    wire.end(mark, &mut out);
    let text = String::from_utf8(out.tail().clone()).expect("text");
    assert!(text.contains("\r\ntraceparent: 00-x\r\n"), "{text}");
    let others = "\r\nX-Meta: evil=a%0D%0AHost%3A%20b&Content-Length=7\r\n";
    assert!(text.contains(others) && text.matches("Host:").count() == 1, "{text}");
    // What the answer says beside the reply is the call's.
    let body = r#"{"jsonrpc":"2.0","result":42,"id":5}"#;
    let reply = answer(&jsonrpc::V2, false, "200 OK\r\nTenant: blue", body);
    assert_eq!(reply.meta.get("tenant").as_deref(), Some("blue"));
}

#[test]
fn replies() {
    for (protocol, line, body) in [
        (&jsonrpc::V2, "200 OK", r#"{"jsonrpc":"2.0","result":42,"id":5}"#),
        (&jsonrpc::V2, "200 OK", " {\"id\":5,\n\"result\":42,\"jsonrpc\":\"2.0\"}\r\n"),
        (&jsonrpc::V1, "200 OK", r#"{"id":5,"result":42,"error":null}"#),
        (&jsonrpc::V2, "500 But", r#"{"jsonrpc":"2.0","result":42,"id":5}"#),
    ] {
        let reply = answer(protocol, false, line, body);
        assert_eq!((reply.seq, &reply.error, &reply.body[..]), (5, &None, &b"42"[..]), "{body}");
    }
    let none = r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"no m"},"id":5}"#;
    let refused = r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"no JSON"},"id":null}"#;
    let id = r#"{"jsonrpc":"2.0","result":42,"id":6}"#;
    for (line, body, code, text) in [
        ("200 OK", none, Code::Unimplemented, "no m"),
        ("404 Not Found", none, Code::Unimplemented, "no m"),
        ("200 OK", refused, Code::Internal, "could not read: no JSON"),
        ("400 Bad Request", refused, Code::Internal, "no JSON"),
        ("200 OK", id, Code::Internal, "another call"),
        ("200 OK", "", Code::Internal, "ends too early"),
        ("204 No Content", "", Code::Internal, "ends too early"),
        ("200 OK", "<html>", Code::Internal, "is no reply"),
        ("200 OK", "[]", Code::Internal, "more than one value"),
        ("200 OK", "{}", Code::Internal, "without a result"),
        ("200 OK", "{\"id\":5,\"result\":1}{}", Code::Internal, "more than one"),
        ("200 OK", "{\"id\":5,\"result\":1", Code::Internal, "ends too early"),
        ("502 Bad Gateway", "<html>no</html>", Code::Unavailable, "502 Bad Gateway: <html>no"),
        ("403 Forbidden", "", Code::PermissionDenied, "403 Forbidden"),
    ] {
        let reply = answer(&jsonrpc::V2, false, line, body);
        let error = reply.error.expect(body);
        assert_eq!(error.code(), code, "{body} {error}");
        assert!(error.text().contains(text), "{body} {error}");
    }
}

#[test]
fn notifications_are_over_whatever_the_body_is() {
    for (line, body) in [("204 No Content", ""), ("200 OK", ""), ("202 Accepted", "ok")] {
        assert_eq!(answer(&jsonrpc::V2, true, line, body).error, None, "{line}");
    }
    assert!(answer(&jsonrpc::V2, true, "500 No", "").error.is_some());
}
