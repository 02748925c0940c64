//! Bytes as they are: rpcx's "SerializeNone". Arguments and results are `Vec<u8>`, `Bytes`, or text.
//!
//! Source: rpcx `codec/codec.go`, `ByteCodec`: anything but a byte slice is refused.

use bytes::Bytes;
use farcall_core::{Fault, Put, Take};

/// Appends the bytes.
pub fn encode<T: Put + ?Sized>(_value: &T, _out: &mut Vec<u8>) -> Result<(), Fault> {
    unreachable!()
}

/// Takes the whole body.
pub fn decode<T: Take>(_body: &Bytes) -> Result<T, Fault> {
    unreachable!()
}
