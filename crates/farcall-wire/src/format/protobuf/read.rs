//! Reading messages from protobuf.
//!
//! Fields mostly come in the order of their numbers, so the key of the field after the last one is
//! compared first; anything else goes through the table by number. Nothing is copied on the way:
//! text and bytes are lent from the body.

use super::parser::{CLASSES, FIRST, NEXT, Reader, class_bits, class_name};
use super::{FORMAT, refused_item, refused_key};
use crate::format::{share, utf8};
use bytes::Bytes;
use farcall_core::{
    At, Complex, END, Fault, Kind, Names, Next, Pack, Part, Schema, Shape, Source, Str, Timestamp,
    Why,
};
use std::time::Duration;

impl Source for Reader<'_> {
    #[inline(always)]
    fn open(&mut self, _: &'static Schema) -> Result<At, Fault> {
        self.depth += 1;
        let at = At { a: self.end, b: 0 };
        if self.depth == 1 {
            return Ok(at);
        }
        if self.depth > self.limit {
            return self.too_deep();
        }
        let (start, end) = self.range()?;
        self.pos = start;
        self.end = end;
        Ok(at)
    }

    #[inline(always)]
    fn field(&mut self, at: &mut At, schema: &'static Schema) -> Result<usize, Fault> {
        loop {
            if self.pos >= self.end {
                if self.pos > self.end {
                    return self.fault(Why::Overrun);
                }
                self.end = at.a;
                self.depth -= 1;
                return Ok(END);
            }
            let key = self.varint()?;
            if let Some(field) = schema.fields.get(at.b)
                && u64::from(field.tag) == key
            {
                self.key = key as u32;
                at.b += 1;
                return Ok(at.b - 1);
            }
            let index = self.find(at, schema, key)?;
            if index != END {
                return Ok(index);
            }
        }
    }

    #[inline(always)]
    fn list(&mut self, shape: &'static Shape) -> Result<At, Fault> {
        let (Shape::List(item) | Shape::Array(item, _)) = shape else {
            return Ok(At { a: self.pos, b: 0 });
        };
        if item.scalar() && self.key & 7 == 2 {
            let (start, end) = self.range()?;
            self.pos = start;
            let narrowest = match item.class() {
                1 => 8,
                5 => 4,
                _ => 1,
            };
            return Ok(At { a: end, b: (end - start) / narrowest });
        }
        if let Some(what) = refused_item(item) {
            return self.fault(Why::Unsupported { format: FORMAT, what });
        }
        Ok(At { a: FIRST, b: self.key as usize })
    }

    /// Items that bring a key each mostly stand side by side: they are taken in one go, which
    /// arrays depend on.
    #[inline(always)]
    fn item(&mut self, at: &mut At) -> Result<bool, Fault> {
        match at.a {
            FIRST => {
                at.a = NEXT;
                Ok(true)
            }
            NEXT => Ok(self.again(at.b)),
            end if self.pos > end => self.fault(Why::Overrun),
            end => Ok(self.pos < end),
        }
    }

    fn map(&mut self, shape: &'static Shape) -> Result<At, Fault> {
        let Shape::Map(key, value) = shape else { return Ok(At { a: NEXT, b: 0 }) };
        if let Some(what) = refused_key(key).or(refused_item(value)) {
            return self.fault(Why::Unsupported { format: FORMAT, what });
        }
        let (start, end) = self.range()?;
        self.pos = start;
        let classes = class_bits(key) | class_bits(value) << 2;
        let number = u64::from(self.key >> 3);
        // Where a word has 32 bits the largest numbers do not fit beside the wire types: such maps
        // are read entry by entry.
        let both = usize::try_from(number << 4 | u64::from(classes)).unwrap_or(classes as usize);
        Ok(At { a: end, b: both })
    }

    /// "key and value in any order, missing ones are defaults": encoding guide, "Maps".
    fn part(&mut self, at: &mut At) -> Result<Part, Fault> {
        if at.a == NEXT {
            let number = at.b >> 4;
            if number == 0 || !self.again(number << 3 | 2) {
                return Ok(Part::End);
            }
            let (start, end) = self.range()?;
            self.pos = start;
            at.a = end;
        }
        while self.pos < at.a {
            let key = self.varint()?;
            let (part, bits) = match key >> 3 {
                1 => (Part::Key, at.b & 3),
                2 => (Part::Value, at.b >> 2 & 3),
                0 => return self.fault(Why::Syntax("a field number is out of range")),
                _ => {
                    self.skip(key)?;
                    continue;
                }
            };
            self.key = key as u32;
            if self.key & 7 != CLASSES[bits] {
                let got = class_name(self.key & 7);
                return self.fault(Why::WrongType { want: "another half of a map entry", got });
            }
            return Ok(part);
        }
        if self.pos > at.a {
            return self.fault(Why::Overrun);
        }
        at.a = NEXT;
        Ok(Part::Entry)
    }

    /// Absence is the absence of the field. Only the root has nothing around it to be absent from.
    #[inline(always)]
    fn none(&mut self) -> Result<bool, Fault> {
        Ok(self.depth == 0 && self.buf.is_empty())
    }

    #[inline(always)]
    fn bool(&mut self) -> Result<bool, Fault> {
        Ok(self.varint()? != 0)
    }

    #[inline(always)]
    fn int(&mut self, kind: Kind, pack: Pack) -> Result<i64, Fault> {
        if kind == Kind::I64 {
            return Ok(match pack {
                Pack::Plain => self.varint()? as i64,
                Pack::Zigzag => {
                    let v = self.varint()?;
                    (v >> 1) as i64 ^ -((v & 1) as i64)
                }
                Pack::Fixed => i64::from_le_bytes(self.fixed()?),
            });
        }
        let v = match pack {
            Pack::Plain => self.varint()? as i32,
            Pack::Zigzag => {
                let v = self.varint()? as u32;
                (v >> 1) as i32 ^ -((v & 1) as i32)
            }
            Pack::Fixed => i32::from_le_bytes(self.fixed()?),
        };
        self.narrow_int(v, kind)
    }

    #[inline(always)]
    fn uint(&mut self, kind: Kind, pack: Pack) -> Result<u64, Fault> {
        match (kind, pack) {
            (Kind::U64, Pack::Fixed) => Ok(u64::from_le_bytes(self.fixed()?)),
            (Kind::U64, _) => self.varint(),
            (_, Pack::Fixed) => {
                let v = u32::from_le_bytes(self.fixed()?);
                self.narrow_uint(v, kind)
            }
            _ => {
                let v = self.varint()? as u32;
                self.narrow_uint(v, kind)
            }
        }
    }

    #[inline(always)]
    fn float(&mut self, kind: Kind) -> Result<f64, Fault> {
        match kind {
            Kind::F32 => Ok(f32::from_le_bytes(self.fixed()?).into()),
            _ => Ok(f64::from_le_bytes(self.fixed()?)),
        }
    }

    #[inline(never)]
    fn text(&mut self) -> Result<&str, Fault> {
        let (start, end) = self.range()?;
        match utf8::check(&self.buf[start..end]) {
            Some(text) => Ok(text),
            None => Err(Fault::at(Why::NotUtf8, start)),
        }
    }

    #[inline(never)]
    fn bytes(&mut self) -> Result<&[u8], Fault> {
        let (start, end) = self.range()?;
        Ok(&self.buf[start..end])
    }

    fn choice(&mut self, names: &'static Names) -> Result<i32, Fault> {
        let number = self.varint()? as i32;
        if !names.open && names.name_of(number).is_none() {
            return self.fault(Why::NoSuchChoice { of: names.name });
        }
        Ok(number)
    }

    fn time(&mut self) -> Result<Timestamp, Fault> {
        self.time_after(Timestamp::default())
    }

    fn span(&mut self) -> Result<Duration, Fault> {
        self.span_after(Duration::ZERO)
    }

    fn time_after(&mut self, before: Timestamp) -> Result<Timestamp, Fault> {
        let before = (before.seconds, before.nanos);
        let (seconds, nanos) = self.seconds(before, "google.protobuf.Timestamp")?;
        Ok(Timestamp { seconds, nanos })
    }

    fn span_after(&mut self, before: Duration) -> Result<Duration, Fault> {
        // A value that was read fits.
        let before = (before.as_secs() as i64, before.subsec_nanos());
        let (seconds, nanos) = self.seconds(before, "google.protobuf.Duration")?;
        match u64::try_from(seconds) {
            Ok(seconds) => Ok(Duration::new(seconds, nanos)),
            Err(_) => self.fault(Why::OutOfRange { want: "a duration; it is negative" }),
        }
    }

    fn complex(&mut self) -> Result<Complex, Fault> {
        self.complex_after(Complex::default())
    }

    fn complex_after(&mut self, before: Complex) -> Result<Complex, Fault> {
        self.parts(before)
    }

    fn next(&mut self) -> Result<Next, Fault> {
        self.fault(Why::no_dynamic(FORMAT))
    }

    fn shared_text(&mut self) -> Result<Str, Fault> {
        let (start, end) = self.range()?;
        match utf8::share(self.frame, start, end) {
            Some(text) => Ok(text),
            None => Err(Fault::at(Why::NotUtf8, start)),
        }
    }

    fn shared_bytes(&mut self) -> Result<Bytes, Fault> {
        let (start, end) = self.range()?;
        Ok(share(self.frame, start, end))
    }

    #[inline(always)]
    fn merges(&self) -> bool {
        true
    }

    fn room(&self, at: &At) -> usize {
        if at.a >= NEXT { 0 } else { at.b }
    }

    #[inline]
    fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        match self.budget.checked_sub(bytes) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => self.fault(Why::TooLarge { limit: self.bounds.decoded_bytes }),
        }
    }
}
