//! What decodes encodes, and decodes again to the same.

use crate::{bounds, memory, wide};
use bytes::Bytes;
use farcall_core::{Format, Put, Take, Value};
use farcall_wire::format::{decode, encode};
use std::fmt::Debug;

/// A body read as a `T`: refused, or there and back, within the bounds.
pub fn round<T: Put + Take + Debug>(format: Format, body: &Bytes) {
    round_with(format, body, |_: &mut T| ());
}

/// The same, of what is left when `plain` has evened out what the format cannot tell apart.
pub fn round_with<T: Put + Take + Debug>(format: Format, body: &Bytes, plain: impl Fn(&mut T)) {
    // A vector that grows is there twice for a moment, and keeps up to as much room as it uses.
    let memory = 16 * 1024 + 4 * (bounds().decoded_bytes + 8 * body.len());
    let mut first: T = match memory::within(memory, || decode(format, body, None, bounds())) {
        Ok(value) => value,
        Err(fault) => {
            // People read them.
            assert!(!fault.to_string().is_empty());
            return;
        }
    };
    let mut bytes = Vec::new();
    if let Err(fault) = encode(format, &first, wide(), &mut bytes) {
        panic!("{first:?} was read, and cannot be written: {fault}");
    }
    let mut again: T = match decode(format, &bytes.clone().into(), None, wide()) {
        Ok(value) => value,
        Err(fault) => panic!("{first:?} was written as {bytes:02x?}, which is refused: {fault}"),
    };
    plain(&mut first);
    plain(&mut again);
    let (first, again) = (format!("{first:?}"), format!("{again:?}"));
    assert!(first == again, "read: {first}\nwritten: {bytes:02x?}\nread again: {again}");
}

/// JSON writes a float without a fraction as an integer, of the fewest digits that are its own.
pub fn plain(value: &mut Value) {
    match value {
        Value::Float(v) if v.fract() == 0.0 => {
            let digits = v.to_string();
            if let Ok(int) = digits.parse() {
                *value = Value::Int(int);
            } else if let Ok(uint) = digits.parse() {
                *value = Value::Uint(uint);
            }
        }
        Value::List(items) => items.iter_mut().for_each(plain),
        Value::Map(entries) => entries.iter_mut().for_each(|(_, v)| plain(v)),
        _ => {}
    }
}
