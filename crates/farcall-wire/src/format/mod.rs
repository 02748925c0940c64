//! How bodies are written and read: one sink and one source per format.
//!
//! Protobuf and MessagePack are monomorphised per type; JSON goes through `&mut dyn`, where it
//! costs nothing measurable and keeps binaries small.

use crate::gob;
use bytes::Bytes;
use farcall_core::{Bounds, Fault, Format, Lent, Put, Take, Why};

pub mod json;
pub mod msgpack;
pub mod protobuf;
pub mod raw;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod utf8;

/// Appends `value` to `out`. On a fault, which names the path to the field, `out` is as before.
pub fn encode<T: Put + ?Sized>(
    format: Format,
    value: &T,
    bounds: Bounds,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    match format {
        Format::Protobuf => protobuf::encode(value, bounds, out),
        Format::MsgPack => msgpack::encode(value, bounds, out),
        Format::Json => json::encode(value, bounds, out),
        Format::Raw => raw::encode(value, out),
        Format::Gob => gob::encode(value, bounds, out),
        other => Err(Fault::new(unknown(other))),
    }
}

/// Reads a `T` from the whole of `body`; `lent` is what the wire lent with it.
pub fn decode<T: Take>(
    format: Format,
    body: &Bytes,
    lent: Option<&Lent>,
    bounds: Bounds,
) -> Result<T, Fault> {
    match format {
        Format::Protobuf => protobuf::decode(body, bounds),
        Format::MsgPack => msgpack::decode(body, bounds),
        Format::Json => match lent.and_then(|lent| lent.downcast_ref()) {
            Some(params) => json::decode_params(body, *params, bounds),
            None => json::decode(body, bounds),
        },
        Format::Raw => raw::decode(body),
        Format::Gob => gob::decode(body, lent, bounds),
        other => Err(Fault::new(unknown(other))),
    }
}

/// Shorter slices of a frame are copied: twenty bytes must not keep alive the block they came in.
const SHARE_FROM: usize = 256;

/// Bytes at a place in the frame: shared if they are long, copied if they are short.
pub(crate) fn share(frame: &Bytes, start: usize, end: usize) -> Bytes {
    if end - start < SHARE_FROM {
        Bytes::copy_from_slice(&frame[start..end])
    } else {
        frame.slice(start..end)
    }
}

/// Whether `bytes` begin with `key`, the ready-made key of the expected field. Keys are short: two
/// words that may overlap cover most, where a call to compare memory costs more than the
/// comparison.
#[inline(always)]
fn begins_with(bytes: &[u8], key: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..key.len()) else { return false };
    match key.len() {
        8..=16 => {
            bytes.first_chunk::<8>() == key.first_chunk::<8>()
                && bytes.last_chunk::<8>() == key.last_chunk::<8>()
        }
        4..8 => {
            bytes.first_chunk::<4>() == key.first_chunk::<4>()
                && bytes.last_chunk::<4>() == key.last_chunk::<4>()
        }
        _ => bytes == key,
    }
}

fn unknown(format: Format) -> Why {
    match format {
        Format::Thrift => Why::Unsupported { format: "thrift", what: "bodies in this version" },
        _ => Why::Unsupported { format: "this peer's number", what: "a body: no codec for it" },
    }
}
