//! Writing values as gob. What describes them was written before, from their shapes alone.
//!
//! Where this differs from Go's writer, as Go's reader allows: a pointer to zero is sent, so that
//! `Some(0)` arrives as one; so are the float -0.0 and the zero time.

use super::ints::{close, open, put_blob, put_int, put_uint};
use super::send::{ANY_LIST, ANY_MAP, ANY_TIME};
use super::types::{BOOL, BYTES, FLOAT, INT, TEXT, UINT};
use super::{FORMAT, time};
use farcall_core::{
    At, Bounds, Complex, Fault, Kind, Names, Pack, Schema, Shape, Sink, Timestamp, Why,
};
use std::time::Duration;

/// The sink.
///
/// | | `At::a` | `At::b` |
/// |---|---|---|
/// | message | the field after the last one written | |
/// | list, map | see `head` | what of it are interfaces |
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    depth: u32,
    limit: u32,
    /// The next value goes into an interface.
    any: bool,
    fault: Option<Fault>,
}

/// Keys and values are interfaces, or keys are text inside a dynamic map.
const KEYS: usize = 1;
const VALUES: usize = 2;
const TEXT_KEYS: usize = 4;

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, bounds: Bounds) -> Writer<'o> {
        Writer { out, depth: 0, limit: bounds.depth, any: false, fault: None }
    }

    #[inline]
    pub(super) fn finish(self) -> Result<(), Fault> {
        match self.fault {
            None => Ok(()),
            Some(fault) => Err(fault),
        }
    }

    #[cold]
    fn unsupported(&mut self, what: &'static str) {
        self.fail(Fault::new(Why::Unsupported { format: FORMAT, what }));
    }

    #[inline]
    fn enter(&mut self) -> bool {
        if self.depth >= self.limit {
            self.fail(Fault::new(Why::TooDeep { limit: self.limit }));
            return false;
        }
        self.depth += 1;
        true
    }

    /// The head of an interface (name, type, byte count, and the zero before what is no struct), if
    /// the next value goes into one; where the count is, plus 1.
    #[inline(always)]
    fn head(&mut self, name: &str, id: i32) -> usize {
        if self.any { self.interface(name, id) } else { 0 }
    }

    #[inline(never)]
    fn interface(&mut self, name: &str, id: i32) -> usize {
        self.any = false;
        put_blob(self.out, name.as_bytes());
        put_int(self.out, id.into());
        let at = open(self.out);
        self.out.push(0);
        at + 1
    }

    #[inline(always)]
    fn tail(&mut self, at: usize) {
        if at > 0 {
            close(self.out, at - 1);
        }
    }
}

fn is_any(shape: &Shape) -> bool {
    match shape {
        Shape::Any => true,
        Shape::Maybe(inner) => is_any(inner),
        _ => false,
    }
}

impl Sink for Writer<'_> {
    #[inline]
    fn open(&mut self, _: &'static Schema) -> Option<At> {
        self.enter().then(At::default)
    }

    /// Left out is what Go leaves out. Structs, arrays and maps never are; for a map Go would omit
    /// nil, which ours never is. A time is zero in the year 1.
    #[inline]
    fn field(&mut self, at: &mut At, schema: &'static Schema, index: usize, empty: bool) -> bool {
        let shape = &schema.fields[index].shape;
        let always = matches!(
            shape,
            Shape::Message(_)
                | Shape::Array(..)
                | Shape::Map(..)
                | Shape::One(Kind::Time, _)
                | Shape::Marshaled(_)
        );
        if empty && !always {
            return false;
        }
        debug_assert!(index >= at.a, "fields are written in the order of their table");
        put_uint(self.out, (index + 1).wrapping_sub(at.a) as u64);
        at.a = index + 1;
        self.any = is_any(shape);
        true
    }

    #[inline]
    fn close(&mut self, _: At) {
        self.depth -= 1;
        self.out.push(0);
    }

    fn list(&mut self, shape: &'static Shape, len: usize) -> Option<At> {
        if !self.enter() {
            return None;
        }
        let a = self.head("[]interface {}", ANY_LIST);
        put_uint(self.out, len as u64);
        let any = matches!(shape, Shape::List(item) | Shape::Array(item, _) if is_any(item));
        Some(At { a, b: usize::from(any) })
    }

    #[inline]
    fn item(&mut self, at: &mut At) {
        self.any = at.b != 0;
    }

    #[inline]
    fn list_end(&mut self, at: At) {
        self.depth -= 1;
        self.any = false;
        self.tail(at.a);
    }

    fn map(&mut self, shape: &'static Shape, len: usize) -> Option<At> {
        if !self.enter() {
            return None;
        }
        let a = self.head("map[string]interface {}", ANY_MAP);
        put_uint(self.out, len as u64);
        let b = match shape {
            _ if a > 0 => VALUES | TEXT_KEYS,
            Shape::Map(key, value) => {
                (usize::from(is_any(key)) * KEYS) | (usize::from(is_any(value)) * VALUES)
            }
            _ => 0,
        };
        Some(At { a, b })
    }

    #[inline]
    fn key(&mut self, at: &mut At, key: &'static Shape, _: bool) -> bool {
        self.any = at.b & KEYS != 0;
        if at.b & TEXT_KEYS != 0 && !matches!(key, Shape::One(Kind::Text, _)) {
            self.unsupported("a dynamic map whose keys are not text");
            return false;
        }
        true
    }

    #[inline]
    fn value(&mut self, at: &mut At, _: &'static Shape, _: bool) -> bool {
        self.any = at.b & VALUES != 0;
        true
    }

    #[inline]
    fn entry_end(&mut self, _: &mut At) {}

    #[inline]
    fn map_end(&mut self, at: At) {
        self.depth -= 1;
        self.any = false;
        self.tail(at.a);
    }

    fn none(&mut self) {
        if std::mem::take(&mut self.any) {
            // A nil interface is an empty name.
            self.out.push(0);
        } else {
            self.unsupported("an absent value, unless it is a field");
        }
    }

    #[inline]
    fn bool(&mut self, v: bool) {
        let at = self.head("bool", BOOL);
        self.out.push(v.into());
        self.tail(at);
    }

    #[inline]
    fn int(&mut self, v: i64, _: Kind, _: Pack) {
        let at = self.head("int", INT);
        put_int(self.out, v);
        self.tail(at);
    }

    #[inline]
    fn uint(&mut self, v: u64, _: Kind, _: Pack) {
        let at = self.head("uint64", UINT);
        put_uint(self.out, v);
        self.tail(at);
    }

    #[inline]
    fn float(&mut self, v: f64, _: Kind) {
        let at = self.head("float64", FLOAT);
        put_uint(self.out, v.to_bits().swap_bytes());
        self.tail(at);
    }

    #[inline]
    fn text(&mut self, v: &str) {
        let at = self.head("string", TEXT);
        put_blob(self.out, v.as_bytes());
        self.tail(at);
    }

    #[inline]
    fn bytes(&mut self, v: &[u8]) {
        let at = self.head("[]uint8", BYTES);
        put_blob(self.out, v);
        self.tail(at);
    }

    fn byte_array(&mut self, v: &[u8]) {
        put_uint(self.out, v.len() as u64);
        v.iter().for_each(|byte| put_uint(self.out, (*byte).into()));
    }

    #[inline]
    fn choice(&mut self, v: i32, _: &'static Names) {
        put_int(self.out, v.into());
    }

    fn time(&mut self, v: Timestamp) {
        let Some(bytes) = time::bytes(v) else {
            return self.fail(Fault::new(Why::OutOfRange { want: "Go's time.Time" }));
        };
        let at = self.head("time.Time", ANY_TIME);
        put_blob(self.out, &bytes);
        self.tail(at);
    }

    /// Go's `time.Duration`: an int64 of nanoseconds.
    fn span(&mut self, v: Duration) {
        match i64::try_from(v.as_nanos()) {
            Ok(nanos) => put_int(self.out, nanos),
            Err(_) => self.fail(Fault::new(Why::OutOfRange { want: "Go's time.Duration" })),
        }
    }

    fn complex(&mut self, v: Complex) {
        for part in [v.re, v.im] {
            put_uint(self.out, part.to_bits().swap_bytes());
        }
    }

    #[cold]
    fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn failed(&self) -> bool {
        self.fault.is_some()
    }
}
