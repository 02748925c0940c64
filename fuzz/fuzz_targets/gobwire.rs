//! gob read by two: what both our reader and the crate `gobwire` read must be the same, and what we
//! write it must read.

#![no_main]

use bytes::BytesMut;
use farcall::Message;
use farcall_core::{Shaped, Take};
use farcall_fuzz::{bounds, limits, wide};
use farcall_wire::gob::{Decoder, Encoder, Step, decode, encode};
use gobwire::Gob;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

#[derive(Message, Gob, Clone, Debug, Default, PartialEq)]
struct Inner {
    #[gob(name = "X")]
    #[field(name = "X")]
    x: i64,
    #[gob(name = "Y")]
    #[field(name = "Y")]
    y: String,
}

#[derive(Message, Gob, Clone, Debug, Default, PartialEq)]
struct Both {
    #[gob(name = "B")]
    #[field(name = "B")]
    b: bool,
    #[gob(name = "I8")]
    #[field(name = "I8")]
    i8: i8,
    #[gob(name = "I")]
    #[field(name = "I")]
    int: i64,
    #[gob(name = "U")]
    #[field(name = "U")]
    uint: u64,
    #[gob(name = "F")]
    #[field(name = "F")]
    float: f64,
    #[gob(name = "S")]
    #[field(name = "S")]
    text: String,
    #[gob(name = "L")]
    #[field(name = "L")]
    list: Vec<i64>,
    #[gob(name = "M")]
    #[field(name = "M")]
    map: BTreeMap<String, i64>,
    #[gob(name = "P")]
    #[field(name = "P")]
    inner: Inner,
    #[gob(name = "K")]
    #[field(name = "K")]
    kids: Vec<Inner>,
    #[gob(name = "O")]
    #[field(name = "O")]
    maybe: Option<i64>,
}

fuzz_target!(|data: &[u8]| {
    both::<Both>(data);
    both::<i64>(data);
    both::<f64>(data);
    both::<String>(data);
    both::<Vec<i64>>(data);
    both::<BTreeMap<String, i64>>(data);
    if let Some(value) = ours::<Both>(data) {
        let mut out = Vec::new();
        let mut stream = Encoder::new();
        let open = stream.begin(const { &<Both as Shaped>::SHAPE }, &mut out);
        encode(&value, wide(), &mut out).expect("what was read can be written");
        stream.end(open, &mut out);
        let read: Both = theirs(&out).expect("what we write can be read by others");
        assert_eq!(format!("{value:?}"), format!("{read:?}"));
    }
});

fn both<T>(data: &[u8])
where
    T: Take + gobwire::Decode + Default + std::fmt::Debug,
{
    if let (Some(ours), Some(theirs)) = (ours::<T>(data), theirs::<T>(data)) {
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }
}

/// The first value of a stream.
fn ours<T: Take>(data: &[u8]) -> Option<T> {
    let mut input = BytesMut::from(data);
    match Decoder::new(&limits()).next(&mut input) {
        Ok(Step::Value(body)) => decode(&body.bytes, body.lent.as_ref(), bounds()).ok(),
        _ => None,
    }
}

fn theirs<T: gobwire::Decode + Default>(data: &[u8]) -> Option<T> {
    gobwire::StreamDecoder::new(data).decode().ok().flatten()
}
