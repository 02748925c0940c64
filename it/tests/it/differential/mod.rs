//! The formats against other people's: random values of every kind of field go out of farcall and
//! into prost, serde_json and rmp-serde, and back.
//!
//! Values are compared as the bytes that rmp-serde makes of their serde twins: those tell NaN from
//! NaN and -0.0 from 0.0, and do not depend on the order of hash maps.

mod json;
mod leaves;
mod msgpack;
mod protobuf;
mod schema;
mod values;

use values::Twin;

/// How many values each property is tried on.
const VALUES: usize = 500;

/// A value as bytes that are equal exactly if values are.
fn canon<T: Twin<U>, U: serde::Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec(&value.twin()).expect("rmp-serde writes everything")
}
