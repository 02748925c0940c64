//! Streams of gob with their definitions of types: the same values however the bytes are cut, and
//! what was read is written and read again to the same.

#![no_main]

use bytes::BytesMut;
use farcall_core::{Body, Put, Take, Value};
use farcall_fuzz::{bounds, feed, kinds, limits, memory, settings, wide};
use farcall_wire::gob::{Broken, Decoder, Encoder, Step, decode, encode};
use libfuzzer_sys::fuzz_target;
use std::{collections::BTreeMap, fmt::Debug};

fuzz_target!(|data: &[u8]| {
    let Some(([cuts], bytes)) = settings(data) else { return };
    let memory = 256 * 1024 + 32 * bytes.len();
    let (whole, broken) = memory::within(memory, || values(&[bytes]));
    let (cut, cut_broken) = memory::within(memory, || values(&feed::pieces(bytes, cuts.max(1))));
    assert!(whole == cut && broken == cut_broken, "{whole:?} {broken:?} {cut:?} {cut_broken:?}");
    let mut stream = Encoder::new();
    for body in &whole {
        round::<kinds::Args>(body, &mut stream);
        round::<kinds::Kinds>(body, &mut stream);
        round::<kinds::Own>(body, &mut stream);
        round::<BTreeMap<[i64; 2], kinds::Own>>(body, &mut stream);
        loose(body, &mut stream);
    }
});

fn values(pieces: &[&[u8]]) -> (Vec<Body>, Option<Broken>) {
    let (mut decoder, mut input, mut found) =
        (Decoder::new(&limits()), BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match decoder.next(&mut input) {
                Ok(Step::Value(body)) => found.push(body),
                Ok(Step::Need(need)) => {
                    assert!(need > 0 || input.is_empty());
                    break;
                }
                Err(broken) => return (found, Some(broken)),
            }
        }
    }
    (found, None)
}

fn read<T: Take>(body: &Body) -> Option<T> {
    let memory = 512 * 1024 + 8 * body.bytes.len();
    memory::within(memory, || decode(&body.bytes, body.lent.as_ref(), bounds()).ok())
}

/// Writes a value at the end of a stream; the stream alone, if the value could be written.
fn write<T: Put>(value: &T, stream: &mut Encoder) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let open = stream.begin(const { &T::SHAPE }, &mut out);
    if encode(value, wide(), &mut out).is_err() {
        stream.roll_back();
        return None;
    }
    stream.end(open, &mut out);
    Some(out)
}

/// A message that was read can be written, and is the same when it is read again.
fn round<T: Put + Take + Debug>(body: &Body, stream: &mut Encoder) {
    let Some(first) = read::<T>(body) else { return };
    // A stream of its own: what was told before would be missing here.
    let bytes = write(&first, &mut Encoder::new()).expect("what was read can be written");
    let again = values_wide(&bytes);
    let [again] = &again[..] else { panic!("{first:?} became {again:?}") };
    let again: T = decode(&again.bytes, again.lent.as_ref(), wide()).expect("what was written");
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
    // And on a stream that goes on, it is written or taken back.
    if write(&first, stream).is_some() {
        stream.commit();
    }
}

/// A value without a type is written, if Go has a type for it; then it can be read.
fn loose(body: &Body, stream: &mut Encoder) {
    let Some(first) = read::<Value>(body) else { return };
    let Some(bytes) = write(&first, &mut Encoder::new()) else { return };
    let again = values_wide(&bytes);
    let [again] = &again[..] else { panic!("{first:?} became {again:?}") };
    let again: Value = decode(&again.bytes, again.lent.as_ref(), wide()).expect("what was written");
    // Mixed lists and zeros change their kind once, and not again.
    if let Some(bytes) = write(&again, &mut Encoder::new()) {
        let third = values_wide(&bytes);
        let third: Value =
            decode(&third[0].bytes, third[0].lent.as_ref(), wide()).expect("what was written");
        assert_eq!(format!("{again:?}"), format!("{third:?}"));
    }
    if write(&first, stream).is_some() {
        stream.commit();
    }
}

fn values_wide(bytes: &[u8]) -> Vec<Body> {
    let limits = farcall_core::Limits::default();
    let (mut decoder, mut input, mut found) =
        (Decoder::new(&limits), BytesMut::from(bytes), Vec::new());
    while let Step::Value(body) = decoder.next(&mut input).expect("what was written can be cut") {
        found.push(body);
    }
    assert!(input.is_empty());
    found
}
