//! Reading messages from gob.
//!
//! Where a plan applies, types were compared before: a value is read as what it must be. Where ours
//! is [`Value`](farcall_core::Value), the peer's types say what comes.

use super::fit::{Node, SKIP, Spot};
use super::parser::{ARRAY_LENGTH, ENTRY, KEY, Reader, UNDEFINED, VALUE};
use super::types::{self, Def, IsTime};
use super::{ints, time};
use crate::format::{share, utf8};
use bytes::Bytes;
use farcall_core::{
    At, Complex, END, Fault, Kind, Names, Next, Pack, Part, Schema, Shape, Source, Str, Timestamp,
    Why,
};
use std::time::Duration;

impl Source for Reader<'_> {
    #[inline]
    fn open(&mut self, _: &'static Schema) -> Result<At, Fault> {
        self.enter()?;
        Ok(At { a: self.here.index(), b: 0 })
    }

    #[inline]
    fn field(&mut self, at: &mut At, _: &'static Schema) -> Result<usize, Fault> {
        let nodes = self.nodes;
        let (steps, times) = match nodes.get(at.a) {
            Some(Node::Struct { steps, times }) => (&**steps, *times),
            Some(Node::Nothing { id }) => {
                self.skip(*id)?;
                self.depth -= 1;
                return Ok(END);
            }
            _ => return self.fault(UNDEFINED),
        };
        loop {
            let target = self.target(at.b, steps.len())?;
            if times && let Some(gap) = steps.get(at.b..target) {
                // Go leaves out a zero time, which is year 1 and not our zero.
                if let Some(skipped) = gap.iter().position(|step| step.time) {
                    self.target = target;
                    self.absent = true;
                    at.b += skipped + 1;
                    return Ok(steps[at.b - 1].field);
                }
            }
            let Some(step) = steps.get(target) else {
                self.depth -= 1;
                return Ok(END);
            };
            at.b = target + 1;
            if step.field != SKIP {
                self.here = step.spot;
                return Ok(step.field);
            }
            self.skip(step.spot.id().unwrap_or(0))?;
        }
    }

    fn list(&mut self, _: &'static Shape) -> Result<At, Fault> {
        self.enter()?;
        let (item, len) = match self.here.id() {
            None => match self.nodes.get(self.here.index()) {
                Some(Node::List { item, len }) => (*item, *len),
                _ => return self.fault(UNDEFINED),
            },
            // Two floats.
            Some(types::COMPLEX) => return Ok(At { a: 2, b: Spot::wire(types::FLOAT).0 }),
            Some(id) => match self.types.get(id) {
                Some(Def::Slice { elem }) => (Spot::wire(*elem), None),
                Some(Def::Array { elem, len }) => (Spot::wire(*elem), Some(*len)),
                _ => return self.fault(UNDEFINED),
            },
        };
        let count = self.count(1)?;
        if len.is_some_and(|len| len != count) {
            return self.fault(ARRAY_LENGTH);
        }
        Ok(At { a: count, b: item.0 })
    }

    #[inline]
    fn item(&mut self, at: &mut At) -> Result<bool, Fault> {
        if at.a == 0 {
            self.depth -= 1;
            return Ok(false);
        }
        // A struct may end with the message and so take no byte: here it must take one.
        if self.from.left() == 0 {
            return self.fault(Why::CutShort);
        }
        at.a -= 1;
        self.here = Spot(at.b);
        Ok(true)
    }

    fn map(&mut self, _: &'static Shape) -> Result<At, Fault> {
        self.enter()?;
        let at = At { a: KEY, b: self.here.0 };
        if self.fields_of(&at).is_some() {
            return Ok(at);
        }
        Ok(At { a: self.count(2)? << 2, b: at.b })
    }

    fn part(&mut self, at: &mut At) -> Result<Part, Fault> {
        let spot = Spot(at.b);
        let (key, value) = match spot.id() {
            None => match self.nodes.get(spot.index()) {
                Some(Node::Map { key, value }) => (*key, *value),
                _ => return self.fault(UNDEFINED),
            },
            Some(id) => match self.types.get(id) {
                Some(Def::Map { key, value }) => (Spot::wire(*key), Spot::wire(*value)),
                Some(Def::Struct { fields }) => return self.struct_part(at, fields),
                _ => return self.fault(UNDEFINED),
            },
        };
        match at.a & 3 {
            VALUE => {
                at.a += 1;
                self.here = value;
                Ok(Part::Value)
            }
            ENTRY => {
                at.a -= 4 + ENTRY;
                Ok(Part::Entry)
            }
            _ if at.a == 0 => {
                self.depth -= 1;
                Ok(Part::End)
            }
            _ => {
                if self.from.left() == 0 {
                    return self.fault(Why::CutShort);
                }
                at.a += 1;
                self.here = key;
                Ok(Part::Key)
            }
        }
    }

    /// What is not there is not sent. Only an interface can be there and nil.
    #[inline]
    fn none(&mut self) -> Result<bool, Fault> {
        if self.here.id().is_none() {
            return Ok(false);
        }
        let nil = self.absent
            || (self.here == Spot::wire(types::INTERFACE)
                && self.from.buf.get(self.from.pos) == Some(&0));
        if nil && !std::mem::take(&mut self.absent) {
            self.from.pos += 1;
        }
        Ok(nil)
    }

    #[inline]
    fn bool(&mut self) -> Result<bool, Fault> {
        Ok(self.num()? != 0)
    }

    #[inline]
    fn int(&mut self, kind: Kind, _: Pack) -> Result<i64, Fault> {
        let v = self.num()?;
        // A dynamic value takes an unsigned number for a signed one, if it fits.
        let v = if self.here == Spot::wire(types::UINT) { v as i64 } else { ints::signed(v) };
        let fits = match kind {
            Kind::I32 => i32::try_from(v).is_ok(),
            Kind::I16 => i16::try_from(v).is_ok(),
            Kind::I8 => i8::try_from(v).is_ok(),
            _ => true,
        };
        if fits { Ok(v) } else { self.fault(Why::OutOfRange { want: kind.name() }) }
    }

    #[inline]
    fn uint(&mut self, kind: Kind, _: Pack) -> Result<u64, Fault> {
        let v = self.num()?;
        let most = match kind {
            Kind::U8 => u8::MAX.into(),
            Kind::U16 => u16::MAX.into(),
            Kind::U32 => u32::MAX.into(),
            _ => u64::MAX,
        };
        if v <= most { Ok(v) } else { self.fault(Why::OutOfRange { want: kind.name() }) }
    }

    /// As Go: infinity and what is too small for an `f32` pass, what is too large does not.
    #[inline]
    fn float(&mut self, kind: Kind) -> Result<f64, Fault> {
        let v = ints::float(self.num()?);
        if kind == Kind::F32 && v.is_finite() && v.abs() > f32::MAX.into() {
            return self.fault(Why::OutOfRange { want: kind.name() });
        }
        Ok(v)
    }

    fn text(&mut self) -> Result<&str, Fault> {
        if let Some(name) = self.name.take() {
            return Ok(name);
        }
        let (start, end) = self.blob()?;
        match utf8::check(&self.from.buf[start..end]) {
            Some(text) => Ok(text),
            None => Err(Fault::at(Why::NotUtf8, start)),
        }
    }

    fn bytes(&mut self) -> Result<&[u8], Fault> {
        let (start, end) = self.blob()?;
        Ok(&self.from.buf[start..end])
    }

    /// `[N]byte` is an array of numbers, each below 128 one byte.
    fn byte_array(&mut self) -> Result<&[u8], Fault> {
        let count = self.count(1)?;
        self.scratch.clear();
        for _ in 0..count {
            match u8::try_from(self.num()?) {
                Ok(byte) => self.scratch.push(byte),
                Err(_) => return self.fault(Why::OutOfRange { want: Kind::U8.name() }),
            }
        }
        Ok(&self.scratch)
    }

    fn choice(&mut self, names: &'static Names) -> Result<i32, Fault> {
        let number = self.int(Kind::I32, Pack::Plain)? as i32;
        if !names.open && names.name_of(number).is_none() {
            return self.fault(Why::NoSuchChoice { of: names.name });
        }
        Ok(number)
    }

    fn time(&mut self) -> Result<Timestamp, Fault> {
        if std::mem::take(&mut self.absent) {
            return Ok(Timestamp::GO_ZERO);
        }
        let (start, end) = self.blob()?;
        match time::read(&self.from.buf[start..end]) {
            Some(time) => Ok(time),
            None => Err(Fault::at(Why::Syntax("not the bytes of a time.Time"), start)),
        }
    }

    fn span(&mut self) -> Result<Duration, Fault> {
        match u64::try_from(self.int(Kind::I64, Pack::Plain)?) {
            Ok(nanos) => Ok(Duration::from_nanos(nanos)),
            Err(_) => self.fault(Why::OutOfRange { want: "a duration; it is negative" }),
        }
    }

    fn complex(&mut self) -> Result<Complex, Fault> {
        let (re, im) = (self.num()?, self.num()?);
        Ok(Complex { re: ints::float(re), im: ints::float(im) })
    }

    fn next(&mut self) -> Result<Next, Fault> {
        if self.name.is_some() {
            return Ok(Next::Text);
        }
        loop {
            let Some(id) = self.here.id() else { return self.fault(UNDEFINED) };
            if self.absent {
                return Ok(self.next_zero(id));
            }
            let mut ahead = self.from;
            return Ok(match id {
                types::BOOL => Next::Bool,
                types::INT => Next::Int,
                types::UINT => match ahead.uint() {
                    Ok(v) if i64::try_from(v).is_err() => Next::Uint,
                    _ => Next::Int,
                },
                types::FLOAT => Next::Float,
                types::BYTES => Next::Bytes,
                // Go's strings hold any bytes.
                types::TEXT => match ahead.blob() {
                    Ok(text) if utf8::check(text).is_none() => Next::Bytes,
                    _ => Next::Text,
                },
                types::COMPLEX => Next::List,
                types::INTERFACE => {
                    if ahead.uint() == Ok(0) {
                        return Ok(Next::Null);
                    }
                    let inner = self.interface()?;
                    self.here = Spot::wire(inner.unwrap_or(0));
                    continue;
                }
                _ => match self.types.get(id) {
                    Some(Def::Slice { .. } | Def::Array { .. }) => Next::List,
                    Some(Def::Map { .. } | Def::Struct { .. }) => Next::Map,
                    Some(Def::Opaque { time: IsTime::Named | IsTime::Perhaps, .. })
                        if ahead.blob().is_ok_and(|bytes| time::read(bytes).is_some()) =>
                    {
                        Next::Time
                    }
                    Some(Def::Opaque { .. }) => Next::Bytes,
                    None => return self.fault(UNDEFINED),
                },
            });
        }
    }

    fn shared_text(&mut self) -> Result<Str, Fault> {
        let (start, end) = self.blob()?;
        match utf8::share(self.frame, start, end) {
            Some(text) => Ok(text),
            None => Err(Fault::at(Why::NotUtf8, start)),
        }
    }

    fn shared_bytes(&mut self) -> Result<Bytes, Fault> {
        let (start, end) = self.blob()?;
        Ok(share(self.frame, start, end))
    }

    fn room(&self, at: &At) -> usize {
        at.a.min(self.from.left())
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
