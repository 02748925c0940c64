//! Bytes as they are: rpcx's "SerializeNone". Arguments and results are `Vec<u8>`, `Bytes`, or
//! text.
//!
//! Source: rpcx `codec/codec.go`, `ByteCodec`: anything but a byte slice is refused. A message
//! without fields, such as `()`, is no bytes at all; a method without parameters can so be called
//! raw.

use super::{share, utf8};
use bytes::Bytes;
use farcall_core::{
    At, Complex, END, Fault, Kind, Names, Next, Pack, Part, Put, Schema, Shape, Sink, Source, Str,
    Take, Timestamp, Why,
};
use std::time::Duration;

/// Appends the bytes.
pub fn encode<T: Put + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = out.len();
    let mut to = Writer { out, fault: None };
    value.put_to(const { &T::SHAPE }, &mut to as &mut dyn Sink);
    match to.fault {
        None => Ok(()),
        // Everything but the root is refused, so there is no path to add.
        Some(fault) => {
            out.truncate(start);
            Err(fault)
        }
    }
}

/// Takes the whole body.
pub fn decode<T: Take>(body: &Bytes) -> Result<T, Fault> {
    let mut value = T::blank();
    value.take_from(const { &T::SHAPE }, &mut Reader { body } as &mut dyn Source)?;
    Ok(value)
}

#[cold]
fn refused(what: &'static str) -> Fault {
    Fault::new(Why::Unsupported { format: "raw", what })
}

const STRUCT: &str = "a struct; raw carries bytes only: Vec<u8> or Bytes";
const LIST: &str = "a list; raw carries bytes only: Vec<u8> or Bytes";
const MAP: &str = "a map; raw carries bytes only: Vec<u8> or Bytes";
const SCALAR: &str = "a number, bool, enum or time; raw carries bytes only: Vec<u8> or Bytes";
const DYNAMIC: &str = "a value without a type; raw carries bytes only: Vec<u8> or Bytes";

struct Writer<'o> {
    out: &'o mut Vec<u8>,
    fault: Option<Fault>,
}

impl Sink for Writer<'_> {
    fn open(&mut self, schema: &'static Schema) -> Option<At> {
        if schema.fields.is_empty() {
            return Some(At::default());
        }
        self.fail(refused(STRUCT));
        None
    }
    fn field(&mut self, _: &mut At, _: &'static Schema, _: usize, _: bool) -> bool {
        false
    }
    fn close(&mut self, _: At) {}
    fn list(&mut self, _: &'static Shape, _: usize) -> Option<At> {
        self.fail(refused(LIST));
        None
    }
    fn item(&mut self, _: &mut At) {}
    fn list_end(&mut self, _: At) {}
    fn map(&mut self, _: &'static Shape, _: usize) -> Option<At> {
        self.fail(refused(MAP));
        None
    }
    fn key(&mut self, _: &mut At, _: &'static Shape, _: bool) -> bool {
        false
    }
    fn value(&mut self, _: &mut At, _: &'static Shape, _: bool) -> bool {
        false
    }
    fn entry_end(&mut self, _: &mut At) {}
    fn map_end(&mut self, _: At) {}
    fn none(&mut self) {}
    fn bool(&mut self, _: bool) {
        self.fail(refused(SCALAR));
    }
    fn int(&mut self, _: i64, _: Kind, _: Pack) {
        self.fail(refused(SCALAR));
    }
    fn uint(&mut self, _: u64, _: Kind, _: Pack) {
        self.fail(refused(SCALAR));
    }
    fn float(&mut self, _: f64, _: Kind) {
        self.fail(refused(SCALAR));
    }
    fn text(&mut self, v: &str) {
        self.out.extend_from_slice(v.as_bytes());
    }
    fn bytes(&mut self, v: &[u8]) {
        self.out.extend_from_slice(v);
    }
    fn choice(&mut self, _: i32, _: &'static Names) {
        self.fail(refused(SCALAR));
    }
    fn time(&mut self, _: Timestamp) {
        self.fail(refused(SCALAR));
    }
    fn span(&mut self, _: Duration) {
        self.fail(refused(SCALAR));
    }
    fn complex(&mut self, _: Complex) {
        self.fail(refused(SCALAR));
    }
    fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }
    fn failed(&self) -> bool {
        self.fault.is_some()
    }
}

struct Reader<'a> {
    body: &'a Bytes,
}

impl Source for Reader<'_> {
    fn open(&mut self, schema: &'static Schema) -> Result<At, Fault> {
        if schema.fields.is_empty() { Ok(At::default()) } else { Err(refused(STRUCT)) }
    }
    fn field(&mut self, _: &mut At, _: &'static Schema) -> Result<usize, Fault> {
        Ok(END)
    }
    fn list(&mut self, _: &'static Shape) -> Result<At, Fault> {
        Err(refused(LIST))
    }
    fn item(&mut self, _: &mut At) -> Result<bool, Fault> {
        Ok(false)
    }
    fn map(&mut self, _: &'static Shape) -> Result<At, Fault> {
        Err(refused(MAP))
    }
    fn part(&mut self, _: &mut At) -> Result<Part, Fault> {
        Ok(Part::End)
    }
    /// Nothing at all is absent rather than empty, where the type can say so.
    fn none(&mut self) -> Result<bool, Fault> {
        Ok(self.body.is_empty())
    }
    fn bool(&mut self) -> Result<bool, Fault> {
        Err(refused(SCALAR))
    }
    fn int(&mut self, _: Kind, _: Pack) -> Result<i64, Fault> {
        Err(refused(SCALAR))
    }
    fn uint(&mut self, _: Kind, _: Pack) -> Result<u64, Fault> {
        Err(refused(SCALAR))
    }
    fn float(&mut self, _: Kind) -> Result<f64, Fault> {
        Err(refused(SCALAR))
    }
    fn text(&mut self) -> Result<&str, Fault> {
        utf8::check(self.body).ok_or_else(|| Fault::new(Why::NotUtf8))
    }
    fn bytes(&mut self) -> Result<&[u8], Fault> {
        Ok(self.body)
    }
    fn choice(&mut self, _: &'static Names) -> Result<i32, Fault> {
        Err(refused(SCALAR))
    }
    fn time(&mut self) -> Result<Timestamp, Fault> {
        Err(refused(SCALAR))
    }
    fn span(&mut self) -> Result<Duration, Fault> {
        Err(refused(SCALAR))
    }
    fn complex(&mut self) -> Result<Complex, Fault> {
        Err(refused(SCALAR))
    }
    fn next(&mut self) -> Result<Next, Fault> {
        Err(refused(DYNAMIC))
    }
    fn shared_text(&mut self) -> Result<Str, Fault> {
        utf8::share(self.body, 0, self.body.len()).ok_or_else(|| Fault::new(Why::NotUtf8))
    }
    fn shared_bytes(&mut self) -> Result<Bytes, Fault> {
        Ok(share(self.body, 0, self.body.len()))
    }
    /// What is read is the body itself, or one copy of it.
    fn spend(&mut self, _: usize) -> Result<(), Fault> {
        Ok(())
    }
}
