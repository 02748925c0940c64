//! Writing protobuf in one pass.
//!
//! The length of a message is not known before it is written: one byte is kept for it, and the
//! message is moved up when it turns out longer than 127 bytes. That beats measuring every level
//! first.

use super::{FORMAT, PART_IM, PART_RE, refused_item, refused_key};
use farcall_core::{
    At, Bounds, Complex, Fault, Kind, Names, Pack, Schema, Shape, Sink, Timestamp, Why,
};
use std::time::Duration;

/// The wire type of everything that carries its length.
const LENGTH: u32 = 2;

/// The sink. `At::a` is where the content of a message, packed list or map entry starts (0: nothing
/// to patch); `At::b` is the key to repeat before each item or entry.
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// The number of the repeated field whose list or map begins next.
    number: u32,
    depth: u32,
    limit: u32,
    fault: Option<Fault>,
}

impl<'o> Writer<'o> {
    #[inline]
    pub(super) fn new(out: &'o mut Vec<u8>, bounds: Bounds) -> Writer<'o> {
        Writer { out, number: 0, depth: 0, limit: bounds.depth, fault: None }
    }

    #[inline]
    pub(super) fn finish(self) -> Result<(), Fault> {
        match self.fault {
            None => Ok(()),
            Some(fault) => Err(fault),
        }
    }

    /// Only the one-byte case is worth inlining: the rest out of line halves the code of a message.
    #[inline(always)]
    fn varint(&mut self, v: u64) {
        if v < 1 << 7 { self.out.push(v as u8) } else { self.long_varint(v) }
    }

    #[inline(never)]
    fn long_varint(&mut self, v: u64) {
        if v >= 1 << 28 {
            return self.wide_varint(v);
        }
        // At most four bytes: spread the four groups of seven bits over the bytes of a word, set
        // the continuation bits below the last one, append the whole word and cut it back.
        let len = (38 - (v as u32 | 1).leading_zeros() as usize) / 7;
        let word = v & 0x7f | (v & 0x3f80) << 1 | (v & 0x1f_c000) << 2 | (v & 0xfe0_0000) << 3;
        let word = word | 0x8080_8080 & ((1 << (8 * (len - 1))) - 1);
        let end = self.out.len() + len;
        self.out.extend_from_slice(&word.to_le_bytes());
        self.out.truncate(end);
    }

    #[inline(never)]
    fn wide_varint(&mut self, mut v: u64) {
        let mut bytes = [0; 10];
        let mut len = 0;
        while v >= 1 << 7 {
            bytes[len] = v as u8 | 0x80;
            v >>= 7;
            len += 1;
        }
        bytes[len] = v as u8;
        self.out.extend_from_slice(&bytes[..=len]);
    }

    /// A field's key. A constant in a monomorphised walk, where this becomes one store.
    #[inline(always)]
    fn lead(&mut self, tag: u32) {
        if tag < 1 << 7 {
            self.out.push(tag as u8);
        } else if tag < 1 << 14 {
            self.out.extend_from_slice(&[tag as u8 | 0x80, (tag >> 7) as u8]);
        } else {
            self.varint(tag.into());
        }
    }

    /// Keeps the byte for a length. What follows starts at the returned offset, which is never 0.
    #[inline(always)]
    fn keep_length(&mut self) -> usize {
        self.out.push(0);
        self.out.len()
    }

    /// Writes the length of what was appended since `start` into the byte kept before it.
    #[inline(never)]
    fn patch_length(&mut self, start: usize) {
        let end = self.out.len();
        let len = end - start;
        if len < 1 << 7 {
            self.out[start - 1] = len as u8;
            return;
        }
        // The varint is made at the end, the content moves up by what it is longer than one byte,
        // and the varint goes into the gap.
        self.wide_varint(len as u64);
        let width = self.out.len() - end;
        let mut bytes = [0; 10];
        bytes[..width].copy_from_slice(&self.out[end..]);
        self.out.truncate(end + width - 1);
        self.out.copy_within(start..end, start + width - 1);
        self.out[start - 1..start - 1 + width].copy_from_slice(&bytes[..width]);
    }

    /// `google.protobuf.Timestamp` and `google.protobuf.Duration`: int64 seconds = 1, int32 nanos =
    /// 2.
    #[inline(never)]
    fn seconds(&mut self, seconds: i64, nanos: u32) {
        let start = self.keep_length();
        if seconds != 0 {
            self.out.push(1 << 3);
            self.varint(seconds as u64);
        }
        if nanos != 0 {
            self.out.push(2 << 3);
            self.varint(nanos.into());
        }
        self.patch_length(start);
    }

    #[cold]
    #[inline(never)]
    fn refuse(&mut self, what: &'static str) {
        self.fail(Fault::new(Why::Unsupported { format: FORMAT, what }));
    }

    #[cold]
    #[inline(never)]
    fn too_deep(&mut self) {
        self.fail(Fault::new(Why::TooDeep { limit: self.limit }));
    }
}

impl Sink for Writer<'_> {
    #[inline(always)]
    fn open(&mut self, _: &'static Schema) -> Option<At> {
        self.depth += 1;
        if self.depth == 1 {
            return Some(At::default());
        }
        if self.depth > self.limit {
            self.depth -= 1;
            self.too_deep();
            return None;
        }
        Some(At { a: self.keep_length(), b: 0 })
    }

    #[inline(always)]
    fn field(&mut self, _: &mut At, schema: &'static Schema, index: usize, empty: bool) -> bool {
        if empty {
            return false;
        }
        let field = &schema.fields[index];
        let shape = match &field.shape {
            Shape::Maybe(inner) => inner,
            shape => shape,
        };
        match shape {
            Shape::One(..) | Shape::Enum(_) | Shape::Marshaled(_) | Shape::Message(_) => {
                self.lead(field.tag);
            }
            // Packed numbers follow one key; other items bring a key each, see `item`.
            Shape::List(item) | Shape::Array(item, _) if item.scalar() => self.lead(field.tag),
            Shape::List(_) | Shape::Array(..) | Shape::Map(..) => self.number = field.number,
            Shape::Maybe(_) => {
                self.refuse("an optional of an optional");
                return false;
            }
            Shape::Any => {
                self.fail(Fault::new(Why::no_dynamic(FORMAT)));
                return false;
            }
        }
        true
    }

    #[inline(always)]
    fn close(&mut self, at: At) {
        self.depth -= 1;
        if at.a != 0 {
            self.patch_length(at.a);
        }
    }

    #[inline(always)]
    fn list(&mut self, shape: &'static Shape, len: usize) -> Option<At> {
        let (Shape::List(item) | Shape::Array(item, _)) = shape else { return None };
        if item.scalar() {
            let width = match item.class() {
                0 => return Some(At { a: self.keep_length(), b: 0 }),
                1 => 8,
                _ => 4,
            };
            self.varint((len * width) as u64);
            self.out.reserve(len * width);
            return Some(At::default());
        }
        if let Some(what) = refused_item(item) {
            self.refuse(what);
            return None;
        }
        Some(At { a: 0, b: (self.number << 3 | LENGTH) as usize })
    }

    #[inline(always)]
    fn item(&mut self, at: &mut At) {
        if at.b != 0 {
            self.varint(at.b as u64);
        }
    }

    #[inline(always)]
    fn list_end(&mut self, at: At) {
        if at.a != 0 {
            self.patch_length(at.a);
        }
    }

    fn map(&mut self, shape: &'static Shape, _: usize) -> Option<At> {
        let Shape::Map(key, value) = shape else { return None };
        if let Some(what) = refused_key(key).or(refused_item(value)) {
            self.refuse(what);
            return None;
        }
        Some(At { a: 0, b: (self.number << 3 | LENGTH) as usize })
    }

    /// The official implementations write both halves of an entry, empty or not.
    #[inline]
    fn key(&mut self, at: &mut At, key: &'static Shape, _: bool) -> bool {
        self.varint(at.b as u64);
        at.a = self.keep_length();
        self.out.push((1 << 3 | key.class()) as u8);
        true
    }

    #[inline]
    fn value(&mut self, _: &mut At, value: &'static Shape, _: bool) -> bool {
        self.out.push((2 << 3 | value.class()) as u8);
        true
    }

    #[inline]
    fn entry_end(&mut self, at: &mut At) {
        self.patch_length(at.a);
    }

    #[inline]
    fn map_end(&mut self, _: At) {}

    /// Absent fields are left out before this is called, and an absent root is an empty body.
    fn none(&mut self) {
        if self.depth > 0 {
            self.refuse("an absent value in this place");
        }
    }

    #[inline(always)]
    fn bool(&mut self, v: bool) {
        self.out.push(v.into());
    }

    #[inline(always)]
    fn int(&mut self, v: i64, kind: Kind, pack: Pack) {
        match (pack, kind) {
            // Negative numbers of every width are sign-extended to ten bytes.
            (Pack::Plain, _) => self.varint(v as u64),
            (Pack::Zigzag, _) => self.varint((v << 1 ^ v >> 63) as u64),
            (Pack::Fixed, Kind::I64) => self.out.extend_from_slice(&v.to_le_bytes()),
            (Pack::Fixed, _) => self.out.extend_from_slice(&(v as i32).to_le_bytes()),
        }
    }

    #[inline(always)]
    fn uint(&mut self, v: u64, kind: Kind, pack: Pack) {
        match (pack, kind) {
            (Pack::Fixed, Kind::U64) => self.out.extend_from_slice(&v.to_le_bytes()),
            (Pack::Fixed, _) => self.out.extend_from_slice(&(v as u32).to_le_bytes()),
            _ => self.varint(v),
        }
    }

    #[inline(always)]
    fn float(&mut self, v: f64, kind: Kind) {
        match kind {
            Kind::F32 => self.out.extend_from_slice(&(v as f32).to_le_bytes()),
            _ => self.out.extend_from_slice(&v.to_le_bytes()),
        }
    }

    #[inline(always)]
    fn text(&mut self, v: &str) {
        self.bytes(v.as_bytes());
    }

    #[inline(never)]
    fn bytes(&mut self, v: &[u8]) {
        self.varint(v.len() as u64);
        self.out.extend_from_slice(v);
    }

    #[inline]
    fn choice(&mut self, v: i32, _: &'static Names) {
        self.varint(i64::from(v) as u64);
    }

    fn time(&mut self, v: Timestamp) {
        self.seconds(v.seconds, v.nanos);
    }

    fn span(&mut self, v: Duration) {
        match i64::try_from(v.as_secs()) {
            Ok(seconds) => self.seconds(seconds, v.subsec_nanos()),
            Err(_) => self.fail(Fault::new(Why::OutOfRange { want: "google.protobuf.Duration" })),
        }
    }

    /// A message: double re = 1, double im = 2.
    fn complex(&mut self, v: Complex) {
        let start = self.keep_length();
        for (tag, part) in [(PART_RE, v.re), (PART_IM, v.im)] {
            if part.to_bits() != 0 {
                self.out.push(tag);
                self.float(part, Kind::F64);
            }
        }
        self.patch_length(start);
    }

    #[cold]
    fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn failed(&self) -> bool {
        self.fault.is_some()
    }
}
