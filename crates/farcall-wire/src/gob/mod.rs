//! gob: Go's stream of values that describe themselves (package `encoding/gob`).
//!
//! Source: `encoding/gob` of Go 1.19 (`doc.go`, `encode.go`, `decode.go`, `type.go`), read and run.
//!
//! A stream is made of messages: a length, the number of a type, and a value of that type. A
//! negative number announces the definition of a type instead; each is sent once per stream. So a
//! body of gob does not stand alone, and this is no format like the others: a wire keeps an
//! [`Encoder`] and a [`Decoder`] for each connection. It lends what the stream has said so far with
//! every body that it cuts, and writes the head of every body that is written:
//!
//! ```text
//! wire   Encoder::begin(shape)  definitions that the peer lacks, length, number
//! format encode(value)          the value
//! wire   Encoder::end           the length
//! ```
//!
//! What is read is what Go reads, except that nesting, lengths and the number of types are bounded;
//! that a type with two fields of one name, or of two kinds at once, is refused; and that what Go
//! cannot skip (a nil interface, an interface within an interface) is skipped.
//!
//! | Rust | Go |
//! |---|---|
//! | scalars, `String`, `Vec<u8>` | the same; no number becomes one of another kind |
//! | `Vec`, array, map, struct | the same; `[u8; N]` is `[N]byte`, not `[]byte` |
//! | `Option` | pointer; none of them inside a list |
//! | enum | int |
//! | `Timestamp`, `SystemTime` | `time.Time`; one that Go left out is the year 1 |
//! | `Duration` | `time.Duration`, nanoseconds |
//! | `Complex` | `complex128`, `complex64` |
//! | `Marshaled<T>` | a type with `GobEncode` or `MarshalBinary`, as `T` says |
//! | `Value` as a whole | what the value looks like, see `dynamic` |
//! | `Value` inside a message | `interface{}`, with the names that Go's registry has |
//! | `()` | `struct{}`; anything when read |

mod broken;
mod dynamic;
mod fit;
pub(crate) mod ints;
mod look;
mod parser;
mod read;
mod scan;
mod send;
#[cfg(test)]
mod tests;
mod time;
mod types;
mod write;

use bytes::Bytes;
use farcall_core::{Bounds, Fault, Lent, Put, Shape, Take, Why, trace_fault};
use ints::Cursor;
use parser::Reader;
use scan::Peer;
use std::sync::Arc;
use write::Writer;

pub use broken::Broken;
pub use scan::{Decoder, Step};
pub use send::{Encoder, Open};

const FORMAT: &str = "gob";

/// Appends `value` to `out`, behind what [`Encoder::begin`] wrote for its shape. On a fault, which
/// names the path to the field, `out` is as before.
pub fn encode<T: Put + ?Sized>(value: &T, bounds: Bounds, out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = out.len();
    if send::dynamic(const { &T::SHAPE }) {
        let value = look::look(value, bounds)?;
        return dynamic::write(&value, out).inspect_err(|_| out.truncate(start));
    }
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

/// Reads a `T` from a body that a [`Decoder`] cut; `lent` is what it lent with it.
pub fn decode<T: Take>(body: &Bytes, lent: Option<&Lent>, bounds: Bounds) -> Result<T, Fault> {
    let shape: &'static Shape = const { &T::SHAPE };
    let peer: Option<Arc<Peer>> = lent.and_then(|lent| Arc::clone(lent).downcast().ok());
    let Some(peer) = peer else {
        let what = "a body apart from the stream that describes its types";
        return Err(Fault::new(Why::Unsupported { format: FORMAT, what }));
    };
    let mut from = Cursor::new(body);
    let Some(id) = from.int().ok().and_then(|id| i32::try_from(id).ok()) else {
        return Err(Fault::at(Why::Syntax("the body begins with no type"), 0));
    };
    let known = peer.read();
    let plan = match known.plans.get(shape, id) {
        Some(plan) => plan?,
        None => {
            drop(known);
            return {
                let mut known = peer.write();
                let known = &mut *known;
                known.plans.make(&known.types, shape, id)
            }
            .and_then(|plan| take(body, from, id, &plan, &peer.read().types, bounds));
        }
    };
    take(body, from, id, &plan, &known.types, bounds)
}

fn take<T: Take>(
    frame: &Bytes,
    from: Cursor<'_>,
    id: i32,
    plan: &fit::Plan,
    types: &types::Types,
    bounds: Bounds,
) -> Result<T, Fault> {
    let mut reader = Reader {
        frame,
        from,
        types,
        nodes: &plan.nodes,
        here: plan.root,
        absent: false,
        target: parser::NONE,
        name: None,
        scratch: Vec::new(),
        depth: 0,
        bounds,
        budget: bounds.decoded_bytes,
    };
    reader.framing(id)?;
    let mut value = T::blank();
    value.take_from(const { &T::SHAPE }, &mut reader)?;
    Ok(value)
}
