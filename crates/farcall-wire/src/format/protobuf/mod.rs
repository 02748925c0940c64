//! Protobuf (proto3), as the official implementations write it.
//!
//! Source: "Protocol Buffers: Encoding" at protobuf.dev. A message is written bare; anything else
//! that stands at the root is wrapped in a message with one field, number 1, which for scalars is
//! the layout of `google.protobuf.Int64Value` and its siblings. Points in time and lengths of time
//! are `google.protobuf.Timestamp` and `google.protobuf.Duration`, complex numbers a message of two
//! doubles, numbers 1 and 2, and maps whose keys no `map` can have a repeated message of a key,
//! number 1, and a value, number 2.
//!
//! What protobuf cannot tell apart: an absent map, or list of anything but numbers, from an empty
//! one; and at the root an absent message from a blank one. They are read as absent where the type
//! is an `Option`.

mod parser;
mod read;
mod write;

use bytes::Bytes;
use farcall_core::{
    At, Bounds, Fault, Kind, Put, Shape, Shaped, Sink, Source, Take, Why, trace_fault,
};
use parser::Reader;
use write::Writer;

/// The name in faults.
const FORMAT: &str = "protobuf";

/// The keys of the parts of a complex number: 1 and 2, eight bytes each.
const PART_RE: u8 = 1 << 3 | 1;
const PART_IM: u8 = 2 << 3 | 1;

/// Appends `value` to `out`. On a fault, which names the path to the field, `out` is as before.
pub fn encode<T: Put + ?Sized>(value: &T, bounds: Bounds, out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = out.len();
    let mut to = Writer::new(out, bounds);
    if const { bare(&T::SHAPE) } {
        value.put_to(const { &T::SHAPE }, &mut to);
    } else if let Some(at) = open_root(value, &mut to) {
        value.put_to(const { &T::SHAPE }, &mut to);
        to.close(at);
    }
    match to.finish() {
        Ok(()) => Ok(()),
        Err(fault) => {
            out.truncate(start);
            Err(explain(value, bounds, fault))
        }
    }
}

/// Reads a `T` from the whole of `body`.
pub fn decode<T: Take>(body: &Bytes, bounds: Bounds) -> Result<T, Fault> {
    let mut value = T::blank();
    let mut from = Reader::new(body, bounds);
    if const { bare(&T::SHAPE) } {
        value.take_from(const { &T::SHAPE }, &mut from)?;
    } else {
        let mut at = from.open(T::ROOT)?;
        while from.field(&mut at, T::ROOT)? == 0 {
            value.take_from(const { &T::SHAPE }, &mut from)?;
        }
    }
    Ok(value)
}

/// Whether a value of this shape is a message already and needs no wrapper.
const fn bare(shape: &Shape) -> bool {
    matches!(shape, Shape::Message(_) | Shape::Maybe(Shape::Message(_)))
}

/// Opens the wrapper and its one field. `None`: the value is left out, or refused.
fn open_root<T: Put + ?Sized>(value: &T, to: &mut Writer<'_>) -> Option<At> {
    if let Shape::Any | Shape::Maybe(Shape::Any) = <T as Shaped>::SHAPE {
        to.fail(Fault::new(Why::no_dynamic(FORMAT)));
        return None;
    }
    let mut at = to.open(T::ROOT)?;
    to.field(&mut at, T::ROOT, 0, value.is_blank()).then_some(at)
}

/// Adds the path to the field, by walking the value again.
#[cold]
fn explain<T: Put + ?Sized>(value: &T, bounds: Bounds, fault: Fault) -> Fault {
    let mut scratch = Vec::new();
    let mut fresh = Writer::new(&mut scratch, bounds);
    if !bare(&T::SHAPE) && open_root(value, &mut fresh).is_none() {
        return fault;
    }
    trace_fault(value, const { &T::SHAPE }, &mut fresh, fault)
}

/// Why this cannot be an item of a repeated field that is not packed, or the value of a map.
#[inline(always)]
const fn refused_item(item: &Shape) -> Option<&'static str> {
    match item {
        Shape::One(..) | Shape::Enum(_) | Shape::Marshaled(_) | Shape::Message(_) => None,
        // An array of bytes travels as bytes.
        Shape::Array(Shape::One(Kind::U8, _), _) => None,
        Shape::List(_) | Shape::Array(..) => {
            Some("lists inside lists or maps; wrap the inner list in a message")
        }
        Shape::Map(..) => Some("maps inside lists or maps; wrap the inner map in a message"),
        Shape::Maybe(_) => Some("optional items of lists or maps; wrap the item in a message"),
        Shape::Any => Some("a value without a type; name the type, or use JSON"),
    }
}

/// Why this cannot be the key of a map. "The key_type can be any integral or string type" (proto3
/// language guide, "Maps"), and enums travel as the int32 they are. Whatever else may be an item is
/// written the same way: for other languages not a `map`, but a repeated message of a key, number
/// 1, and a value, number 2, which is how maps travel.
const fn refused_key(key: &Shape) -> Option<&'static str> {
    match key {
        Shape::One(Kind::F32 | Kind::F64, _) => Some("maps with floats for keys"),
        key => refused_item(key),
    }
}
