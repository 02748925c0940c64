//! Feeding a wire in pieces, and that nothing depends on how they are cut.

use crate::{Dice, memory};
use bytes::BytesMut;
use farcall_core::Routes;
use farcall_wire::{Broken, Event, Fed, Out, Wire};
use std::io::IoSlice;

/// What came of feeding.
#[derive(Debug)]
pub struct Seen {
    /// What was found, in order.
    pub events: Vec<Event>,
    /// What the wire said by itself.
    pub out: Vec<u8>,
    /// How it ended.
    pub end: Result<Fed, Broken>,
}

/// How an input is cut: whole, into single bytes, or into pieces of random lengths.
pub fn pieces(bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut dice = Dice::new(seed);
    let (mut pieces, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let most = [2, 7, 40, 300][dice.below(4)];
        let length = match seed {
            0 => rest.len(),
            1 => 1,
            _ => 1 + dice.below(most),
        };
        let (piece, after) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Feeds bytes in pieces and then their end, `most` events at a time; nothing is answered.
pub fn feed(wire: &mut dyn Wire, routes: &dyn Routes, pieces: &[&[u8]], most: usize) -> Seen {
    let (mut input, mut out) = (BytesMut::new(), Out::new());
    let mut seen = Seen { events: Vec::new(), out: Vec::new(), end: Ok(Fed::Hungry { need: 0 }) };
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            let before = (input.len(), seen.events.len());
            let fed = wire.feed(&mut input, &mut out, routes, &mut seen.events, most);
            let said = take(&mut out);
            seen.out.extend_from_slice(&said);
            assert!(seen.events.len() - before.1 <= most, "more events than were wanted");
            match fed {
                Ok(Fed::Full) => {
                    let moved = before != (input.len(), seen.events.len()) || !said.is_empty();
                    assert!(moved, "full, and nothing was found");
                }
                Ok(Fed::Became(_)) => {}
                Ok(Fed::Hungry { need }) => {
                    assert!(need > 0 || input.is_empty(), "not hungry, and input is left");
                    seen.end = Ok(Fed::Hungry { need: usize::from(need > 0) });
                    break;
                }
                end => {
                    seen.end = end;
                    return seen;
                }
            }
        }
    }
    wire.ended(&mut seen.events);
    seen
}

/// Takes all that waits.
pub fn take(out: &mut Out) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !out.is_empty() {
        let mut slices = [IoSlice::new(&[]); 64];
        let count = out.slices(&mut slices);
        let start = bytes.len();
        slices[..count].iter().for_each(|slice| bytes.extend_from_slice(slice));
        out.advance(bytes.len() - start);
    }
    bytes
}

/// Feeds bytes whole and cut: the same must come of it, within the limits.
pub fn check(
    open: &dyn Fn() -> Box<dyn Wire>,
    routes: &dyn Routes,
    bytes: &[u8],
    seed: u8,
    most: usize,
) -> Seen {
    let fed = |pieces: &[&[u8]], most| {
        let (seen, used) = memory::used(|| feed(&mut *open(), routes, pieces, most));
        // Events keep the input alive, which doubles as it grows; what was found and said is ours.
        let kept = size_of::<Event>() * seen.events.len() + seen.out.len();
        let most = 64 * 1024 + 24 * bytes.len() + 4 * kept;
        assert!(used <= most, "{used} bytes of memory in use, at most {most} are allowed");
        seen
    };
    let (whole, cut) = (fed(&[bytes], usize::MAX), fed(&pieces(bytes, seed.max(1)), most));
    let same = whole.end == cut.end && whole.out == cut.out;
    let texts = |seen: &Seen| format!("{:?}", seen.events);
    assert!(
        same && whole.events.len() == cut.events.len() && texts(&whole) == texts(&cut),
        "{:?}\nwhole: {whole:?}\ncut: {cut:?}",
        String::from_utf8_lossy(bytes)
    );
    whole
}
