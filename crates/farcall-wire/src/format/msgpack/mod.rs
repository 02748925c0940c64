//! MessagePack as Go's `vmihailenco/msgpack` v5 writes it, which is rpcx's default: a struct is a
//! map from field names to values.
//!
//! Source: the MessagePack specification, and the rpcx wire specification §3.1. Written here are
//! the shortest forms of integers, where Go writes sized integers at full width; its reader takes
//! any. Read is what Go's reader takes: nil for everything, str and bin for one another, integers
//! for floats, a struct as an array of all its fields; bytes after the value are not looked at.

mod parser;
mod read;
mod write;

use bytes::Bytes;
use farcall_core::{Bounds, Fault, Put, Take, Why, trace_fault};
use parser::Reader;
use write::Writer;

/// Appends `value` to `out`. On a fault, which names the path to the field, `out` is as before.
pub fn encode<T: Put + ?Sized>(value: &T, bounds: Bounds, out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = out.len();
    let mut to = Writer::new(out, bounds);
    value.put_to(const { &T::SHAPE }, &mut to);
    match to.finish() {
        Ok(()) => Ok(()),
        Err(fault) => {
            out.truncate(start);
            let mut scratch = Vec::new();
            let mut fresh = Writer::new(&mut scratch, bounds);
            Err(trace_fault(value, const { &T::SHAPE }, &mut fresh, fault))
        }
    }
}

/// Reads a `T` from the first value in `body`.
pub fn decode<T: Take>(body: &Bytes, bounds: Bounds) -> Result<T, Fault> {
    if body.is_empty() {
        return Err(Fault::at(Why::CutShort, 0));
    }
    let mut value = T::blank();
    value.take_from(const { &T::SHAPE }, &mut Reader::new(body, bounds))?;
    Ok(value)
}

/// The first bytes of values (MessagePack specification, "Formats").
mod marker {
    pub(super) const FIX_MAP: u8 = 0x80;
    pub(super) const FIX_ARRAY: u8 = 0x90;
    pub(super) const FIX_STR: u8 = 0xa0;
    pub(super) const FIX_STR_LAST: u8 = 0xbf;
    pub(super) const NIL: u8 = 0xc0;
    pub(super) const UNUSED: u8 = 0xc1;
    pub(super) const FALSE: u8 = 0xc2;
    pub(super) const TRUE: u8 = 0xc3;
    pub(super) const BIN_8: u8 = 0xc4;
    pub(super) const BIN_16: u8 = 0xc5;
    pub(super) const BIN_32: u8 = 0xc6;
    pub(super) const EXT_8: u8 = 0xc7;
    pub(super) const EXT_16: u8 = 0xc8;
    pub(super) const EXT_32: u8 = 0xc9;
    pub(super) const FLOAT_32: u8 = 0xca;
    pub(super) const FLOAT_64: u8 = 0xcb;
    pub(super) const UINT_8: u8 = 0xcc;
    pub(super) const UINT_16: u8 = 0xcd;
    pub(super) const UINT_32: u8 = 0xce;
    pub(super) const UINT_64: u8 = 0xcf;
    pub(super) const INT_8: u8 = 0xd0;
    pub(super) const INT_16: u8 = 0xd1;
    pub(super) const INT_32: u8 = 0xd2;
    pub(super) const INT_64: u8 = 0xd3;
    pub(super) const FIX_EXT_1: u8 = 0xd4;
    pub(super) const FIX_EXT_4: u8 = 0xd6;
    pub(super) const FIX_EXT_8: u8 = 0xd7;
    pub(super) const FIX_EXT_16: u8 = 0xd8;
    pub(super) const STR_8: u8 = 0xd9;
    pub(super) const STR_16: u8 = 0xda;
    pub(super) const STR_32: u8 = 0xdb;
    pub(super) const ARRAY_16: u8 = 0xdc;
    pub(super) const ARRAY_32: u8 = 0xdd;
    pub(super) const MAP_16: u8 = 0xde;
    pub(super) const MAP_32: u8 = 0xdf;
    pub(super) const NEGATIVE: u8 = 0xe0;
    /// The extension type of timestamps, -1.
    pub(super) const TIMESTAMP: u8 = 0xff;
}
