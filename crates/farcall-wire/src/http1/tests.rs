//! Requests, fed whole, byte by byte and cut at every offset; pipelines answered in any order;
//! broken ones; mutations.

mod faces;
mod heads;
mod kit;
mod memo;
mod random;
mod tunnels;

use super::Http;
use crate::{Event, Fed, Out, Protocol, Sniff, sniff};
use bytes::BytesMut;
use farcall_core::{Code, Limits, Status};
use kit::{Answer, Table, answer, answers, check, feed, flat, wire};

fn post(path: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: h:1\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
}

fn chunked(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: h:1\r\nTransfer-Encoding: Chunked\r\n\r\n{body}")
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn good_requests_become_calls() {
    let json = r#"{"A":6,"B":7}"#;
    let call = format!("call 0 #0 none {json}");
    let chunks = "3\r\n{\"A\r\n00A;x=\"y\";z\r\n\":6,\"B\":7}\r\n0;last\r\nTrailer: t\r\n\r\n";
    for (request, expected) in [
        (post("/Arith/Mul", "", json), call.as_str()),
        (format!("\r\n{}", post("/Arith/Mul", "", json)), &call),
        (post("http://h/Arith/Mul", "", json), &call),
        (post("HTTP://[::1]:80/Arith/Mul?x=y/z", "", json), &call),
        (post("/Arith/Mul?a=b", "", json), &call),
        (post("/%41rith/M%75l", "", json), &call),
        (chunked("/Arith/Mul", chunks), &call),
        (post("/Arith/Mul", "Content-Type: application/x-www-form-urlencoded\r\n", json), &call),
        (post("/Arith/Mul", "Content-Type: Application/JSON; charset=utf-8\r\n", json), &call),
        (post("/Arith/Mul", "Content-Type: application/vnd.x+json\r\n", json), &call),
        (post("/Arith/Mul", "Content-Encoding: identity\r\nUpgrade: h2c\r\n", json), &call),
        (post("/Arith/Mul", "Origin: http://h:1\r\nSec-Fetch-Site: same-origin\r\n", json), &call),
        (post("/Arith/Mul", "", ""), "call 0 #0 none null"),
        (post("/Arith/Mul", "Content-Encoding: gzip\r\n", ""), "call 0 #0 none null"),
        (chunked("/Arith/Mul", "0\r\n\r\n"), "call 0 #0 none null"),
        ("POST /Arith/Mul HTTP/1.1\r\nHost:\r\n\r\n".to_owned(), "call 0 #0 none null"),
        (post("/a.b.C/m", "", "1"), "call 1 #0 none 1"),
        (post("/odd%2Fname/%25", "", "1"), "call 2 #0 none 1"),
        (post("/Arith/Mul", "Content-Encoding: GZip\r\n", "z"), "call 0 #0 gzip z"),
        (post("/Arith/Mul", "X-Timeout-Ms: 15\r\n", "1"), "call 0 #0 none 15ms 1"),
        (post("/Arith/Mul", "X-Timeout-Ms: 0\r\n", "1"), "call 0 #0 none 0ns 1"),
        (post("/Arith/Nope", "", "1"), "no method #0 [Arith] [Nope]"),
        (post("/Nope/Mul", "", "1"), "no service #0 [Nope] [Mul]"),
        (post("/%00%ff/..", "", "1"), "no service #0 [\0\u{fffd}] [..]"),
        (post("//Mul", "", "1"), "no service #0 [] [Mul]"),
        (post("/arith/Mul", "", "1"), "no service #0 [arith] [Mul]"),
    ] {
        let seen = check(&Limits::default(), request.as_bytes());
        assert_eq!(seen.events(), [expected], "{request}");
        assert_eq!(seen.end, Ok(Fed::Hungry { need: 0 }), "{request}");
        assert_eq!(seen.out, b"", "{request}");
    }
}

#[test]
fn fields_are_metadata() {
    let fields =
        "X-Tenant:  blue green\t\r\nAuthorization: Bearer t\r\nX-Empty:\r\nX-L: \u{fc}\r\n";
    let seen = check(&Limits::default(), post("/Arith/Mul", fields, "1").as_bytes());
    let expected = [
        pair("host", "h:1"),
        pair("x-tenant", "blue green"),
        pair("authorization", "Bearer t"),
        pair("x-empty", ""),
        pair("x-l", "\u{fc}"),
        pair("content-length", "1"),
    ];
    assert_eq!(seen.meta(), [expected]);
    let [Event::Call(call)] = &seen.found[..] else { panic!() };
    assert_eq!(call.meta.get("x-tenant").as_deref(), Some("blue green"));
}

#[test]
fn what_calls_nothing_is_answered_at_once() {
    let get = |method: &str, path: &str| format!("{method} {path} HTTP/1.1\r\nHost: h:1\r\n\r\n");
    let with = |fields: &str| post("/Arith/Mul", fields, "{}");
    let long = format!("/Arith/{}", "m".repeat(1025));
    for (request, status, text) in [
        (get("GET", "/Arith/Mul"), 405, "by POST"),
        (get("PUT", "/Arith/Mul"), 405, "by POST"),
        (get("DELETE", "/Arith/Mul"), 405, "by POST"),
        (get("TRACE", "/Arith/Mul"), 405, "by POST"),
        (get("OPTIONS", "/Arith/Mul"), 405, "by POST"),
        (get("PATCH", "/"), 404, "nothing is here"),
        (get("GET", "/jsonrpc"), 405, "JSON-RPC is called by POST"),
        (get("OPTIONS", "*"), 404, "nothing is here"),
        (get("GET", "/Arith/Nope"), 404, "no such service or method"),
        (post("/", "", "{}"), 404, "nothing is here"),
        (post("/Arith", "", "{}"), 404, "nothing is here"),
        (post("/Arith/Mul/", "", "{}"), 404, "nothing is here"),
        (post("/./Arith/Mul", "", "{}"), 404, "nothing is here"),
        (post("/x/../Arith/Mul", "", "{}"), 404, "nothing is here"),
        (post("//Arith/Mul", "", "{}"), 404, "nothing is here"),
        (post("/Arith%2FMul", "", "{}"), 404, "nothing is here"),
        (post(&long, "", "{}"), 414, "Limits::name_bytes"),
        (with("Content-Type: multipart/form-data; boundary=x\r\n"), 415, "`multipart/form-data;"),
        (with("Content-Type: application/grpc+json\r\n"), 415, "is not JSON"),
        (with("Content-Type: application/json\r\nContent-Type: text/xml\r\n"), 415, "`text/xml`"),
        (with("Content-Encoding: br\r\n"), 415, "`br`"),
        (with("Content-Encoding: gzip, gzip\r\n"), 415, "plain or as gzip"),
        (with("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n"), 415, "plain or as gzip"),
        (with("X-Timeout-Ms: soon\r\n"), 400, "X-Timeout-Ms"),
        (with("X-Timeout-Ms: -1\r\n"), 400, "X-Timeout-Ms"),
        (with("Origin: http://evil\r\n"), 403, "another origin"),
        (with("Origin: null\r\n"), 403, "another origin"),
        (with("Origin: https://h:1.evil\r\n"), 403, "another origin"),
        (with("Sec-Fetch-Site: cross-site\r\n"), 403, "another origin"),
        (with("Sec-Fetch-Site: same-site\r\n"), 403, "another origin"),
    ] {
        // The connection goes on, body or not.
        let twice = [request.as_str(), &post("/Arith/Mul", "", "1")].concat();
        let seen = check(&Limits::default(), twice.as_bytes());
        assert_eq!(seen.events(), ["call 0 #1 none 1"], "{request}");
        let answers = answers(&seen.out, false);
        let [answer] = &answers[..] else { panic!("{request}: {answers:?}") };
        assert_eq!((answer.status, answer.field("connection")), (status, None), "{request}");
        assert!(answer.body.contains(text), "{request}: {answer:?}");
        assert_eq!(answer.field("allow").is_some(), status == 405, "{request}");
        assert_eq!(answer.field("content-type"), Some("application/json"));
    }
}

#[test]
fn connections_stay_or_close() {
    for (version, fields, says) in [
        ("1.1", "", None),
        ("1.1", "Connection: keep-alive\r\n", None),
        ("1.1", "Connection: close\r\n", Some("close")),
        ("1.1", "Connection: Upgrade, CLOSE\r\n", Some("close")),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", Some("close")),
        ("1.0", "", Some("close")),
        ("1.0", "Connection: keep-alive\r\n", Some("keep-alive")),
        ("1.0", "Connection: Keep-Alive, close\r\n", Some("close")),
    ] {
        for path in ["/Arith/Mul", "/Arith/Nope", "/"] {
            let request = format!("POST {path} HTTP/{version}\r\nHost: h\r\n{fields}\r\n");
            let bytes = [request.as_bytes(), post("/Arith/Mul", "", "1").as_bytes()].concat();
            let closes = says == Some("close");
            let seen = check(&Limits::default(), &bytes);
            assert_eq!(seen.end == Ok(Fed::Closing), closes, "{request}");
            assert_eq!(seen.found.len(), usize::from(!closes) + usize::from(path != "/"));
            let mut wire = wire(&Limits::default());
            let seen = feed(&mut *wire, &bytes, &[]);
            let mut out = Out::new();
            out.tail().extend_from_slice(&seen.out);
            seen.found.iter().for_each(|e| answer(&mut *wire, &mut out, e, Ok("1"), &[]));
            assert_eq!(answers(&flat(&out), false)[0].field("connection"), says, "{request}");
        }
    }
}

#[test]
fn a_body_is_asked_for_in_its_turn() {
    let expects = post("/Arith/Mul", "Expect: 100-Continue\r\n", "1");
    let seen = check(&Limits::default(), expects.as_bytes());
    assert_eq!(seen.events(), ["call 0 #0 none 1"]);
    assert_eq!(seen.out, b"HTTP/1.1 100 Continue\r\n\r\n");
    // Nobody waits where there is no body, nor in HTTP/1.0.
    let none = post("/Arith/Mul", "Expect: 100-continue\r\n", "");
    assert_eq!(check(&Limits::default(), none.as_bytes()).out, b"");
    let old = expects.replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(check(&Limits::default(), old.as_bytes()).out, b"");
    // A body that nobody wants is not asked for; what follows is not read.
    let unwanted = post("/", "Expect: 100-continue\r\n", &post("/Arith/Mul", "", "1"));
    let seen = check(&Limits::default(), unwanted.as_bytes());
    assert_eq!((seen.found.len(), seen.end), (0, Ok(Fed::Closing)));
    assert_eq!(answers(&seen.out, false)[0].status, 404);
    // Behind a call that is not answered yet, the word comes after that answer.
    let mut wire = wire(&Limits::default());
    let head = &expects[..expects.len() - 1];
    let seen = feed(&mut *wire, [&post("/Arith/Mul", "", "0"), head].concat().as_bytes(), &[]);
    assert_eq!((seen.found.len(), seen.out), (1, vec![]));
    let mut out = Out::new();
    answer(&mut *wire, &mut out, &seen.found[0], Ok("first"), &[]);
    let statuses: Vec<_> = answers(&flat(&out), false).iter().map(|a| a.status).collect();
    assert_eq!(statuses, [200, 100]);
}

/// Calls, unknown ones, refusals and pages, answered first to last, last to first and mixed.
#[test]
fn pipelines_are_answered_in_order() {
    let list = "GET /page HTTP/1.1\r\nHost: h\r\n\r\n".to_owned();
    let long = format!("\"{}\"", "x".repeat(10_000));
    let mut requests = Vec::new();
    for n in 0..6 {
        requests.push(post("/Arith/Mul", "", &format!("{n}")));
        requests.push(post("/Arith/Mul", "", &long));
        requests.push(post("/Nope/Mul", "", "1"));
        requests.push(list.clone());
        requests.push(post("/Arith", "", "1"));
    }
    requests.push("POST / HTTP/1.1\r\nHost\r\n\r\n".to_owned());
    let bytes = requests.concat();
    let mut first: Option<Vec<Answer>> = None;
    for step in [1, 17, 7, 5, 11, 13] {
        let mut wire = wire(&Limits::default());
        let seen = feed(&mut *wire, bytes.as_bytes(), &[bytes.len() / 2]);
        assert!(seen.end.is_err() && wire.closing() && seen.out.is_empty());
        let mut out = Out::new();
        let count = seen.found.len();
        for n in 0..count {
            let event = &seen.found[(count - 1 + n * step) % count];
            let status = wire.unknown(farcall_core::Found::NoService, "Nope", "Mul");
            match event {
                Event::Call(call) => {
                    let body = String::from_utf8_lossy(&call.body).into_owned();
                    answer(&mut *wire, &mut out, event, Ok(&body), &[]);
                }
                Event::Request(_) => kit::respond(&mut *wire, &mut out, event, 200, &[], "a page"),
                _ => answer(&mut *wire, &mut out, event, Err(&status), &[]),
            }
        }
        let answers = answers(&flat(&out), false);
        let statuses: Vec<_> = answers.iter().map(|a| a.status).collect();
        let mut expected = [200, 200, 404, 200, 404].repeat(6);
        expected.push(400);
        assert_eq!(statuses, expected, "step {step}");
        for n in 0..6 {
            assert_eq!(answers[n * 5].body, n.to_string());
            assert_eq!(answers[n * 5 + 1].body, long);
        }
        assert_eq!(first.get_or_insert_with(|| answers.iter().map(copy).collect()), &answers);
    }
}

fn copy(answer: &Answer) -> Answer {
    let Answer { status, fields, body } = answer;
    Answer { status: *status, fields: fields.clone(), body: body.clone() }
}

#[test]
fn failures_have_the_status_of_their_code() {
    use Code::*;
    for (code, status, name) in [
        (Cancelled, 499, "cancelled"),
        (Unknown, 500, "unknown"),
        (InvalidArgument, 400, "invalid_argument"),
        (DeadlineExceeded, 504, "deadline_exceeded"),
        (NotFound, 404, "not_found"),
        (AlreadyExists, 409, "already_exists"),
        (PermissionDenied, 403, "permission_denied"),
        (ResourceExhausted, 429, "resource_exhausted"),
        (FailedPrecondition, 400, "failed_precondition"),
        (Aborted, 409, "aborted"),
        (OutOfRange, 400, "out_of_range"),
        (Unimplemented, 501, "unimplemented"),
        (Internal, 500, "internal"),
        (Unavailable, 503, "unavailable"),
        (DataLoss, 500, "data_loss"),
        (Unauthenticated, 401, "unauthenticated"),
    ] {
        let mut wire = wire(&Limits::default());
        let seen = feed(&mut *wire, post("/Arith/Mul", "", "1").as_bytes(), &[]);
        let mut out = Out::new();
        let failure = Status::new(code, "no \"way\"\r\n\u{0}\u{2028}");
        answer(&mut *wire, &mut out, &seen.found[0], Err(&failure), &[]);
        let [answer] = &answers(&flat(&out), false)[..] else { panic!() };
        assert_eq!((answer.status, answer.field("connection")), (status, None));
        let start =
            format!("{{\"error\":{{\"code\":\"{name}\",\"message\":\"no \\\"way\\\"\\r\\n\\u0000");
        assert!(answer.body.starts_with(&start), "{}", answer.body);
    }
}

/// No metadata can end a line, begin an answer, or say where this one ends.
#[test]
fn metadata_cannot_split_an_answer() {
    let split = "x\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n";
    let meta = [
        pair("plain", "a value, with \"signs\" = %41"),
        pair("evil", split),
        pair(split, "v"),
        pair("lf", "a\nb"),
        pair("nul", "a\0b"),
        pair("größe", "1"),
        pair("text", "许多"),
        pair("", "empty"),
        pair("a b", "1"),
        pair("a:", "1"),
        pair("Content-Length", "0"),
        pair("content-length", "99"),
        pair("Transfer-Encoding", "chunked"),
        pair("CONNECTION", "close"),
        pair("Content-Type", "text/html"),
        pair("Proxy-Authenticate", "x"),
        pair("x-meta", "forged"),
        pair("spaces", " x "),
        pair("empty", ""),
    ];
    for failure in [None, Some(Status::internal("no"))] {
        let mut wire = wire(&Limits::default());
        let seen = feed(&mut *wire, post("/Arith/Mul", "", "1").as_bytes(), &[]);
        let mut out = Out::new();
        let body = failure.as_ref().map_or(Ok("[1]"), Err);
        answer(&mut *wire, &mut out, &seen.found[0], body, &meta);
        let [answer] = &answers(&flat(&out), false)[..] else { panic!("{:?}", flat(&out)) };
        let names: Vec<_> = answer.fields.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["Content-Type", "plain", "empty", "X-Meta", "Content-Length"]);
        assert_eq!(answer.field("plain"), Some("a value, with \"signs\" = %41"));
        assert_eq!(answer.field("content-type"), Some("application/json"));
        let packed = answer.field("x-meta").unwrap();
        for part in ["lf=a%0Ab&", "&gr%C3%B6%C3%9Fe=1&", "&=empty&", "&content-length=99&"] {
            assert!(packed.contains(part), "{packed}");
        }
    }
}

#[test]
fn abandoned_answers_leave_no_trace() {
    let mut wire = wire(&Limits::default());
    let two = post("/Arith/Mul", "", "1").repeat(2);
    let seen = feed(&mut *wire, two.as_bytes(), &[]);
    let mut out = Out::new();
    for event in seen.found.iter().rev() {
        let ticket = kit::ticket(event);
        let (service, method) = ("Arith", "Mul");
        let head =
            crate::ReplyHead { ticket, service, method, error: None, meta: &[], shape: None };
        let mark = wire.begin(crate::Head::Reply(head), &mut out);
        out.tail().extend_from_slice(b"half a bo");
        wire.abandon(mark, &mut out);
        assert!(out.is_empty());
        answer(&mut *wire, &mut out, event, Err(&Status::internal("x")), &[]);
    }
    assert_eq!(answers(&flat(&out), false).len(), 2);
}

/// As many requests as may be open, as many events as asked for, and no more output than allowed.
#[test]
fn what_is_open_is_bounded() {
    let limits = Limits { calls_per_connection: 3, output_bytes: 1000, ..Limits::default() };
    let mut wire = wire(&limits);
    let requests = post("/Arith/Mul", "", "1").repeat(5);
    let (mut input, mut out) = (BytesMut::from(requests.as_bytes()), Out::new());
    let mut events = Vec::new();
    for (most, expected, fed) in [(1, 1, Fed::Full), (1, 2, Fed::Full), (9, 3, Fed::Waiting)] {
        assert_eq!(wire.feed(&mut input, &mut out, &Table, &mut events, most), Ok(fed));
        assert_eq!(events.len(), expected);
    }
    // The second is answered, and waits: no room yet. Then the first, and both leave.
    for (index, fed) in [(1, Fed::Waiting), (0, Fed::Hungry { need: 0 })] {
        answer(&mut *wire, &mut out, &events[index], Ok("1"), &[]);
        assert_eq!(wire.feed(&mut input, &mut out, &Table, &mut events, 9), Ok(fed));
    }
    assert_eq!((events.len(), answers(&flat(&out), false).len()), (5, 2));
    // Answers of the wire's own stop when the output is full.
    let mut wire = kit::wire(&limits);
    let pages = "GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(1000);
    let (mut input, mut out) = (BytesMut::from(pages.as_bytes()), Out::new());
    assert_eq!(wire.feed(&mut input, &mut out, &Table, &mut events, 999), Ok(Fed::Full));
    assert!(out.len() < 2000, "{}", out.len());
    // Behind an open call they are parked, and bounded there.
    let mut wire = kit::wire(&Limits { calls_per_connection: 999, ..limits });
    let behind = [&post("/Arith/Mul", "", "1"), &*pages].concat();
    let (mut input, mut out, mut events) = (BytesMut::from(&*behind), Out::new(), Vec::new());
    let fed = wire.feed(&mut input, &mut out, &Table, &mut events, 999);
    assert_eq!((fed, events.len(), out.len()), (Ok(Fed::Waiting), 1, 0));
    answer(&mut *wire, &mut out, &events[0], Ok("1"), &[]);
    assert!(out.len() < 2000, "{}", out.len());
}

#[test]
fn methods_are_told_by_their_first_bytes() {
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"] {
        let line = format!("{method} / HTTP/1.1\r\n");
        for cut in 0..line.len() {
            let expected = if cut > method.len() { Sniff::Yes } else { Sniff::More };
            assert_eq!(Http.sniff(&line.as_bytes()[..cut]), expected, "{:?}", &line[..cut]);
        }
        let other = format!("{method}\t/");
        assert_eq!(Http.sniff(other.as_bytes()), Sniff::No);
    }
    for first in ["get /", "PRI * HTTP/2.0", "PROXY TCP4", "\r\nGET /", " GET /", "{", "\x08", "S"]
    {
        assert_eq!(Http.sniff(first.as_bytes()), Sniff::No, "{first:?}");
    }
    // Every beginning of two bytes has at most one owner, and keeps it.
    for pair in 0..=u16::MAX {
        let pair = pair.to_be_bytes();
        let said = sniff::PROTOCOLS.iter().filter(|p| p.sniff(&pair) != Sniff::No);
        assert!(said.count() <= 1, "{pair:02x?}");
    }
}
