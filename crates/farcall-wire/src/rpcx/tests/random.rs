//! Streams that nobody wrote on purpose, and round trips of calls that nobody thought of.

use super::kit::{Table, block, feed, frame, same, vector, written};
use crate::compress::unfold;
use crate::rpcx::Rpcx;
use crate::{CallHead, Event, Fed, Head, Out, Protocol, ReplyHead, Side};
use bytes::BytesMut;
use farcall_core::{Compress, Format, Limits, Status};
use std::time::Duration;

#[test]
fn mutations_never_panic_and_never_depend_on_cuts() {
    let limits =
        Limits { message_bytes: 4096, name_bytes: 32, meta_bytes: 256, ..Limits::default() };
    let meta = block(&[("__ServerTimeout", "15"), ("__rpcx_error__", "no"), ("", "")]);
    let mut seeds: Vec<Vec<u8>> =
        ["V1", "V2", "V3", "V4", "V5", "V6", "V9"].into_iter().map(vector).collect();
    seeds.push(frame(0x0000, 9, [b"A", b"m", &meta, b"body"]));
    seeds.push(frame(0x8100, 9, [b"A", b"m", &meta, b""]));
    let mut wires = [Side::Server, Side::Client].map(|side| Rpcx.open(side, &limits));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut broken, mut whole_calls) = (0, 0);
    let mut bytes = Vec::new();
    for _ in 0..100_000 {
        bytes.clear();
        for _ in 0..1 + dice.below(2) {
            bytes.extend_from_slice(&seeds[dice.below(seeds.len())]);
        }
        for _ in 0..1 + dice.below(3) {
            let at = dice.below(bytes.len());
            match dice.below(8) {
                0 => bytes[at] = dice.below(256) as u8,
                1 => bytes[at] ^= 1 << dice.below(8),
                2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][dice.below(5)],
                3 => bytes[at] = bytes[at].wrapping_add(1),
                4 => bytes[at] = bytes[at].wrapping_sub(1),
                5 => bytes.truncate(at + 1),
                6 => bytes.insert(at, dice.below(256) as u8),
                _ => bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = 0xff),
            }
        }
        let mut cuts = [dice.below(bytes.len()), dice.below(bytes.len())];
        cuts.sort_unstable();
        let wire = &mut *wires[dice.below(2)];
        let whole = feed(wire, &bytes, &[]);
        let cut = feed(wire, &bytes, &cuts);
        assert!(same(&whole, &cut), "{bytes:02x?} cut at {cuts:?}");
        broken += usize::from(whole.end.is_err());
        whole_calls += whole.found.len();
    }
    assert!(broken > 10_000 && whole_calls > 10_000, "{broken} {whole_calls}");
}

#[test]
fn calls_and_replies_come_back_as_they_went() {
    let limits = Limits::default();
    let mut client = Rpcx.open(Side::Client, &limits);
    let mut server = Rpcx.open(Side::Server, &limits);
    let mut dice = Dice(7);
    for _ in 0..500 {
        let body = dice.body();
        let meta = dice.pairs();
        let formats =
            [Format::Raw, Format::Json, Format::Protobuf, Format::MsgPack, Format::Thrift];
        let call = CallHead {
            seq: dice.next(),
            service: "A",
            method: "m",
            format: *formats.get(dice.below(6)).unwrap_or(&Format::Other(5 + dice.below(11) as u8)),
            compress: [Compress::None, Compress::Gzip][dice.below(2)],
            oneway: dice.below(4) == 0,
            timeout: (dice.below(2) == 0).then(|| Duration::from_micros(dice.next() >> 30)),
            meta: &meta,
            shape: &<() as farcall_core::Shaped>::SHAPE,
            streams: Default::default(),
        };
        let (seq, format, oneway, timeout) = (call.seq, call.format, call.oneway, call.timeout);
        let bytes = written(&mut *client, Head::Call(call), &body);
        let found = feed(&mut *server, &bytes, &[dice.below(bytes.len())]).found;
        let [Event::Call(cut)] = &found[..] else { panic!("{found:?}") };
        let ticket = cut.ticket;
        assert_eq!((ticket.seq, ticket.format, ticket.oneway), (seq, format, oneway));
        let rounded = timeout.map(|t| Duration::from_millis(t.as_micros().div_ceil(1000) as u64));
        assert_eq!(cut.timeout, rounded.map(|t| t.max(Duration::from_millis(1))));
        assert_eq!(cut.meta.pairs()[..meta.len()], meta);
        assert_eq!(unfold(ticket.compress, cut.body.bytes.clone(), 1 << 20).unwrap(), body);

        let (body, meta) = (dice.body(), dice.pairs());
        let failure = Status::unknown(format!("failure {}", dice.next()));
        let error = (dice.below(3) == 0).then_some(&failure);
        let head = ReplyHead {
            ticket: &ticket,
            service: "A",
            method: "m",
            error,
            meta: &meta,
            shape: None,
        };
        let bytes = written(&mut *server, Head::Reply(head), &body);
        // A one-way call is not answered; its bits would not make a push of the answer either.
        let found = feed(&mut *client, &bytes, &[dice.below(bytes.len())]).found;
        let [Event::Reply(cut)] = &found[..] else { panic!("{found:?}") };
        assert_eq!((cut.seq, cut.format), (seq, format));
        let told = |s: &Status| (s.code(), s.text().to_owned());
        assert_eq!(cut.error.as_ref().map(told), error.map(told));
        assert_eq!(cut.meta.pairs()[..meta.len()], meta);
        assert_eq!(unfold(cut.compress, cut.body.bytes.clone(), 1 << 20).unwrap(), body);
    }
}

/// Many frames through one buffer, as a connection reads them.
#[test]
fn frames_share_the_buffer_they_came_in() {
    let mut wire = Rpcx.open(Side::Server, &Limits::default());
    let mut input = BytesMut::with_capacity(64 * 1024);
    let frame = frame(0, 1, [b"A", b"m", b"", &[7; 100]]);
    while input.len() + frame.len() <= input.capacity() {
        input.extend_from_slice(&frame);
    }
    let (start, end) = (input.as_ptr() as usize, input.as_ptr() as usize + input.len());
    let (mut out, mut events) = (Out::new(), Vec::new());
    let fed = wire.feed(&mut input, &mut out, &Table, &mut events, usize::MAX);
    assert_eq!(fed, Ok(Fed::Hungry { need: 0 }));
    for event in &events {
        let Event::Call(call) = event else { panic!("{event:?}") };
        let at = call.body.as_ptr() as usize;
        assert!(start <= at && at + 100 <= end, "a body was copied");
        assert!(!call.body.is_unique(), "a body has a buffer of its own");
    }
}

struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }

    fn body(&mut self) -> Vec<u8> {
        let len = [0, 1, 100, 1024, 1025, 3000][self.below(6)];
        let byte = self.next() as u8;
        vec![byte; len]
    }

    fn pairs(&mut self) -> Vec<(String, String)> {
        (0..self.below(4)).map(|n| (format!("key{n}"), "v".repeat(self.below(20)))).collect()
    }
}
