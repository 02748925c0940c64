//! Protobuf, into a message of every kind; without types it is refused.

#![no_main]

use bytes::Bytes;
use farcall_core::{Format, Value};
use farcall_fuzz::{bounds, kinds, round::round};
use farcall_wire::format::decode;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

fuzz_target!(|data: &[u8]| {
    let body = Bytes::copy_from_slice(data);
    round::<kinds::Kinds>(Format::Protobuf, &body);
    round::<kinds::Own>(Format::Protobuf, &body);
    // Nothing at all is nothing of any type.
    let value = decode::<Value>(Format::Protobuf, &body, None, bounds());
    assert!(matches!(value, Ok(Value::Null) | Err(_)), "{value:?}");
    round::<BTreeMap<String, Vec<kinds::Inner>>>(Format::Protobuf, &body);
});
