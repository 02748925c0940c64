//! JSON as Go's `encoding/json` writes and reads it.
//!
//! Every field is written, in order, unless it is marked to be left out when empty; byte slices are
//! base64, byte arrays lists of numbers, durations nanoseconds, times RFC 3339. Names are matched
//! exactly first and then without regard to case; unknown ones are skipped, and null leaves a value
//! blank. What Go has no form for: maps whose keys are not text, integers, enums or times are lists
//! of pairs, `[[key, value], …]`, and complex numbers lists of their two parts. The writer and the
//! reader are walked through `&mut dyn`, so that no code is made per type.
//!
//! More lenient than Go when reading: integers may be quoted (as other dialects write 64-bit ones),
//! enums may come by name, byte arrays as base64. Stricter: text must be UTF-8 throughout.

mod base64;
mod number;
mod params;
mod parser;
mod read;
mod time;
mod write;

use bytes::Bytes;
use farcall_core::{Bounds, Fault, Kind, Put, Shape, Sink, Source, Take, trace_fault};
use parser::Reader;
use write::Writer;

pub(crate) use number::write_uint;
pub use params::Params;
pub(crate) use params::decode_params;
pub(crate) use parser::plain_until;

/// Appends `value` to `out`. On a fault, which names the path to the field, `out` is as before.
pub fn encode<T: Put + ?Sized>(value: &T, bounds: Bounds, out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = out.len();
    let mut to = Writer::new(out, bounds);
    value.put_to(const { &T::SHAPE }, &mut to as &mut dyn Sink);
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

/// Reads a `T` from the first JSON value in `body`. What follows it is not looked at, because rpcx
/// reads with a stream decoder (rpcx wire specification §3).
pub fn decode<T: Take>(body: &Bytes, bounds: Bounds) -> Result<T, Fault> {
    let mut from = Reader::new(body, bounds)?;
    let mut value = T::blank();
    value.take_from(const { &T::SHAPE }, &mut from as &mut dyn Source)?;
    Ok(value)
}

/// Reads a `T` from the whole of `body`: for text that people typed, where anything after the value
/// is a mistake.
pub fn decode_strict<T: Take>(body: &Bytes, bounds: Bounds) -> Result<T, Fault> {
    let mut from = Reader::new(body, bounds)?;
    let mut value = T::blank();
    value.take_from(const { &T::SHAPE }, &mut from as &mut dyn Source)?;
    from.end()?;
    Ok(value)
}

/// The text that a quoted one stands for; none if it is malformed.
pub(crate) fn unquote(quoted: &[u8]) -> Option<String> {
    decode_strict(&Bytes::copy_from_slice(quoted), Bounds::default()).ok()
}

/// Whether a map of this shape is a list of pairs: the keys of an object are text.
fn paired(map: &Shape) -> bool {
    fn text(key: &Shape) -> bool {
        match key {
            Shape::One(kind, _) => {
                !matches!(kind, Kind::Bool | Kind::F32 | Kind::F64 | Kind::Bytes | Kind::Complex)
            }
            Shape::Maybe(key) => text(key),
            // What a dynamic key is, is seen when it is written.
            Shape::Enum(_) | Shape::Any => true,
            _ => false,
        }
    }
    matches!(map, Shape::Map(key, _) if !text(key))
}
