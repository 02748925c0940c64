//! What the tests of this wire share: feeding in pieces, answering in any order, and a reader of
//! answers that knows nothing of their writer.

use crate::http1::Http;
use crate::{Broken, Event, Fed, Head, Out, Protocol, ReplyHead, ResponseHead, Side, Wire};
use bytes::BytesMut;
use farcall_core::{Cors, Found, Limits, MethodId, Routes, Status, Ticket, Way};
use std::io::IoSlice;

/// Knows `Arith.Mul`, `a.b.C.m` and `odd/name.%`, and a page at `/page`.
pub(super) struct Table;

impl Routes for Table {
    fn find(&self, service: &[u8], method: &[u8]) -> Found {
        let (number, known) = match service {
            b"Arith" => (0, &b"Mul"[..]),
            b"a.b.C" => (1, &b"m"[..]),
            b"odd/name" => (2, &b"%"[..]),
            _ => return Found::NoService,
        };
        if method == known { Found::Method(MethodId(number)) } else { Found::NoMethod }
    }

    fn way(&self, path: &[u8]) -> Way {
        if path == b"/page" { Way::Page(MethodId(9)) } else { Way::usual(path) }
    }
}

/// The same table, with CORS.
pub(super) struct Shared(pub(super) Cors);

impl Routes for Shared {
    fn find(&self, service: &[u8], method: &[u8]) -> Found {
        Table.find(service, method)
    }

    fn way(&self, path: &[u8]) -> Way {
        Table.way(path)
    }

    fn cors(&self) -> Option<&Cors> {
        Some(&self.0)
    }
}

/// All that waits.
pub(super) fn flat(out: &Out) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 256];
    let count = out.slices(&mut slices);
    assert!(count < slices.len());
    slices[..count].iter().flat_map(|s| s.iter().copied()).collect()
}

/// What came of feeding.
pub(super) struct Seen {
    pub(super) found: Vec<Event>,
    pub(super) out: Vec<u8>,
    pub(super) end: Result<Fed, Broken>,
}

impl Seen {
    /// The events in short.
    pub(super) fn events(&self) -> Vec<String> {
        let short = |event: &Event| match event {
            Event::Call(call) => {
                let Ticket { seq, compress, .. } = call.ticket;
                let body = String::from_utf8_lossy(&call.body).into_owned();
                let timeout = call.timeout.map(|t| format!(" {t:?}")).unwrap_or_default();
                format!("call {} #{seq} {compress}{timeout} {body}", call.to.0)
            }
            Event::Unknown(unknown) => {
                let what = if unknown.found == Found::NoService { "service" } else { "method" };
                let seq = unknown.ticket.seq;
                format!("no {what} #{seq} [{}] [{}]", unknown.service, unknown.method)
            }
            Event::Request(request) => {
                let (method, target) = (&request.method, &request.target);
                let body = String::from_utf8_lossy(&request.body);
                let seq = request.ticket.seq;
                format!("page {} #{seq} {method} {target} [{body}]", request.to.0)
            }
            other => panic!("{other:?}"),
        };
        self.found.iter().map(short).collect()
    }

    /// The metadata of all calls.
    pub(super) fn meta(&self) -> Vec<Vec<(String, String)>> {
        let calls = self.found.iter().filter_map(|event| match event {
            Event::Call(call) => Some(call.meta.pairs()),
            _ => None,
        });
        calls.collect()
    }
}

pub(super) fn wire(limits: &Limits) -> Box<dyn Wire> {
    Http.open(Side::Server, limits)
}

/// Feeds bytes in pieces, cut at these offsets.
pub(super) fn feed(wire: &mut dyn Wire, bytes: &[u8], cuts: &[usize]) -> Seen {
    feed_by(&Table, wire, bytes, cuts)
}

/// The same, with another table.
pub(super) fn feed_by(
    routes: &dyn Routes,
    wire: &mut dyn Wire,
    bytes: &[u8],
    cuts: &[usize],
) -> Seen {
    let (mut input, mut out, mut found) = (BytesMut::new(), Out::new(), Vec::new());
    let mut end = Ok(Fed::Hungry { need: 0 });
    let mut from = 0;
    for &to in cuts.iter().chain([&bytes.len()]) {
        input.extend_from_slice(&bytes[from..to]);
        from = to;
        end = wire.feed(&mut input, &mut out, routes, &mut found, usize::MAX);
        while let Ok(Fed::Became(_)) = end {
            end = wire.feed(&mut input, &mut out, routes, &mut found, usize::MAX);
        }
        match &end {
            Ok(Fed::Hungry { need }) => assert!(*need > 0 || input.is_empty()),
            // A tunnel stays behind what is not answered.
            Ok(Fed::Waiting) => {}
            Err(broken) if !matches!(broken, Broken::Http(_)) => break,
            Ok(Fed::Closing) | Err(_) => {
                assert!(wire.closing() && input.is_empty());
                break;
            }
            Ok(fed) => panic!("{fed:?}"),
        }
    }
    Seen { found, out: flat(&out), end }
}

/// Feeds bytes whole, byte by byte and cut at every offset: the same must come of it each time.
pub(super) fn check(limits: &Limits, bytes: &[u8]) -> Seen {
    check_by(&Table, limits, bytes)
}

/// The same, with another table.
pub(super) fn check_by(routes: &dyn Routes, limits: &Limits, bytes: &[u8]) -> Seen {
    let feed =
        |wire: &mut dyn Wire, bytes: &[u8], cuts: &[usize]| feed_by(routes, wire, bytes, cuts);
    let whole = feed(&mut *wire(limits), bytes, &[]);
    let single: Vec<usize> = (0..bytes.len()).collect();
    for cuts in (0..bytes.len()).map(|at| vec![at]).chain([single]) {
        let cut = feed(&mut *wire(limits), bytes, &cuts);
        let text = String::from_utf8_lossy(bytes);
        assert!(same(&whole, &cut), "{text:?} cut at {cuts:?}: {:?}", (whole.end, cut.end));
    }
    whole
}

/// Whether two feedings came to the same.
pub(super) fn same(a: &Seen, b: &Seen) -> bool {
    a.events() == b.events() && a.meta() == b.meta() && a.out == b.out && same_end(&a.end, &b.end)
}

/// How many more bytes a wire asks for may depend on what it knew before.
fn same_end(a: &Result<Fed, Broken>, b: &Result<Fed, Broken>) -> bool {
    match (a, b) {
        (Ok(Fed::Hungry { need: a }), Ok(Fed::Hungry { need: b })) => (*a == 0) == (*b == 0),
        (a, b) => a == b,
    }
}

/// The ticket of a call or of an unknown one.
pub(super) fn ticket(event: &Event) -> &Ticket {
    match event {
        Event::Call(call) => &call.ticket,
        Event::Unknown(unknown) => &unknown.ticket,
        Event::Request(request) => &request.ticket,
        other => panic!("{other:?}"),
    }
}

/// Answers one call.
pub(super) fn answer(
    wire: &mut dyn Wire,
    out: &mut Out,
    event: &Event,
    body: Result<&str, &Status>,
    meta: &[(String, String)],
) {
    let ticket = ticket(event);
    let (service, method) = ("Arith", "Mul");
    let error = body.err();
    let head = ReplyHead { ticket, service, method, error, meta, shape: None };
    let mark = wire.begin(Head::Reply(head), out);
    out.tail().extend_from_slice(body.unwrap_or_default().as_bytes());
    wire.end(mark, out);
}

/// Answers one request for a page.
pub(super) fn respond(
    wire: &mut dyn Wire,
    out: &mut Out,
    event: &Event,
    status: u16,
    fields: &[(String, String)],
    body: &str,
) {
    let head = ResponseHead { ticket: ticket(event), status, fields };
    let mark = wire.begin(Head::Response(head), out);
    out.tail().extend_from_slice(body.as_bytes());
    wire.end(mark, out);
}

/// An answer, as a peer reads it.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let value = fields.next().map(|(_, v)| v.as_str());
        assert!(fields.next().is_none(), "{name} twice in {self:?}");
        value
    }
}

/// Reads answers as RFC 9112 §6.3 says; `head` requests have no bodies.
pub(super) fn answers(bytes: &[u8], head: bool) -> Vec<Answer> {
    let (mut answers, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let end = rest.windows(4).position(|w| w == b"\r\n\r\n").expect("a whole head");
        let text = std::str::from_utf8(&rest[..end]).expect("text");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']), "{text:?}");
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|l| l.get(..3)).expect(first);
        let status = status.parse().expect("three digits");
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(':').expect("a colon");
            (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
        });
        let mut answer = Answer { status, fields: fields.collect(), body: String::new() };
        rest = &rest[end + 4..];
        if status >= 200 && status != 204 {
            let length = answer.field("content-length").expect("a length").parse();
            let length = if head { 0 } else { length.expect("a number") };
            answer.body = std::str::from_utf8(&rest[..length]).expect("text").to_owned();
            rest = &rest[length..];
        }
        answers.push(answer);
    }
    answers
}
