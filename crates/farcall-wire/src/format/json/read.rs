//! Reading messages from JSON.
//!
//! The key of the field after the last one is compared in place, quotes and colon included;
//! anything else goes through the tables of the schema.

use super::parser::{KEY, LATER, PAIRS, ROW, Reader, VALUE};
use super::{number, paired, time};
use crate::format::{SHARE_FROM, begins_with, utf8};
use farcall_core::{
    At, END, Fault, Kind, Names, Next, Pack, Part, Schema, Shape, Source, Str, Timestamp, Why,
};
use std::time::Duration;

impl Source for Reader<'_> {
    fn open(&mut self, _: &'static Schema) -> Result<At, Fault> {
        if self.row {
            return self.open_row();
        }
        self.enter(b'{', "an object")
    }

    fn field(&mut self, at: &mut At, schema: &'static Schema) -> Result<usize, Fault> {
        if at.a == ROW {
            return self.row_field(at, schema);
        }
        while self.more(at, b'}')? {
            self.peek();
            let index = match schema.fields.get(at.b) {
                Some(field)
                    if begins_with(&self.src.as_bytes()[self.pos..], field.json_key.as_bytes()) =>
                {
                    self.pos += field.json_key.len();
                    at.b
                }
                _ => self.find(schema)?,
            };
            if index == END {
                self.skip()?;
                continue;
            }
            at.b = index + 1;
            if !self.null()? {
                return Ok(index);
            }
        }
        Ok(END)
    }

    fn list(&mut self, _: &'static Shape) -> Result<At, Fault> {
        self.enter(b'[', "a list")
    }

    fn item(&mut self, at: &mut At) -> Result<bool, Fault> {
        self.more(at, b']')
    }

    fn map(&mut self, shape: &'static Shape) -> Result<At, Fault> {
        if !paired(shape) {
            return self.enter(b'{', "an object");
        }
        let at = self.enter(b'[', "a list of keys and values")?;
        Ok(At { b: PAIRS, ..at })
    }

    fn part(&mut self, at: &mut At) -> Result<Part, Fault> {
        match at.a {
            _ if at.b == PAIRS => self.pair(at),
            KEY => {
                self.eat(b':', "a colon follows the key")?;
                at.a = VALUE;
                Ok(Part::Value)
            }
            VALUE => {
                at.a = LATER;
                Ok(Part::Entry)
            }
            _ => {
                if !self.more(at, b'}')? {
                    return Ok(Part::End);
                }
                // Keys that are numbers are quoted too.
                if self.peek() != b'"' {
                    return self.syntax("keys are text in quotes");
                }
                at.a = KEY;
                Ok(Part::Key)
            }
        }
    }

    fn none(&mut self) -> Result<bool, Fault> {
        self.null()
    }

    fn bool(&mut self) -> Result<bool, Fault> {
        match self.peek() {
            b't' => self.word("true").map(|()| true),
            b'f' => self.word("false").map(|()| false),
            b'n' => self.word("null").map(|()| false),
            _ => self.unexpected("bool"),
        }
    }

    fn int(&mut self, kind: Kind, _: Pack) -> Result<i64, Fault> {
        let (negative, v) = self.whole(kind)?;
        let most = match kind {
            Kind::I8 => i8::MAX as u64,
            Kind::I16 => i16::MAX as u64,
            Kind::I32 => i32::MAX as u64,
            _ => i64::MAX as u64,
        };
        if v > most + u64::from(negative) {
            return self.fault(Why::OutOfRange { want: kind.name() });
        }
        Ok(if negative { (v as i64).wrapping_neg() } else { v as i64 })
    }

    fn uint(&mut self, kind: Kind, _: Pack) -> Result<u64, Fault> {
        let (negative, v) = self.whole(kind)?;
        let most = match kind {
            Kind::U8 => u8::MAX.into(),
            Kind::U16 => u16::MAX.into(),
            Kind::U32 => u32::MAX.into(),
            _ => u64::MAX,
        };
        if v > most || negative && v != 0 {
            return self.fault(Why::OutOfRange { want: kind.name() });
        }
        Ok(v)
    }

    fn float(&mut self, kind: Kind) -> Result<f64, Fault> {
        if self.null()? {
            return Ok(0.0);
        }
        let Some((end, _)) = number::scan(self.src.as_bytes(), self.pos) else {
            return self.unexpected(kind.name());
        };
        let text = self.src.get(self.pos..end).unwrap_or_default();
        // Read at its own width: by way of `f64` an `f32` would be rounded twice.
        let v = match kind {
            Kind::F32 => text.parse::<f32>().map(f64::from),
            _ => text.parse(),
        };
        match v {
            Ok(v) if v.is_finite() => {
                self.pos = end;
                Ok(v)
            }
            _ => self.fault(Why::OutOfRange { want: kind.name() }),
        }
    }

    fn text(&mut self) -> Result<&str, Fault> {
        if self.null()? {
            return Ok("");
        }
        let range = self.string("text")?;
        Ok(self.lend(range))
    }

    fn bytes(&mut self) -> Result<&[u8], Fault> {
        self.fill_bytes()?;
        Ok(&self.bytes)
    }

    fn choice(&mut self, names: &'static Names) -> Result<i32, Fault> {
        let at = self.pos;
        // A digit after the quote: the number as the key of a map.
        let digit = |b: &u8| b.is_ascii_digit() || *b == b'-';
        let number =
            if self.peek() == b'"' && !self.src.as_bytes().get(self.pos + 1).is_some_and(digit) {
                let range = self.string("an enum")?;
                names.number_of(self.lend(range))
            } else {
                let number = self.int(Kind::I32, Pack::Plain)? as i32;
                (names.open || names.name_of(number).is_some()).then_some(number)
            };
        number.ok_or_else(|| Fault::at(Why::NoSuchChoice { of: names.name }, at))
    }

    fn time(&mut self) -> Result<Timestamp, Fault> {
        if self.null()? {
            return Ok(Timestamp::default());
        }
        let at = self.pos;
        let range = self.string("a timestamp")?;
        match time::read(self.lend(range).as_bytes()) {
            Some(time) => Ok(time),
            None => Err(Fault::at(Why::Syntax("text that stands for a time is not RFC 3339"), at)),
        }
    }

    fn span(&mut self) -> Result<Duration, Fault> {
        match u64::try_from(self.int(Kind::I64, Pack::Plain)?) {
            Ok(nanos) => Ok(Duration::from_nanos(nanos)),
            Err(_) => self.fault(Why::OutOfRange { want: "a duration; it is negative" }),
        }
    }

    fn next(&mut self) -> Result<Next, Fault> {
        Ok(match self.peek() {
            b'n' => Next::Null,
            b't' | b'f' => Next::Bool,
            b'"' => Next::Text,
            b'[' => Next::List,
            b'{' => Next::Map,
            b'-' | b'0'..=b'9' => {
                let Some((end, whole)) = number::scan(self.src.as_bytes(), self.pos) else {
                    return self.syntax("a number is malformed");
                };
                let text = self.src.get(self.pos..end).unwrap_or_default();
                match whole {
                    true if text.parse::<i64>().is_ok() => Next::Int,
                    true if text.parse::<u64>().is_ok() => Next::Uint,
                    _ => Next::Float,
                }
            }
            _ => return self.syntax("a value was expected"),
        })
    }

    fn shared_text(&mut self) -> Result<Str, Fault> {
        if self.null()? {
            return Ok(Str::new());
        }
        let range = self.string("text")?;
        if let Some((start, end)) = range
            && end - start >= SHARE_FROM
            && let Some(text) = utf8::share(self.frame, start, end)
        {
            return Ok(text);
        }
        Ok(Str::from(self.lend(range)))
    }

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
