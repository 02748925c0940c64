//! The encoding of protobuf: varints, lengths, keys, and how to pass over an unknown field.
//!
//! Varints of up to eight bytes are read in one step where the body goes on long enough. Nothing
//! here recurses.

use super::{PART_IM, PART_RE};
use bytes::Bytes;
use farcall_core::{At, Bounds, Complex, END, Fault, Field, Kind, Schema, Shape, Why};

/// `At::a` of a list whose items bring a key each, before its first item. Offsets never get there.
pub(super) const FIRST: usize = usize::MAX;
/// The same, after the first item; and `At::a` of a map between two entries.
pub(super) const NEXT: usize = usize::MAX - 1;

/// The source.
///
/// | | `At::a` | `At::b` |
/// |---|---|---|
/// | message | end of the message around it | index of the field to expect |
/// | packed list | end of the run | most items it can hold |
/// | other list | `FIRST` or `NEXT` | key of an item |
/// | map | end of the entry, or `NEXT` | number `<< 4`, wire types of key and value |
pub(super) struct Reader<'a> {
    pub(super) frame: &'a Bytes,
    pub(super) buf: &'a [u8],
    pub(super) pos: usize,
    /// Where the innermost message ends.
    pub(super) end: usize,
    pub(super) depth: u32,
    pub(super) limit: u32,
    /// The key of the field that was read last.
    pub(super) key: u32,
    /// What is left of `Bounds::decoded_bytes`.
    pub(super) budget: usize,
    pub(super) bounds: Bounds,
}

impl<'a> Reader<'a> {
    pub(super) fn new(frame: &'a Bytes, bounds: Bounds) -> Reader<'a> {
        Reader {
            frame,
            buf: frame,
            pos: 0,
            end: frame.len(),
            depth: 0,
            limit: bounds.depth,
            key: 0,
            budget: bounds.decoded_bytes,
            bounds,
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn fault<T>(&self, why: Why) -> Result<T, Fault> {
        Err(Fault::at(why, self.pos))
    }

    #[cold]
    #[inline(never)]
    pub(super) fn too_deep<T>(&self) -> Result<T, Fault> {
        self.fault(Why::TooDeep { limit: self.limit })
    }

    #[inline(always)]
    pub(super) fn varint(&mut self) -> Result<u64, Fault> {
        match self.buf.get(self.pos) {
            Some(&byte) if byte < 0x80 => {
                self.pos += 1;
                Ok(byte.into())
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    pub(super) fn long_varint(&mut self) -> Result<u64, Fault> {
        if let Some(word) = self.buf.get(self.pos..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*word);
            // The first byte without a continuation bit ends it; the groups of seven bits before it
            // are closed up pairwise.
            let last = !word & 0x8080_8080_8080_8080;
            if last != 0 {
                self.pos += last.trailing_zeros() as usize / 8 + 1;
                let v = word & (last ^ (last - 1)) & 0x7f7f_7f7f_7f7f_7f7f;
                let v = v & 0x007f_007f_007f_007f | (v & 0x7f00_7f00_7f00_7f00) >> 1;
                let v = v & 0x0000_3fff_0000_3fff | (v & 0x3fff_0000_3fff_0000) >> 2;
                return Ok(v & 0x0fff_ffff | (v & 0x0fff_ffff_0000_0000) >> 4);
            }
        }
        self.slow_varint()
    }

    /// Near the end of the body, and nine or ten bytes.
    #[inline(never)]
    pub(super) fn slow_varint(&mut self) -> Result<u64, Fault> {
        let mut v = 0;
        for group in 0..10 {
            let Some(&byte) = self.buf.get(self.pos) else { return self.fault(Why::CutShort) };
            if group == 9 && byte > 1 {
                break;
            }
            self.pos += 1;
            v |= u64::from(byte & 0x7f) << (7 * group);
            if byte < 0x80 {
                return Ok(v);
            }
        }
        self.fault(Why::Syntax("a varint is longer than 64 bits"))
    }

    /// A length and the range it covers, which must lie in the innermost message.
    #[inline(always)]
    pub(super) fn range(&mut self) -> Result<(usize, usize), Fault> {
        let len = self.varint()?;
        let start = self.pos;
        match self.end.checked_sub(start) {
            Some(left) if len <= left as u64 => {
                self.pos = start + len as usize;
                Ok((start, self.pos))
            }
            _ => self.fault(Why::Overrun),
        }
    }

    #[inline(always)]
    pub(super) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        match self.buf.get(self.pos..).and_then(|rest| rest.first_chunk::<N>()) {
            Some(bytes) => {
                self.pos += N;
                Ok(*bytes)
            }
            None => self.fault(Why::CutShort),
        }
    }

    /// Whether the same field follows once more; its key is then consumed.
    #[inline(always)]
    pub(super) fn again(&mut self, key: usize) -> bool {
        let before = self.pos;
        if before < self.end && matches!(self.varint(), Ok(next) if next == key as u64) {
            return true;
        }
        self.pos = before;
        false
    }

    /// The field of a key that was not expected; `END` when it is unknown and was skipped.
    #[inline(never)]
    pub(super) fn find(
        &mut self,
        at: &mut At,
        schema: &'static Schema,
        key: u64,
    ) -> Result<usize, Fault> {
        let number = (key >> 3) as u32;
        if number == 0 || key >> 32 != 0 {
            return self.fault(Why::Syntax("a field number is out of range"));
        }
        let Some(index) = schema.by_number(number) else {
            self.skip(key)?;
            return Ok(END);
        };
        let field = &schema.fields[index];
        let class = key as u32 & 7;
        if class != field.tag & 7 && unpacked_class(&field.shape) != Some(class) {
            return Err(self.wrong_class(field, class));
        }
        self.key = key as u32;
        at.b = index + 1;
        Ok(index)
    }

    #[cold]
    pub(super) fn wrong_class(&self, field: &'static Field, class: u32) -> Fault {
        let why = Why::WrongType { want: field.shape.name(), got: class_name(class) };
        Fault::at(why, self.pos).in_field(field.name)
    }

    /// Passes over the value of an unknown field. Groups, long deprecated, are counted, not
    /// entered.
    #[inline(never)]
    pub(super) fn skip(&mut self, key: u64) -> Result<(), Fault> {
        let mut key = key;
        let mut groups = 0;
        loop {
            match key & 7 {
                0 => drop(self.varint()?),
                1 => drop(self.fixed::<8>()?),
                2 => drop(self.range()?),
                3 if self.depth + groups >= self.limit => return self.too_deep(),
                3 => groups += 1,
                4 if groups > 0 => groups -= 1,
                4 => return self.fault(Why::Syntax("a group ends that did not begin")),
                5 => drop(self.fixed::<4>()?),
                _ => return self.fault(Why::Syntax("there are no wire types 6 and 7")),
            }
            if groups == 0 {
                return Ok(());
            }
            key = self.varint()?;
        }
    }

    /// Seconds and nanoseconds of `google.protobuf.Timestamp` and `google.protobuf.Duration`,
    /// merged into those that came before.
    #[inline(never)]
    pub(super) fn seconds(
        &mut self,
        before: (i64, u32),
        want: &'static str,
    ) -> Result<(i64, u32), Fault> {
        let (start, end) = self.range()?;
        let around = std::mem::replace(&mut self.end, end);
        self.pos = start;
        let (mut seconds, mut nanos) = (before.0, u64::from(before.1));
        while self.pos < end {
            match self.varint()? {
                0x08 => seconds = self.varint()? as i64,
                0x10 => nanos = self.varint()?,
                key if matches!(key >> 3, 0..=2) => {
                    return self.fault(Why::WrongType { want, got: class_name(key as u32 & 7) });
                }
                key => self.skip(key)?,
            }
        }
        if self.pos > end {
            return self.fault(Why::Overrun);
        }
        self.end = around;
        // "must be from 0 to 999,999,999 inclusive": timestamp.proto. Negative ones come as huge.
        if nanos > 999_999_999 {
            return self.fault(Why::OutOfRange { want });
        }
        Ok((seconds, nanos as u32))
    }

    /// The parts of a complex number, merged into those that came before.
    #[inline(never)]
    pub(super) fn parts(&mut self, mut v: Complex) -> Result<Complex, Fault> {
        let (start, end) = self.range()?;
        let around = std::mem::replace(&mut self.end, end);
        self.pos = start;
        while self.pos < end {
            match self.varint()? {
                key if key == u64::from(PART_RE) => v.re = f64::from_le_bytes(self.fixed()?),
                key if key == u64::from(PART_IM) => v.im = f64::from_le_bytes(self.fixed()?),
                key if matches!(key >> 3, 0..=2) => {
                    let got = class_name(key as u32 & 7);
                    return self.fault(Why::WrongType { want: Kind::Complex.name(), got });
                }
                key => self.skip(key)?,
            }
        }
        if self.pos > end {
            return self.fault(Why::Overrun);
        }
        self.end = around;
        Ok(v)
    }

    /// A number that parsers of 32-bit fields take from a 64-bit varint: they truncate. Fields
    /// narrower than that do not exist in protobuf; those of ours must fit.
    #[inline(always)]
    pub(super) fn narrow_int(&mut self, v: i32, kind: Kind) -> Result<i64, Fault> {
        let fits = match kind {
            Kind::I8 => i8::try_from(v).is_ok(),
            Kind::I16 => i16::try_from(v).is_ok(),
            _ => true,
        };
        if fits { Ok(v.into()) } else { self.fault(Why::OutOfRange { want: kind.name() }) }
    }

    #[inline(always)]
    pub(super) fn narrow_uint(&mut self, v: u32, kind: Kind) -> Result<u64, Fault> {
        let fits = match kind {
            Kind::U8 => v <= u8::MAX.into(),
            Kind::U16 => v <= u16::MAX.into(),
            _ => true,
        };
        if fits { Ok(v.into()) } else { self.fault(Why::OutOfRange { want: kind.name() }) }
    }
}

/// The wire type of one number of a list, which may come unpacked whatever the `.proto` says.
pub(super) fn unpacked_class(shape: &Shape) -> Option<u32> {
    match shape {
        Shape::Maybe(inner) => unpacked_class(inner),
        // An array of bytes is bytes, not packed numbers.
        Shape::Array(Shape::One(Kind::U8, _), _) => None,
        Shape::List(item) | Shape::Array(item, _) if item.scalar() => Some(item.class()),
        _ => None,
    }
}

pub(super) fn class_name(class: u32) -> &'static str {
    match class {
        0 => "a varint",
        1 => "eight fixed bytes",
        2 => "a value with a length",
        3 => "a group",
        5 => "four fixed bytes",
        _ => "an unknown wire type",
    }
}

/// Wire types in two bits: the four that a field of a known type can have.
pub(super) const CLASSES: [u32; 4] = [0, 1, 2, 5];

pub(super) fn class_bits(shape: &Shape) -> u32 {
    match shape.class() {
        5 => 3,
        class => class,
    }
}
