//! What the tests of this wire share: transcripts, feeding in pieces, and a small machine.

use crate::format::json;
use crate::jsonrpc::{V1, V2};
use crate::{Broken, Event, Fed, Head, Out, Protocol, ReplyHead, Side, Wire};
use bytes::{Bytes, BytesMut};
use farcall_core::{Bounds, Found, Limits, MethodId, Routes, Status, Ticket, Value};
use std::io::IoSlice;

/// What a client and a server said to each other.
pub(super) struct Transcript {
    pub(super) name: String,
    /// What was sent, and whether by the client.
    pub(super) steps: Vec<(bool, String)>,
}

/// Recorded from Go 1.26's `net/rpc/jsonrpc` (`json_…`, `jsonraw_…`, `jsonfake_…`) and
/// `powerman/rpc-codec` (`j2_…`).
pub(super) fn transcripts() -> Vec<Transcript> {
    let Value::List(all) = value(include_str!("../testdata/transcripts.json")) else { panic!() };
    let text = |value: &Value, key| value.get(key).and_then(Value::as_str).unwrap().to_owned();
    let step = |step: &Value| (text(step, "dir") == "c2s", text(step, "text"));
    let transcript = |one: &Value| {
        let Some(Value::List(steps)) = one.get("steps") else { panic!() };
        let steps = steps.iter().map(step).filter(|(_, text)| !text.is_empty()).collect();
        Transcript { name: text(one, "name"), steps }
    };
    all.iter().map(transcript).collect()
}

pub(super) fn value(text: &str) -> Value {
    let bounds = Bounds { depth: 1000, ..Bounds::default() };
    json::decode_strict(&Bytes::copy_from_slice(text.as_bytes()), bounds).expect(text)
}

/// The values of a stream that has one in every line, or none at all between them.
pub(super) fn values(stream: &str) -> Vec<Value> {
    let stream = stream.replace("}{", "}\n{");
    stream.lines().map(value).collect()
}

/// Knows all methods of `Arith`, `Echo`, `HelloService` and `a.b.C` whose names do not begin with
/// `No` or `Bad`.
pub(super) struct Table;

impl Routes for Table {
    fn find(&self, service: &[u8], method: &[u8]) -> Found {
        match service {
            b"Arith" | b"Echo" | b"HelloService" | b"a.b.C" => {}
            _ => return Found::NoService,
        }
        match method.starts_with(b"No") || method.starts_with(b"Bad") {
            true => Found::NoMethod,
            false => Found::Method(MethodId(0)),
        }
    }
}

/// What came of feeding.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) found: Vec<Event>,
    pub(super) out: String,
    pub(super) end: Result<Fed, Broken>,
}

impl Seen {
    /// The events in short.
    pub(super) fn events(&self) -> Vec<String> {
        self.found.iter().map(short).collect()
    }
}

pub(super) fn server(limits: &Limits) -> Box<dyn Wire> {
    V1.open(Side::Server, limits)
}

/// A client of either version.
pub(super) fn client(one: bool, limits: &Limits) -> Box<dyn Wire> {
    if one { &V1 } else { &V2 }.open(Side::Client, limits)
}

/// Feeds bytes in pieces, cut at these offsets.
pub(super) fn feed(wire: &mut dyn Wire, bytes: &[u8], cuts: &[usize]) -> Seen {
    let (mut input, mut out, mut found) = (BytesMut::new(), Out::new(), Vec::new());
    let mut end = Ok(Fed::Hungry { need: 0 });
    let mut from = 0;
    for &to in cuts.iter().chain([&bytes.len()]) {
        input.extend_from_slice(&bytes[from..to]);
        from = to;
        end = feed_all(wire, &mut input, &mut out, &mut found, usize::MAX);
        match &end {
            Ok(Fed::Hungry { need }) => assert_eq!(*need == 0, input.is_empty()),
            Ok(other) => panic!("it was fed until it was hungry, but is {other:?}"),
            Err(_) => break,
        }
    }
    Seen { found, out: flat(&out), end }
}

/// Feeds until the wire is hungry: it stops by itself when it has said much.
pub(super) fn feed_all(
    wire: &mut dyn Wire,
    input: &mut BytesMut,
    out: &mut Out,
    found: &mut Vec<Event>,
    most: usize,
) -> Result<Fed, Broken> {
    loop {
        let before = (input.len(), found.len(), out.len());
        match wire.feed(input, out, &Table, found, most) {
            Ok(Fed::Full) => assert_ne!(before, (input.len(), found.len(), out.len())),
            end => return end,
        }
    }
}

/// Feeds bytes whole, byte by byte and cut at every offset: the same must come of it each time.
pub(super) fn check(open: &dyn Fn() -> Box<dyn Wire>, bytes: &[u8]) -> Seen {
    let whole = feed(&mut *open(), bytes, &[]);
    let single: Vec<usize> = (0..bytes.len()).collect();
    for cuts in (0..bytes.len()).map(|at| vec![at]).chain([single]) {
        let cut = feed(&mut *open(), bytes, &cuts);
        assert!(same(&whole, &cut), "cut at {cuts:?}: {whole:?} and {cut:?}");
    }
    whole
}

/// Whether two feedings came to the same.
pub(super) fn same(a: &Seen, b: &Seen) -> bool {
    a.events() == b.events() && a.out == b.out && a.end == b.end
}

/// Feeds a server and answers every call at once. What it said, and how it ended.
pub(super) fn talk(
    wire: &mut dyn Wire,
    bytes: &[u8],
    mut answer: impl FnMut(&Event) -> Result<String, Status>,
) -> (String, Result<Fed, Broken>) {
    let (mut input, mut out, mut found) = (BytesMut::from(bytes), Out::new(), Vec::new());
    let mut text = String::new();
    loop {
        // A few at a time, as the machine does.
        let end = wire.feed(&mut input, &mut out, &Table, &mut found, 3);
        for event in found.drain(..) {
            reply(wire, &event, answer(&event), &mut out);
        }
        text += &flat(&out);
        out.advance(out.len());
        if end != Ok(Fed::Full) {
            return (text, end);
        }
    }
}

/// Answers a call as the machine does; of those that do not exist the wire says so.
pub(super) fn reply(
    wire: &mut dyn Wire,
    event: &Event,
    answer: Result<String, Status>,
    out: &mut Out,
) {
    let (ticket, answer) = match event {
        Event::Call(call) => (call.ticket, answer),
        Event::Unknown(unknown) => {
            let status = wire.unknown(unknown.found, &unknown.service, &unknown.method);
            (unknown.ticket, Err(status))
        }
        other => panic!("{other:?} on a server"),
    };
    if !ticket.oneway {
        answer_to(wire, &ticket, answer, out);
    }
}

pub(super) fn answer_to(
    wire: &mut dyn Wire,
    ticket: &Ticket,
    answer: Result<String, Status>,
    out: &mut Out,
) {
    let error = answer.as_ref().err();
    let head = ReplyHead { ticket, service: "S", method: "M", error, meta: &[], shape: None };
    let mark = wire.begin(Head::Reply(head), out);
    out.tail().extend_from_slice(answer.unwrap_or_default().as_bytes());
    wire.end(mark, out);
}

/// All that waits.
pub(super) fn flat(out: &Out) -> String {
    let mut slices = [IoSlice::new(&[]); 64];
    let count = out.slices(&mut slices);
    assert!(count < slices.len());
    let bytes = slices[..count].iter().flat_map(|s| s.iter().copied()).collect();
    String::from_utf8(bytes).expect("what is written is UTF-8")
}

fn short(event: &Event) -> String {
    match event {
        Event::Call(call) => {
            let oneway = if call.ticket.oneway { " oneway" } else { "" };
            let lent = call.body.lent.as_ref().and_then(|lent| lent.downcast_ref());
            let lent: crate::jsonrpc::Params = *lent.expect("calls are marked");
            format!("call {lent:?}{oneway} {}", String::from_utf8_lossy(&call.body))
        }
        Event::Unknown(unknown) => {
            let what = if unknown.found == Found::NoService { "service" } else { "method" };
            let oneway = if unknown.ticket.oneway { " oneway" } else { "" };
            format!("no {what}{oneway} [{}] [{}]", unknown.service, unknown.method)
        }
        Event::Request(request) => panic!("{request:?}"),
        Event::Reply(reply) => match &reply.error {
            Some(status) => format!("reply {} {:?}: {}", reply.seq, status.code(), status.text()),
            None => format!("reply {} {}", reply.seq, String::from_utf8_lossy(&reply.body)),
        },
        other => panic!("{other:?}"),
    }
}
