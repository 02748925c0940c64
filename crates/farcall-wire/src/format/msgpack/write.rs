//! Writing MessagePack.
//!
//! Fields are counted while they are written, because some may be left out: the width of a struct's
//! header follows from its schema, and the count is filled in when the struct ends.

use super::marker;
use farcall_core::{At, Bounds, Fault, Kind, Names, Pack, Schema, Shape, Sink, Timestamp, Why};
use std::time::Duration;

/// The sink. `At` of a message: where its header is, and how many fields were written.
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    depth: u32,
    limit: u32,
    fault: Option<Fault>,
}

impl<'o> Writer<'o> {
    #[inline]
    pub(super) fn new(out: &'o mut Vec<u8>, bounds: Bounds) -> Writer<'o> {
        Writer { out, depth: 0, limit: bounds.depth, fault: None }
    }

    #[inline]
    pub(super) fn finish(self) -> Result<(), Fault> {
        match self.fault {
            None => Ok(()),
            Some(fault) => Err(fault),
        }
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

    /// A marker and a big-endian number of so many bytes, in one append.
    #[inline(always)]
    fn marked<const N: usize>(&mut self, marker: u8, number: [u8; N]) {
        let mut bytes = [0; 9];
        bytes[0] = marker;
        bytes[1..=N].copy_from_slice(&number);
        self.out.extend_from_slice(&bytes[..=N]);
    }

    #[inline(always)]
    fn unsigned(&mut self, v: u64) {
        match v {
            0..=0x7f => self.out.push(v as u8),
            0x80..=0xff => self.out.extend_from_slice(&[marker::UINT_8, v as u8]),
            0x100..=0xffff => self.marked(marker::UINT_16, (v as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.marked(marker::UINT_32, (v as u32).to_be_bytes()),
            _ => self.marked(marker::UINT_64, v.to_be_bytes()),
        }
    }

    #[inline(never)]
    fn negative(&mut self, v: i64) {
        match v {
            -32..0 => self.out.push(v as u8),
            -0x80..-32 => self.out.extend_from_slice(&[marker::INT_8, v as u8]),
            -0x8000..-0x80 => self.marked(marker::INT_16, (v as i16).to_be_bytes()),
            -0x8000_0000..-0x8000 => self.marked(marker::INT_32, (v as i32).to_be_bytes()),
            _ => self.marked(marker::INT_64, v.to_be_bytes()),
        }
    }

    /// The header of a list or map: up to 15 in the marker itself, then 16 or 32 bits.
    #[inline]
    fn counted(&mut self, len: usize, fix: u8, sixteen: u8) -> bool {
        match len {
            0..=15 => self.out.push(fix | len as u8),
            16..=0xffff => self.marked(sixteen, (len as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.marked(sixteen + 1, (len as u32).to_be_bytes()),
            _ => {
                self.too_long();
                return false;
            }
        }
        true
    }

    #[cold]
    fn too_long(&mut self) {
        self.fail(Fault::new(Why::Unsupported {
            format: "msgpack",
            what: "more than 4,294,967,295 bytes or items in one value",
        }));
    }
}

impl Sink for Writer<'_> {
    #[inline]
    fn open(&mut self, schema: &'static Schema) -> Option<At> {
        if !self.enter() {
            return None;
        }
        let header = self.out.len();
        if schema.fields.len() < 16 {
            self.out.push(marker::FIX_MAP);
        } else {
            // The tables of a schema index fields by 16 bits, so that 16 are enough here.
            self.out.extend_from_slice(&[marker::MAP_16, 0, 0]);
        }
        Some(At { a: header, b: 0 })
    }

    #[inline(always)]
    fn field(&mut self, at: &mut At, schema: &'static Schema, index: usize, empty: bool) -> bool {
        let field = &schema.fields[index];
        if empty && field.omit_empty {
            return false;
        }
        at.b += 1;
        self.out.extend_from_slice(field.packed_key);
        true
    }

    #[inline]
    fn close(&mut self, at: At) {
        self.depth -= 1;
        match &mut self.out[at.a..] {
            [marker::MAP_16, high, low, ..] => [*high, *low] = (at.b as u16).to_be_bytes(),
            [header, ..] => *header |= at.b as u8,
            [] => {}
        }
    }

    #[inline]
    fn list(&mut self, _: &'static Shape, len: usize) -> Option<At> {
        let counted = self.counted(len, marker::FIX_ARRAY, marker::ARRAY_16);
        (counted && self.enter()).then(At::default)
    }

    #[inline]
    fn item(&mut self, _: &mut At) {}

    #[inline]
    fn list_end(&mut self, _: At) {
        self.depth -= 1;
    }

    #[inline]
    fn map(&mut self, _: &'static Shape, len: usize) -> Option<At> {
        let counted = self.counted(len, marker::FIX_MAP, marker::MAP_16);
        (counted && self.enter()).then(At::default)
    }

    #[inline]
    fn key(&mut self, _: &mut At, _: &'static Shape, _: bool) -> bool {
        true
    }

    #[inline]
    fn value(&mut self, _: &mut At, _: &'static Shape, _: bool) -> bool {
        true
    }

    #[inline]
    fn entry_end(&mut self, _: &mut At) {}

    #[inline]
    fn map_end(&mut self, _: At) {
        self.depth -= 1;
    }

    #[inline]
    fn none(&mut self) {
        self.out.push(marker::NIL);
    }

    #[inline]
    fn bool(&mut self, v: bool) {
        self.out.push(marker::FALSE | u8::from(v));
    }

    /// The shortest form: Go's reader takes any width for any integer field.
    #[inline(never)]
    fn int(&mut self, v: i64, _: Kind, _: Pack) {
        if v >= 0 { self.unsigned(v as u64) } else { self.negative(v) }
    }

    #[inline(never)]
    fn uint(&mut self, v: u64, _: Kind, _: Pack) {
        self.unsigned(v);
    }

    #[inline]
    fn float(&mut self, v: f64, kind: Kind) {
        match kind {
            Kind::F32 => self.marked(marker::FLOAT_32, (v as f32).to_be_bytes()),
            _ => self.marked(marker::FLOAT_64, v.to_be_bytes()),
        }
    }

    #[inline(never)]
    fn text(&mut self, v: &str) {
        let len = v.len();
        match len {
            0..=31 => self.out.push(marker::FIX_STR | len as u8),
            32..=0xff => self.out.extend_from_slice(&[marker::STR_8, len as u8]),
            0x100..=0xffff => self.marked(marker::STR_16, (len as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.marked(marker::STR_32, (len as u32).to_be_bytes()),
            _ => return self.too_long(),
        }
        self.out.extend_from_slice(v.as_bytes());
    }

    #[inline(never)]
    fn bytes(&mut self, v: &[u8]) {
        let len = v.len();
        match len {
            0..=0xff => self.out.extend_from_slice(&[marker::BIN_8, len as u8]),
            0x100..=0xffff => self.marked(marker::BIN_16, (len as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.marked(marker::BIN_32, (len as u32).to_be_bytes()),
            _ => return self.too_long(),
        }
        self.out.extend_from_slice(v);
    }

    #[inline]
    fn choice(&mut self, v: i32, _: &'static Names) {
        self.int(v.into(), Kind::I32, Pack::Plain);
    }

    /// The timestamp extension in its shortest form (MessagePack specification, "Timestamp
    /// extension type"): 32 bits of seconds; 30 of nanoseconds and 34 of seconds; 32 and 64.
    fn time(&mut self, v: Timestamp) {
        let nanos = u64::from(v.nanos);
        match u64::try_from(v.seconds) {
            Ok(seconds @ ..0x1_0000_0000) if nanos == 0 => {
                self.out.extend_from_slice(&[marker::FIX_EXT_4, marker::TIMESTAMP]);
                self.out.extend_from_slice(&(seconds as u32).to_be_bytes());
            }
            Ok(seconds @ ..0x4_0000_0000) => {
                self.out.extend_from_slice(&[marker::FIX_EXT_8, marker::TIMESTAMP]);
                self.out.extend_from_slice(&(nanos << 34 | seconds).to_be_bytes());
            }
            _ => {
                self.out.extend_from_slice(&[marker::EXT_8, 12, marker::TIMESTAMP]);
                self.out.extend_from_slice(&v.nanos.to_be_bytes());
                self.out.extend_from_slice(&v.seconds.to_be_bytes());
            }
        }
    }

    /// Go's `time.Duration`: an int64 of nanoseconds.
    fn span(&mut self, v: Duration) {
        match i64::try_from(v.as_nanos()) {
            Ok(nanos) => self.int(nanos, Kind::I64, Pack::Plain),
            Err(_) => self.fail(Fault::new(Why::OutOfRange { want: "Go's time.Duration" })),
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
