//! JSON, into a message of every kind and without types.

#![no_main]

use bytes::Bytes;
use farcall_core::{Format, Value};
use farcall_fuzz::{
    kinds::{Inner, Kinds, Loose, Own},
    round::{plain, round, round_with},
};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

fuzz_target!(|data: &[u8]| {
    let body = Bytes::copy_from_slice(data);
    round::<Kinds>(Format::Json, &body);
    round::<Own>(Format::Json, &body);
    round::<BTreeMap<[i64; 2], Own>>(Format::Json, &body);
    round::<BTreeMap<String, Vec<Inner>>>(Format::Json, &body);
    round_with::<Value>(Format::Json, &body, plain);
    round_with::<Loose>(Format::Json, &body, plain_loose);
});

fn plain_loose(loose: &mut Loose) {
    plain(&mut loose.any);
    loose.list.iter_mut().for_each(plain);
    if let Some(next) = &mut loose.next {
        plain_loose(next);
    }
}
