//! Raw bodies: bytes and text there and back, everything else refused.

#![no_main]

use bytes::Bytes;
use farcall_core::{Format, Str, Value};
use farcall_fuzz::{kinds, round::round};
use farcall_wire::format::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let body = Bytes::copy_from_slice(data);
    round::<Vec<u8>>(Format::Raw, &body);
    round::<Bytes>(Format::Raw, &body);
    round::<String>(Format::Raw, &body);
    round::<Str>(Format::Raw, &body);
    round::<Option<Vec<u8>>>(Format::Raw, &body);
    let bounds = farcall_fuzz::bounds();
    assert!(decode::<kinds::Kinds>(Format::Raw, &body, None, bounds).is_err());
    assert!(decode::<Value>(Format::Raw, &body, None, bounds).is_err());
    assert!(decode::<i64>(Format::Raw, &body, None, bounds).is_err());
});
