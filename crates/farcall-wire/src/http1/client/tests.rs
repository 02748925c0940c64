//! Requests as they are written; answers fed whole, byte by byte and cut at every offset; answers
//! that must not be believed.

mod hostile;
mod tunnel;

use crate::http1::{self, Http};
use crate::{Broken, CallHead, Event, Fed, Head, Out, Place, Protocol, Reply, Side, Wire};
use bytes::BytesMut;
use farcall_core::{Code, Compress, Format, Limits, Meta, Origin, Sent, Shaped};
use std::{io::IoSlice, time::Duration};

fn wire(limits: &Limits) -> Box<dyn Wire> {
    Http.open_to(&Place { host: "h:1", path: None }, limits)
}

fn call<'a>(seq: u64, names: [&'a str; 2]) -> CallHead<'a> {
    let [service, method] = names;
    CallHead {
        seq,
        service,
        method,
        format: Format::Json,
        compress: Compress::None,
        oneway: false,
        timeout: None,
        meta: &[],
        shape: &<i64 as Shaped>::SHAPE,
        streams: farcall_core::Streams::default(),
    }
}

fn ask(wire: &mut dyn Wire, head: CallHead<'_>, body: &[u8]) -> Vec<u8> {
    let mut out = Out::new();
    let mark = wire.begin(Head::Call(head), &mut out);
    out.tail().extend_from_slice(body);
    wire.end(mark, &mut out);
    let mut slices = [IoSlice::new(&[]); 16];
    let count = out.slices(&mut slices);
    slices[..count].iter().flat_map(|s| s.iter().copied()).collect()
}

/// What came of feeding.
#[derive(Debug)]
struct Seen {
    replies: Vec<Reply>,
    end: Result<Fed, Broken>,
}

impl Seen {
    /// Replies in short, the end without how much is missing.
    fn short(&self) -> (Vec<String>, String) {
        let short = |reply: &Reply| {
            let Reply { seq, error, compress, meta, body, .. } = reply;
            let body = String::from_utf8_lossy(body).into_owned();
            match error {
                None => format!("{seq} {compress} {:?} {body}", meta.pairs()),
                Some(error) => format!("{seq} {error:?} {:?}", meta.pairs()),
            }
        };
        let end = match &self.end {
            Ok(Fed::Hungry { need: 0 }) => "idle".to_owned(),
            Ok(Fed::Hungry { .. }) => "midway".to_owned(),
            end => format!("{end:?}"),
        };
        (self.replies.iter().map(short).collect(), end)
    }

    fn broken(&self) -> Option<http1::Broken> {
        match &self.end {
            Err(Broken::Http(broken)) => Some(broken.clone()),
            _ => None,
        }
    }
}

/// Feeds answers to as many calls in pieces, and then the end of the stream if `ended`.
fn feed(limits: &Limits, asked: u64, bytes: &[u8], cuts: &[usize], ended: bool) -> Seen {
    let mut wire = wire(limits);
    for seq in 0..asked {
        ask(&mut *wire, call(seq, ["A", "b"]), b"{}");
    }
    let (mut input, mut out, mut found) = (BytesMut::new(), Out::new(), Vec::new());
    let mut end = Ok(Fed::Hungry { need: 0 });
    let mut from = 0;
    for &to in cuts.iter().chain([&bytes.len()]) {
        input.extend_from_slice(&bytes[from..to]);
        from = to;
        end = wire.feed(&mut input, &mut out, &(), &mut found, usize::MAX);
        match &end {
            Ok(Fed::Hungry { need }) => assert!(*need > 0 || input.is_empty()),
            Ok(Fed::Closing) | Err(_) => break,
            Ok(fed) => panic!("{fed:?}"),
        }
    }
    if ended && matches!(end, Ok(Fed::Hungry { .. })) {
        wire.ended(&mut found);
    }
    assert!(out.is_empty(), "nobody answers an answer");
    let replies = found.into_iter().map(|event| match event {
        Event::Reply(reply) => reply,
        event => panic!("{event:?}"),
    });
    Seen { replies: replies.collect(), end }
}

/// The same must come of bytes whole, byte by byte and cut at every offset.
fn check(limits: &Limits, asked: u64, bytes: &[u8], ended: bool) -> Seen {
    let whole = feed(limits, asked, bytes, &[], ended);
    let single: Vec<usize> = (0..bytes.len()).collect();
    for cuts in (0..bytes.len()).map(|at| vec![at]).chain([single]) {
        let cut = feed(limits, asked, bytes, &cuts, ended);
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(whole.short(), cut.short(), "{text:?} cut at {cuts:?}");
    }
    whole
}

fn one(answer: &str, ended: bool) -> Seen {
    check(&Limits::default(), 1, answer.as_bytes(), ended)
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn requests() {
    let mut wire = wire(&Limits::default());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let plain = text(ask(&mut *wire, call(1, ["Arith", "Mul"]), b"{\"A\":6}"));
    let expected = "POST /Arith/Mul HTTP/1.1\r\nHost: h:1\r\nContent-Type: application/json\r\n\
        Content-Length:          7\r\n\r\n{\"A\":6}";
    assert_eq!(plain, expected);
    let meta = [
        pair("tenant", "blue"),
        pair("größe", "许多"),
        pair("a", "b\r\nEvil: yes"),
        pair("Content-Length", "0"),
        pair("X-Timeout-Ms", "1"),
    ];
    let head = CallHead {
        timeout: Some(Duration::from_micros(1500)),
        compress: Compress::Gzip,
        meta: &meta,
        ..call(1, ["a b/c", "%\r\n"])
    };
    let odd = text(ask(&mut *wire, head, b"1"));
    let expected = "POST /a%20b%2Fc/%25%0D%0A HTTP/1.1\r\nHost: h:1\r\n\
        Content-Type: application/json\r\nX-Timeout-Ms: 2\r\nAccept-Encoding: gzip\r\n\
        tenant: blue\r\nX-Meta: gr%C3%B6%C3%9Fe=%E8%AE%B8%E5%A4%9A&a=b%0D%0AEvil%3A%20yes\
        &Content-Length=0&X-Timeout-Ms=1\r\nContent-Length:          1\r\n\r\n1";
    assert_eq!(odd, expected);
    // What is worth it is compressed, and the length is that of what is sent.
    let head = CallHead { compress: Compress::Gzip, ..call(1, ["A", "b"]) };
    let folded = ask(&mut *wire, head, &[b'7'; 5000]);
    let at = folded.windows(4).position(|w| w == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8_lossy(&folded[..at]).into_owned();
    assert!(head.contains("\r\nContent-Encoding: gzip\r\nContent-Length:"), "{head}");
    assert!(head.ends_with(&format!(" {}\r\n\r\n", folded.len() - at)), "{head}");
    // A place that could end a line is left out.
    let place = Place { host: "h\r\nEvil: yes", path: None };
    let mut wire = Http.open_to(&place, &Limits::default());
    let text = text(ask(&mut *wire, call(1, ["A", "b"]), b"1"));
    assert!(text.contains("\r\nHost: \r\n") && !text.contains("Evil"), "{text}");
}

/// Metadata may come from anywhere; whatever its names are, the method is called that was meant.
#[test]
fn metadata_call_nothing() {
    let meta = [
        pair("X-RPCX-ServicePath", "Other"),
        pair("x-rpcx-servicemethod", "method"),
        pair("X-Rpcx-SerializeType", "1"),
        pair("X-JSONRPC-2.0", "true"),
        pair("x-rpcx", "no field of theirs"),
    ];
    let head = CallHead { meta: &meta, ..call(1, ["Arith", "Mul"]) };
    let asked = ask(&mut *wire(&Limits::default()), head, b"1");
    let asked = String::from_utf8(asked).expect("text");
    let packed = "\r\nx-rpcx: no field of theirs\r\nX-Meta: X-RPCX-ServicePath=Other\
        &x-rpcx-servicemethod=method&X-Rpcx-SerializeType=1&X-JSONRPC-2.0=true\r\n";
    assert!(asked.contains(packed), "{asked}");
}

#[test]
fn a_request_taken_back_wants_no_answer() {
    let mut wire = wire(&Limits::default());
    let mut out = Out::new();
    let mark = wire.begin(Head::Call(call(1, ["A", "b"])), &mut out);
    wire.abandon(mark, &mut out);
    assert!(out.is_empty());
    let mut input = BytesMut::from("HTTP/1.1 200 OK\r\n");
    let fed = wire.feed(&mut input, &mut out, &(), &mut Vec::new(), 9);
    assert_eq!(fed, Err(Broken::Http(http1::Broken::Unasked)));
}

#[test]
fn every_way_to_end_a_body() {
    let idle = "idle";
    let closing = "Ok(Closing)";
    for (answer, ended, body, end) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n42", false, "42", idle),
        ("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n42", false, "42", idle),
        ("HTTP/1.1 200 \r\ncontent-LENGTH:\t2 \r\n\r\n42", false, "42", idle),
        ("HTTP/1.1 201 Grüße\r\nContent-Length: 2\r\n\r\n42", false, "42", idle),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "null", idle),
        ("HTTP/1.1 204 No Content\r\n\r\n", false, "null", idle),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false, "null", idle),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n\
             1\r\n4\r\n1;x=y\r\n2\r\n0\r\nT: u\r\n\r\n",
            false,
            "42",
            idle,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n42",
            false,
            "42",
            closing,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x, Close\r\n\r\n42z",
            false,
            "42",
            closing,
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n42", false, "42", closing),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n42",
            false,
            "42",
            idle,
        ),
        ("HTTP/1.0 200 OK\r\n\r\n42", true, "42", "midway"),
        ("HTTP/1.1 200 OK\r\n\r\n42", true, "42", "midway"),
        ("HTTP/1.1 200 OK\r\n\r\n", true, "null", "midway"),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
             HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n42",
            false,
            "42",
            idle,
        ),
    ] {
        let seen = one(answer, ended);
        let (_, got) = seen.short();
        assert_eq!((seen.replies.len(), &*got), (1, end), "{answer:?} {seen:?}");
        let Reply { seq, error, body: got, .. } = &seen.replies[0];
        assert_eq!((*seq, error, &got[..]), (0, &None, body.as_bytes()), "{answer:?}");
    }
    // A body whose length is known does not end with the stream.
    for answer in ["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n42", "HTTP/1.1 200 OK\r\n"] {
        assert_eq!(one(answer, true).replies.len(), 0, "{answer:?}");
    }
}

#[test]
fn answers_belong_to_calls_in_order() {
    let answers = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0\
        HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\n1\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n2\r\n0\r\n\r\n";
    let seen = check(&Limits::default(), 3, answers.as_bytes(), false);
    let numbers: Vec<_> = seen.replies.iter().map(|r| (r.seq, r.error.is_some())).collect();
    assert_eq!(numbers, [(0, false), (1, true), (2, false)]);
    let seen = check(&Limits::default(), 2, answers.as_bytes(), false);
    assert_eq!((seen.replies.len(), seen.broken()), (2, Some(http1::Broken::Unasked)));
}

#[test]
fn failures() {
    let answer = |line: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {line}\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let long = "x".repeat(5000);
    let cut = format!("500 Oops: {}…", "x".repeat(200));
    let ours = r#"{"error":{"code":"deadline_exceeded","message":"größer \"so\""}}"#;
    for (answer, code, text) in [
        (answer("504 Gateway Timeout", ours), Code::DeadlineExceeded, "größer \"so\""),
        (answer("404 Not Found", ours), Code::DeadlineExceeded, "größer \"so\""),
        (answer("404 N", r#"{"error":{"message":"m"}}"#), Code::Unimplemented, "m"),
        (answer("404 N", r#"{"error":{"code":"zzz","message":"m"}}"#), Code::Unimplemented, "m"),
        (answer("404 N", r#"{"error":"m"}"#), Code::Unimplemented, r#"404 N: {"error":"m"}"#),
        (
            answer("404 Not Found", "404 page\n not\tfound\n"),
            Code::Unimplemented,
            "404 Not Found: 404 page not found",
        ),
        (answer("400 Bad Request", ""), Code::Internal, "400 Bad Request"),
        (answer("401", "{"), Code::Unauthenticated, "401: {"),
        (answer("403 Forbidden", ""), Code::PermissionDenied, "403 Forbidden"),
        (answer("429 Slow", ""), Code::Unavailable, "429 Slow"),
        (answer("502 B", ""), Code::Unavailable, "502 B"),
        (answer("503 B", ""), Code::Unavailable, "503 B"),
        (answer("301 Moved", ""), Code::Unknown, "301 Moved"),
        (answer("500 Oops", &long), Code::Unknown, &cut),
        (answer("599 \u{1F600}", "\u{7}"), Code::Unknown, "599 \u{1F600}"),
    ] {
        let seen = one(&answer, false);
        let error = seen.replies[0].error.as_ref().expect("a failure");
        assert_eq!((error.code(), error.text()), (code, text), "{answer}");
        assert_eq!((error.origin(), error.sent()), (Origin::Remote, Sent::Yes));
    }
}

#[test]
fn codings_and_metadata() {
    let answer = |fields: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n{fields}\r\n1");
    let seen = one(&answer("Content-Encoding: GZIP\r\n"), false);
    assert_eq!(
        (seen.replies[0].compress, seen.replies[0].error.is_some()),
        (Compress::Gzip, false)
    );
    for fields in
        ["Content-Encoding: br\r\n", "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n"]
    {
        let seen = one(&answer(fields), false);
        let error = seen.replies[0].error.as_ref().expect("a failure");
        assert!(error.text().contains("is not understood"), "{error}");
    }
    let meta = |fields: &str| -> Meta { one(&answer(fields), false).replies.remove(0).meta };
    let plain = meta("X-Tenant: blue\r\n");
    assert_eq!(plain.pairs(), [pair("content-length", "1"), pair("x-tenant", "blue")]);
    let packed = meta("X-Tenant: blue\r\nX-Meta: gr%C3%B6%C3%9Fe=%E8%AE%B8&a=b%0D%0A&c&=\r\n");
    assert_eq!(packed.get("größe").as_deref(), Some("许"));
    assert_eq!(packed.get("a").as_deref(), Some("b\r\n"));
    assert_eq!(packed.get("c").as_deref(), Some(""));
    assert_eq!(packed.get("x-tenant").as_deref(), Some("blue"));
    assert!(meta("X-Meta:\r\n").get("x-meta").is_none());
}

#[test]
fn nothing_is_served_by_the_clients_end() {
    assert_eq!(Http.in_flight(), Some(1));
    let mut wire = Http.open(Side::Client, &Limits::default());
    let text = ask(&mut *wire, call(1, ["A", "b"]), b"1");
    assert!(text.starts_with(b"POST /A/b HTTP/1.1\r\nHost: localhost\r\n"));
}
