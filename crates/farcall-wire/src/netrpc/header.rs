//! The two headers of net/rpc (`net/rpc/server.go`: `Request`, `Response`).

use crate::gob::ints::{put_blob, put_uint};
use bytes::Bytes;
use farcall_core::{END, Fault, Field, Kind, Pack, Schema, Shape, Shaped, Source, Take};

const TEXT: Shape = Shape::One(Kind::Text, Pack::Plain);
const NUMBER: Shape = Shape::One(Kind::U64, Pack::Plain);

const fn field(number: u32, go: &'static str, shape: Shape) -> Field {
    Field::new(number, go, go, go, "", b"", shape, false)
}

static REQUEST_FIELDS: [Field; 2] = [field(1, "ServiceMethod", TEXT), field(2, "Seq", NUMBER)];
static RESPONSE_FIELDS: [Field; 3] =
    [field(1, "ServiceMethod", TEXT), field(2, "Seq", NUMBER), field(3, "Error", TEXT)];

static REQUEST_SCHEMA: Schema =
    Schema { name: "Request", fields: &REQUEST_FIELDS, dense: &[], sorted: (&[], &[]) };
static RESPONSE_SCHEMA: Schema =
    Schema { name: "Response", fields: &RESPONSE_FIELDS, dense: &[], sorted: (&[], &[]) };
static NOTHING_SCHEMA: Schema = Schema { name: "", fields: &[], dense: &[], sorted: (&[], &[]) };

pub(super) static REQUEST: Shape = Shape::Message(|| &REQUEST_SCHEMA);
pub(super) static RESPONSE: Shape = Shape::Message(|| &RESPONSE_SCHEMA);
/// The body of a failure: Go's `struct{}{}`.
pub(super) static NOTHING: Shape = Shape::Message(|| &NOTHING_SCHEMA);

/// A header that was read. A request has no error.
#[derive(Debug, Default)]
pub(super) struct Header<const RESPONSE: bool> {
    /// Service and method as the peer wrote them; a response's is not looked at.
    pub(super) name: Bytes,
    pub(super) seq: u64,
    /// Empty: success.
    pub(super) error: Bytes,
}

impl<const RESPONSE_: bool> Shaped for Header<RESPONSE_> {
    const SHAPE: Shape = match RESPONSE_ {
        true => Shape::Message(|| &RESPONSE_SCHEMA),
        false => Shape::Message(|| &REQUEST_SCHEMA),
    };
}

impl<const RESPONSE_: bool> Take for Header<RESPONSE_> {
    fn blank() -> Self {
        Header::default()
    }

    /// Text is taken as bytes: Go's strings hold any.
    fn take_from<S: Source + ?Sized>(
        &mut self,
        _: &'static Shape,
        from: &mut S,
    ) -> Result<(), Fault> {
        let schema = if RESPONSE_ { &RESPONSE_SCHEMA } else { &REQUEST_SCHEMA };
        let mut at = from.open(schema)?;
        loop {
            match from.field(&mut at, schema)? {
                0 if RESPONSE_ => drop(from.bytes()?),
                0 => self.name = Bytes::copy_from_slice(from.bytes()?),
                1 => self.seq = from.uint(Kind::U64, Pack::Plain)?,
                2 => self.error = Bytes::copy_from_slice(from.bytes()?),
                END => return Ok(()),
                _ => {}
            }
        }
    }
}

/// Writes the value of a header; what is zero is left out, also the number of the first call.
#[inline]
pub(super) fn write(out: &mut Vec<u8>, [service, method]: [&str; 2], seq: u64, error: &str) {
    let mut field = Delta { last: 0 };
    let dot = usize::from(!service.is_empty());
    let length = service.len() + dot + method.len();
    if length > 0 {
        field.write(out, 1);
        put_uint(out, length as u64);
        out.extend_from_slice(service.as_bytes());
        out.extend_from_slice(&b"."[..dot]);
        out.extend_from_slice(method.as_bytes());
    }
    if seq > 0 {
        field.write(out, 2);
        put_uint(out, seq);
    }
    if !error.is_empty() {
        field.write(out, 3);
        put_blob(out, error.as_bytes());
    }
    out.push(0);
}

/// Fields are told by how far they are from the last one.
struct Delta {
    last: u8,
}

impl Delta {
    fn write(&mut self, out: &mut Vec<u8>, number: u8) {
        out.push(number - self.last);
        self.last = number;
    }
}
