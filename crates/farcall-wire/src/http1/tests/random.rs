//! Requests that nobody wrote on purpose, and heads that come slowly.

use super::kit::{answers, feed, same, wire};
use super::{chunked, post};
use crate::http1::head::{Bounds, Lines, Reader};
use farcall_core::Limits;

#[test]
fn mutations_never_panic_and_never_depend_on_cuts() {
    let limits = Limits {
        message_bytes: 64,
        name_bytes: 16,
        head_bytes: 256,
        head_fields: 8,
        ..Limits::default()
    };
    let seeds = [
        post("/Arith/Mul", "X-Timeout-Ms: 15\r\nConnection: keep-alive\r\n", "{\"A\":6}"),
        post("/a.b.C/m", "Expect: 100-continue\r\nContent-Type: text/plain\r\n", "[1,2]"),
        post("/Nope/%41", "Content-Encoding: gzip\r\nOrigin: http://h:1\r\n", ""),
        chunked("/Arith/Mul", "3\r\nabc\r\na;x=y\r\n0123456789\r\n0\r\nT: u\r\n\r\n"),
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
        "HEAD /Arith/Mul HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_owned(),
        "CONNECT /_rpcx_ HTTP/1.0\n\n".to_owned(),
        "CONNECT /_goRPC_ HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
        post("/jsonrpc", "", "[{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\"},1]"),
        post("/jsonrpc", "", "{\"method\":\"Arith.Mul\",\"params\":[1],\"id\":1}"),
        post("/Arith", "X-RPCX-ServiceMethod: Mul\r\nX-RPCX-SerializeType: 1\r\n", "1"),
        post("/", "X-JSONRPC-2.0: true\r\nX-RPCX-Meta: a=%41\r\n", "{\"id\":[]}"),
        "PUT /page?x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n1".to_owned(),
    ];
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut broken, mut calls, mut bytes) = (0, 0, Vec::new());
    for _ in 0..50_000 {
        bytes.clear();
        for _ in 0..1 + dice.below(3) {
            bytes.extend_from_slice(seeds[dice.below(seeds.len())].as_bytes());
        }
        for _ in 0..dice.below(4) {
            let at = dice.below(bytes.len());
            match dice.below(8) {
                0 => bytes[at] = dice.below(256) as u8,
                1 => bytes[at] ^= 1 << dice.below(8),
                2 => bytes[at] = b"\r\n\0 :,;\t%/0"[dice.below(11)],
                3 => drop(bytes.remove(at)),
                4 => bytes.insert(at, b"\r\n\0 :,;\t%/0"[dice.below(11)]),
                5 => bytes.truncate(at + 1),
                6 => bytes.insert(at, dice.below(256) as u8),
                _ => bytes.splice(at..at, *b"\r\n").for_each(drop),
            }
            if bytes.is_empty() {
                bytes.push(b'G');
            }
        }
        let mut cuts = [dice.below(bytes.len()), dice.below(bytes.len())];
        cuts.sort_unstable();
        let whole = feed(&mut *wire(&limits), &bytes, &[]);
        let cut = feed(&mut *wire(&limits), &bytes, &cuts);
        assert!(same(&whole, &cut), "{} cut at {cuts:?}", String::from_utf8_lossy(&bytes));
        if !bytes.starts_with(b"HEAD") && !bytes.windows(5).any(|w| w == b"HEAD ") {
            // Whatever came in, what goes out can be read.
            let tunnel = whole.out.windows(18).position(|w| w == b"HTTP/1.0 200 Conne");
            answers(&whole.out[..tunnel.unwrap_or(whole.out.len())], false);
        }
        broken += usize::from(whole.end.is_err());
        calls += whole.found.len();
    }
    assert!(broken > 10_000 && calls > 10_000, "{broken} {calls}");
}

/// A head that comes byte by byte costs what it costs at once: no byte is looked at twice.
#[test]
fn slow_heads_are_linear() {
    let fields: String = (0..100).map(|n| format!("A{n}: {}\r\n", "x".repeat(300))).collect();
    let head = post("/Arith/Mul", &fields, "");
    let mut lines = Lines::default();
    let (mut looked, mut found) = (0, 0);
    for end in 1..=head.len() {
        let before = lines.seen();
        while let Ok(Some(_)) = lines.next(&head.as_bytes()[..end], usize::MAX) {
            found += 1;
        }
        looked += lines.seen() - before;
    }
    assert_eq!((looked, found), (head.len(), 104));
    // And the whole reader agrees with itself however slowly it is fed.
    let bounds = Bounds { bytes: head.len(), fields: 128 };
    let (mut reader, mut bytes) = (Reader::default(), head.into_bytes());
    let total = bytes.len();
    for end in 1..total {
        assert!(matches!(reader.read(&mut bytes[..end], bounds), Ok(None)));
    }
    assert!(matches!(reader.read(&mut bytes, bounds), Ok(Some((_, end))) if end == total));
}

pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % bound
    }
}
