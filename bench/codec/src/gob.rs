//! gob, whose bodies are part of a stream: each is measured as a message behind others of its type.

use bytes::BytesMut;
use farcall_core::{Body, Bounds, Limits, Put, Take};
use farcall_wire::gob::{self, Decoder, Encoder, Step};
use std::hint::black_box;

fn write<T: Put>(stream: &mut Encoder, value: &T, out: &mut Vec<u8>) {
    let open = stream.begin(const { &T::SHAPE }, out);
    gob::encode(value, Bounds::default(), out).expect("encodes");
    stream.end(open, out);
    stream.commit();
}

pub(crate) fn encode<T: Put>(value: &T, run: impl FnOnce(&mut dyn FnMut(&mut Vec<u8>))) {
    let mut stream = Encoder::new();
    write(&mut stream, value, &mut Vec::new());
    run(&mut |out| write(&mut stream, black_box(value), out));
}

pub(crate) fn decode<T: Put + Take>(value: &T, run: impl FnOnce(&mut dyn FnMut() -> T)) {
    let body = cut(value);
    run(&mut || {
        let body = black_box(&body);
        gob::decode::<T>(&body.bytes, body.lent.as_ref(), Bounds::default()).expect("decodes")
    });
}

/// A value as the receiving end of a stream lends it.
fn cut<T: Put>(value: &T) -> Body {
    let mut sent = Vec::new();
    write(&mut Encoder::new(), value, &mut sent);
    match Decoder::new(&Limits::default()).next(&mut BytesMut::from(&sent[..])) {
        Ok(Step::Value(body)) => body,
        other => panic!("no value: {other:?}"),
    }
}

/// The bytes of a message, and what the first one of its type takes on top.
pub(crate) fn sizes<T: Put>(value: &T) -> (usize, usize) {
    let (mut stream, mut first, mut next) = (Encoder::new(), Vec::new(), Vec::new());
    write(&mut stream, value, &mut first);
    write(&mut stream, value, &mut next);
    (next.len(), first.len() - next.len())
}
