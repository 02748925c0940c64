//! Streams that nobody wrote on purpose.

use super::kit::{client, feed, same, server, talk, transcripts};
use crate::format::json;
use crate::{Event, Fed};
use bytes::Bytes;
use farcall_core::{Bounds, Limits, Status, Value, Why};

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
}

/// Requests of all kinds, and answers.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = transcripts()
        .into_iter()
        .flat_map(|transcript| transcript.steps)
        .map(|(_, text)| text.into_bytes())
        .filter(|bytes| bytes.len() < 400)
        .collect();
    seeds.sort_unstable();
    seeds.dedup();
    seeds
}

/// Ids are echoed as they came, and no number is too large for JSON.
fn is_json(line: &str) -> bool {
    let bytes = Bytes::copy_from_slice(line.as_bytes());
    match json::decode_strict::<Value>(&bytes, Bounds::default()) {
        Err(fault) => assert!(matches!(fault.why(), Why::OutOfRange { .. }), "{line}: {fault}"),
        Ok(value) => drop(value),
    }
    true
}

const TOKENS: [&[u8]; 16] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"null",
    b"\"id\":",
    b"\"jsonrpc\":\"2.0\",",
    b"-1e9",
    b"\\u00",
    b"true",
    b" ",
    b"\xff",
];

#[test]
fn mutations_never_panic_and_never_depend_on_cuts() {
    let limits = Limits {
        message_bytes: 2048,
        name_bytes: 32,
        body_depth: 5,
        batch_calls: 3,
        output_bytes: 300,
        ..Limits::default()
    };
    let seeds = seeds();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut broken, mut found, mut answered) = (0, 0, 0);
    for round in 0..50_000 {
        let mut bytes = Vec::new();
        for _ in 0..1 + dice.below(2) {
            bytes.extend_from_slice(&seeds[dice.below(seeds.len())]);
        }
        for _ in 0..1 + dice.below(3) {
            let at = dice.below(bytes.len());
            match dice.below(6) {
                0 => bytes[at] = dice.below(256) as u8,
                1 => bytes[at] ^= 1 << dice.below(8),
                2 => bytes.truncate(at + 1),
                3 => drop(bytes.remove(at)),
                4 if bytes.len() > 1 => {
                    let to = at + dice.below(bytes.len() - at);
                    let piece = bytes[at..to].to_vec();
                    bytes.splice(at..at, piece);
                }
                _ => drop(bytes.splice(at..at, TOKENS[dice.below(16)].iter().copied())),
            }
            if bytes.is_empty() {
                bytes.push(b'{');
            }
        }
        let mut cuts = [dice.below(bytes.len()), dice.below(bytes.len())];
        cuts.sort_unstable();
        let open = || match round % 3 {
            0 => client(round % 2 == 0, &limits),
            _ => server(&limits),
        };
        let whole = feed(&mut *open(), &bytes, &[]);
        let cut = feed(&mut *open(), &bytes, &cuts);
        assert!(same(&whole, &cut), "{:?} cut at {cuts:?}", String::from_utf8_lossy(&bytes));
        broken += usize::from(whole.end.is_err());
        found += whole.found.len();
        if round % 3 != 0 {
            // Whatever is said in answer is JSON, a line each.
            let fail = dice.below(2) == 0;
            let answer = |_: &Event| match fail {
                true => Err(Status::unknown("no")),
                false => Ok("[1]".to_owned()),
            };
            let (text, end) = talk(&mut *server(&limits), &bytes, answer);
            assert_eq!(end.is_err(), whole.end.is_err());
            assert!(end.is_err() || matches!(end, Ok(Fed::Hungry { .. })));
            answered += text.lines().filter(|line| is_json(line)).count();
        }
    }
    assert!(broken > 10_000 && found > 5_000 && answered > 10_000, "{broken} {found} {answered}");
}
