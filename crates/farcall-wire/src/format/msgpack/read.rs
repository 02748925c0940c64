//! Reading messages from MessagePack.
//!
//! Fields mostly come in the order of the schema, so the packed name of the field after the last
//! one is compared in place before any look-up.

use super::marker;
use super::parser::{AS_ARRAY, Integer, Reader};
use crate::format::{begins_with, share, utf8};
use bytes::Bytes;
use farcall_core::{
    At, END, Fault, Kind, Names, Next, Pack, Part, Schema, Shape, Source, Str, Timestamp, Why,
};
use std::time::Duration;

impl Source for Reader<'_> {
    fn open(&mut self, schema: &'static Schema) -> Result<At, Fault> {
        self.enter()?;
        let marker = self.marker()?;
        if matches!(marker, marker::FIX_ARRAY..marker::FIX_STR | marker::ARRAY_16) {
            // A struct with the tag `as_array`: all its fields or nothing.
            let len = self.array_len(marker, "a struct")?;
            if len != schema.fields.len() {
                let got = "a list of another number of values than the struct has fields";
                return self.fault(Why::WrongType { want: "a struct", got });
            }
            return Ok(At { a: len, b: AS_ARRAY });
        }
        Ok(At { a: self.map_len(marker, "a struct")?, b: 0 })
    }

    #[inline(never)]
    fn field(&mut self, at: &mut At, schema: &'static Schema) -> Result<usize, Fault> {
        loop {
            if at.a == 0 {
                self.depth -= 1;
                return Ok(END);
            }
            at.a -= 1;
            let expected = schema.fields.get(at.b);
            let index = match expected {
                Some(field) if begins_with(&self.buf[self.pos..], field.packed_key) => {
                    self.pos += field.packed_key.len();
                    at.b += 1;
                    at.b - 1
                }
                None if at.b == AS_ARRAY => schema.fields.len() - 1 - at.a,
                _ => self.find(at, schema)?,
            };
            // An unknown field was skipped, a nil is as good as absent.
            if index != END && !self.nil() {
                return Ok(index);
            }
        }
    }

    fn list(&mut self, _: &'static Shape) -> Result<At, Fault> {
        self.enter()?;
        let marker = self.marker()?;
        Ok(At { a: self.array_len(marker, "a list")?, b: 0 })
    }

    #[inline]
    fn item(&mut self, at: &mut At) -> Result<bool, Fault> {
        if at.a == 0 {
            self.depth -= 1;
            return Ok(false);
        }
        at.a -= 1;
        Ok(true)
    }

    fn map(&mut self, _: &'static Shape) -> Result<At, Fault> {
        self.enter()?;
        let marker = self.marker()?;
        Ok(At { a: self.map_len(marker, "a map")?, b: 0 })
    }

    #[inline]
    fn part(&mut self, at: &mut At) -> Result<Part, Fault> {
        match at.b {
            1 => {
                at.b = 2;
                Ok(Part::Value)
            }
            2 => {
                at.b = 0;
                Ok(Part::Entry)
            }
            _ if at.a == 0 => {
                self.depth -= 1;
                Ok(Part::End)
            }
            _ => {
                at.a -= 1;
                at.b = 1;
                Ok(Part::Key)
            }
        }
    }

    #[inline]
    fn none(&mut self) -> Result<bool, Fault> {
        Ok(self.nil())
    }

    #[inline]
    fn bool(&mut self) -> Result<bool, Fault> {
        match self.marker()? {
            marker::TRUE => Ok(true),
            marker::FALSE | marker::NIL => Ok(false),
            _ => self.unexpected("bool"),
        }
    }

    #[inline(never)]
    fn int(&mut self, kind: Kind, _: Pack) -> Result<i64, Fault> {
        let v = match self.integer(kind.name())? {
            Integer::Signed(v) => Some(v),
            Integer::Unsigned(v) => i64::try_from(v).ok(),
        };
        let fits = |v: &i64| match kind {
            Kind::I32 => i32::try_from(*v).is_ok(),
            Kind::I16 => i16::try_from(*v).is_ok(),
            Kind::I8 => i8::try_from(*v).is_ok(),
            _ => true,
        };
        match v.filter(fits) {
            Some(v) => Ok(v),
            None => self.fault(Why::OutOfRange { want: kind.name() }),
        }
    }

    #[inline(never)]
    fn uint(&mut self, kind: Kind, _: Pack) -> Result<u64, Fault> {
        let v = match self.integer(kind.name())? {
            Integer::Signed(v) => u64::try_from(v).ok(),
            Integer::Unsigned(v) => Some(v),
        };
        let most = match kind {
            Kind::U8 => u8::MAX.into(),
            Kind::U16 => u16::MAX.into(),
            Kind::U32 => u32::MAX.into(),
            _ => u64::MAX,
        };
        match v.filter(|v| *v <= most) {
            Some(v) => Ok(v),
            None => self.fault(Why::OutOfRange { want: kind.name() }),
        }
    }

    fn float(&mut self, kind: Kind) -> Result<f64, Fault> {
        match self.peek() {
            Some(marker::FLOAT_32) => {
                self.pos += 1;
                Ok(f32::from_bits(self.u32()?).into())
            }
            Some(marker::FLOAT_64) => {
                self.pos += 1;
                Ok(f64::from_bits(self.u64()?))
            }
            _ => match self.integer(kind.name())? {
                Integer::Signed(v) => Ok(v as f64),
                Integer::Unsigned(v) => Ok(v as f64),
            },
        }
    }

    #[inline(never)]
    fn text(&mut self) -> Result<&str, Fault> {
        let (start, end) = self.blob("text")?;
        match utf8::check(&self.buf[start..end]) {
            Some(text) => Ok(text),
            None => Err(Fault::at(Why::NotUtf8, start)),
        }
    }

    #[inline(never)]
    fn bytes(&mut self) -> Result<&[u8], Fault> {
        let (start, end) = self.blob("bytes")?;
        Ok(&self.buf[start..end])
    }

    fn choice(&mut self, names: &'static Names) -> Result<i32, Fault> {
        let number = match self.peek() {
            Some(marker::FIX_STR..=marker::FIX_STR_LAST | marker::STR_8..=marker::STR_32) => {
                names.number_of(self.text()?)
            }
            _ => {
                let number = self.int(Kind::I32, Pack::Plain)? as i32;
                (names.open || names.name_of(number).is_some()).then_some(number)
            }
        };
        match number {
            Some(number) => Ok(number),
            None => self.fault(Why::NoSuchChoice { of: names.name }),
        }
    }

    fn time(&mut self) -> Result<Timestamp, Fault> {
        if self.nil() {
            return Ok(Timestamp::default());
        }
        let marker = self.marker()?;
        let len = match marker {
            marker::FIX_EXT_4 => 4,
            marker::FIX_EXT_8 => 8,
            marker::EXT_8 => self.u8()?,
            _ => return self.unexpected("a timestamp"),
        };
        if self.u8()? != marker::TIMESTAMP {
            let got = "an extension of another type";
            return self.fault(Why::WrongType { want: "a timestamp", got });
        }
        let time = match len {
            4 => Timestamp { seconds: self.u32()?.into(), nanos: 0 },
            8 => {
                let both = self.u64()?;
                Timestamp { seconds: (both & 0x3_ffff_ffff) as i64, nanos: (both >> 34) as u32 }
            }
            12 => {
                let nanos = self.u32()?;
                Timestamp { seconds: self.u64()? as i64, nanos }
            }
            _ => return self.fault(Why::Syntax("a timestamp has 4, 8 or 12 bytes")),
        };
        if time.nanos > 999_999_999 {
            return self.fault(Why::OutOfRange { want: "a timestamp" });
        }
        Ok(time)
    }

    fn span(&mut self) -> Result<Duration, Fault> {
        match u64::try_from(self.int(Kind::I64, Pack::Plain)?) {
            Ok(nanos) => Ok(Duration::from_nanos(nanos)),
            Err(_) => self.fault(Why::OutOfRange { want: "a duration; it is negative" }),
        }
    }

    fn next(&mut self) -> Result<Next, Fault> {
        let Some(marker) = self.peek() else { return self.fault(Why::CutShort) };
        Ok(match marker {
            marker::NIL => Next::Null,
            marker::FALSE | marker::TRUE => Next::Bool,
            marker::FLOAT_32 | marker::FLOAT_64 => Next::Float,
            marker::FIX_MAP..marker::FIX_ARRAY | marker::MAP_16 | marker::MAP_32 => Next::Map,
            marker::FIX_ARRAY..marker::FIX_STR | marker::ARRAY_16 | marker::ARRAY_32 => Next::List,
            marker::FIX_STR..=marker::FIX_STR_LAST | marker::STR_8..=marker::STR_32 => Next::Text,
            marker::BIN_8..=marker::BIN_32 => Next::Bytes,
            // Above `i64::MAX` exactly if the first of its eight bytes is.
            marker::UINT_64 if self.buf.get(self.pos + 1).is_some_and(|b| *b >= 0x80) => Next::Uint,
            ..marker::FIX_MAP
            | marker::NEGATIVE..
            | marker::UINT_8..=marker::UINT_64
            | marker::INT_8..=marker::INT_64 => Next::Int,
            marker::UNUSED => return self.fault(Why::Syntax("the byte c1 begins no value")),
            // Extensions: the only one with a meaning is the timestamp, `time` checks that it is
            // one.
            _ => Next::Time,
        })
    }

    fn shared_text(&mut self) -> Result<Str, Fault> {
        let (start, end) = self.blob("text")?;
        match utf8::share(self.frame, start, end) {
            Some(text) => Ok(text),
            None => Err(Fault::at(Why::NotUtf8, start)),
        }
    }

    fn shared_bytes(&mut self) -> Result<Bytes, Fault> {
        let (start, end) = self.blob("bytes")?;
        Ok(share(self.frame, start, end))
    }

    fn room(&self, at: &At) -> usize {
        at.a.min(self.buf.len() - self.pos)
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
