//! MessagePack, into a message of every kind and without types.

#![no_main]

use bytes::Bytes;
use farcall_core::{Format, Value};
use farcall_fuzz::{kinds, round::round};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

fuzz_target!(|data: &[u8]| {
    let body = Bytes::copy_from_slice(data);
    round::<kinds::Kinds>(Format::MsgPack, &body);
    round::<kinds::Own>(Format::MsgPack, &body);
    round::<Value>(Format::MsgPack, &body);
    round::<kinds::Loose>(Format::MsgPack, &body);
    round::<BTreeMap<String, Vec<kinds::Inner>>>(Format::MsgPack, &body);
});
