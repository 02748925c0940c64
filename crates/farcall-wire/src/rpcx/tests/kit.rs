//! What the tests of this wire share: recorded bytes, frames by hand, and feeding in pieces.

use crate::rpcx::Rpcx;
use crate::{Broken, CallHead, Event, Fed, Head, Out, Protocol, ReplyHead, Side, Wire};
use bytes::BytesMut;
use farcall_core::{Compress, Format, Found, Limits, Meta, MethodId, Routes, Ticket};
use std::{fmt::Write, io::IoSlice};

/// The bytes of a recorded vector.
pub(super) fn vector(name: &str) -> Vec<u8> {
    let lines = include_str!("../testdata/v1.9.4.txt").lines();
    let digits = lines.filter_map(|l| l.split_once(' ')).find(|(n, _)| *n == name).unwrap().1;
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A frame by hand: flags and format as the low half of the first word, then the four sections.
pub(super) fn frame(bits: u16, seq: u64, sections: [&[u8]; 4]) -> Vec<u8> {
    let body = sections.map(|s| [&(s.len() as u32).to_be_bytes(), s].concat()).concat();
    let mut bytes = vec![8, 0];
    bytes.extend_from_slice(&bits.to_be_bytes());
    bytes.extend_from_slice(&seq.to_be_bytes());
    bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
    [bytes, body].concat()
}

/// A metadata block by hand.
pub(super) fn block(pairs: &[(&str, &str)]) -> Vec<u8> {
    let texts = pairs.iter().flat_map(|(k, v)| [k, v]);
    texts.flat_map(|t| [&(t.len() as u32).to_be_bytes(), t.as_bytes()].concat()).collect()
}

pub(super) fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// The call of the first vector.
pub(super) fn call() -> CallHead<'static> {
    CallHead {
        seq: 1,
        service: "Arith",
        method: "Mul",
        format: Format::MsgPack,
        compress: Compress::None,
        oneway: false,
        timeout: None,
        meta: &[],
        shape: &<() as farcall_core::Shaped>::SHAPE,
        streams: Default::default(),
    }
}

/// A success that answers such a call.
pub(super) fn reply(ticket: &Ticket) -> ReplyHead<'_> {
    ReplyHead { ticket, service: "Arith", method: "Mul", error: None, meta: &[], shape: None }
}

/// The bytes of one frame.
pub(super) fn written(wire: &mut dyn Wire, head: Head<'_>, body: &[u8]) -> Vec<u8> {
    let mut out = Out::new();
    out.tail().push(b'-');
    let mark = wire.begin(head, &mut out);
    out.tail().extend_from_slice(body);
    wire.end(mark, &mut out);
    flat(&out)[1..].to_vec()
}

/// All that waits.
pub(super) fn flat(out: &Out) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 16];
    let count = out.slices(&mut slices);
    assert!(count < slices.len());
    slices[..count].iter().flat_map(|s| s.iter().copied()).collect()
}

/// Knows the services `Arith`, `A`, `E` and `S` with one method each.
pub(super) struct Table;

impl Routes for Table {
    fn find(&self, service: &[u8], method: &[u8]) -> Found {
        let known = match service {
            b"Arith" => &b"Mul"[..],
            b"A" | b"S" => b"m",
            b"E" => b"e",
            _ => return Found::NoService,
        };
        if method == known { Found::Method(MethodId(0)) } else { Found::NoMethod }
    }
}

/// What came of feeding.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) found: Vec<Event>,
    pub(super) out: Vec<u8>,
    pub(super) end: Result<Fed, Broken>,
}

impl Seen {
    /// The events in short.
    pub(super) fn events(&self) -> Vec<String> {
        self.found.iter().map(short).collect()
    }
}

/// Feeds bytes in pieces, cut at these offsets.
pub(super) fn feed(wire: &mut dyn Wire, bytes: &[u8], cuts: &[usize]) -> Seen {
    let (mut input, mut out, mut found) = (BytesMut::new(), Out::new(), Vec::new());
    let mut end = Ok(Fed::Hungry { need: 0 });
    let mut from = 0;
    for &to in cuts.iter().chain([&bytes.len()]) {
        input.extend_from_slice(&bytes[from..to]);
        from = to;
        end = wire.feed(&mut input, &mut out, &Table, &mut found, usize::MAX);
        match &end {
            Ok(Fed::Hungry { need }) => assert_eq!(*need == 0, input.is_empty()),
            Ok(fed) => panic!("{fed:?}: there is no most"),
            Err(_) => break,
        }
    }
    Seen { found, out: flat(&out), end }
}

/// Feeds bytes whole, byte by byte and cut at every offset: the same must come of it each time.
pub(super) fn check(side: Side, limits: &Limits, bytes: &[u8]) -> Seen {
    let whole = feed(&mut *Rpcx.open(side, limits), bytes, &[]);
    let single: Vec<usize> = (0..bytes.len()).collect();
    let cuts = (0..bytes.len()).map(|at| vec![at]).chain([single]);
    for cuts in cuts {
        let cut = feed(&mut *Rpcx.open(side, limits), bytes, &cuts);
        assert!(same(&whole, &cut), "cut at {cuts:?}: {whole:?} and {cut:?}");
    }
    whole
}

/// Whether two feedings came to the same.
pub(super) fn same(a: &Seen, b: &Seen) -> bool {
    let both = || a.found.iter().zip(&b.found);
    let events = both().all(|(a, b)| match (a, b) {
        (Event::Call(a), Event::Call(b)) => {
            (a.ticket, a.to, a.timeout, &a.body) == (b.ticket, b.to, b.timeout, &b.body)
                && same_meta(&a.meta, &b.meta)
        }
        (Event::Unknown(a), Event::Unknown(b)) => {
            (a.ticket, a.found, &a.service, &a.method) == (b.ticket, b.found, &b.service, &b.method)
        }
        (Event::Reply(a), Event::Reply(b)) => {
            (a.seq, &a.error, a.format, a.compress, &a.body)
                == (b.seq, &b.error, b.format, b.compress, &b.body)
                && same_meta(&a.meta, &b.meta)
        }
        (Event::Push(a), Event::Push(b)) => {
            (&a.service, &a.method, a.format, a.compress, &a.body)
                == (&b.service, &b.method, b.format, b.compress, &b.body)
                && same_meta(&a.meta, &b.meta)
        }
        _ => false,
    });
    events && a.found.len() == b.found.len() && a.out == b.out && a.end == b.end
}

fn same_meta(a: &Meta, b: &Meta) -> bool {
    (a.is_empty() && b.is_empty()) || a.pairs() == b.pairs()
}

fn short(event: &Event) -> String {
    let rest = |meta: &Meta, body: &[u8]| {
        let mut text = String::new();
        if !meta.is_empty() {
            write!(text, " meta={meta:?}").unwrap();
        }
        if !body.is_empty() {
            write!(text, " body={}", hex(body)).unwrap();
        }
        text
    };
    match event {
        Event::Call(call) => {
            let Ticket { seq, echo, format, compress, oneway } = call.ticket;
            let oneway = if oneway { " oneway" } else { "" };
            let rest = rest(&call.meta, &call.body);
            let to = call.to.0;
            format!("call {to} seq={seq} echo={echo:06x} {format:?} {compress:?}{oneway}{rest}")
        }
        Event::Unknown(unknown) => {
            let Ticket { seq, echo, format, compress, oneway } = unknown.ticket;
            let what = if unknown.found == Found::NoService { "service" } else { "method" };
            format!(
                "no {what} [{}.{}] seq={seq} echo={echo:06x} {format:?} {compress:?} \
                 oneway={oneway}",
                unknown.service, unknown.method
            )
        }
        Event::Request(request) => panic!("{request:?}"),
        Event::Reply(reply) => {
            let error = reply.error.as_ref().map(|e| format!(" error={e}")).unwrap_or_default();
            let rest = rest(&reply.meta, &reply.body);
            format!("reply seq={}{error} {:?} {:?}{rest}", reply.seq, reply.format, reply.compress)
        }
        Event::Push(push) => {
            let rest = rest(&push.meta, &push.body);
            let names = (&push.service, &push.method);
            format!("push [{}.{}] {:?} {:?}{rest}", names.0, names.1, push.format, push.compress)
        }
        other => panic!("{other:?}"),
    }
}
