//! The headers of MessagePack: markers, lengths, integers of any width, and how to pass over a
//! value.
//!
//! Counts are checked against the bytes that are left, since every item takes at least one. Nothing
//! here recurses.

use super::marker;
use crate::cursor::{be32, be64};
use bytes::Bytes;
use farcall_core::{At, Bounds, END, Fault, Schema, Why};

/// Set in `At::b` of a message that came as an array of its fields.
pub(super) const AS_ARRAY: usize = 1 << (usize::BITS - 1);

/// The source.
///
/// | | `At::a` | `At::b` |
/// |---|---|---|
/// | message | fields left | index of the field to expect, or `AS_ARRAY` |
/// | list | items left | |
/// | map | entries left | 0: key next, 1: value next, 2: entry complete |
pub(super) struct Reader<'a> {
    pub(super) frame: &'a Bytes,
    pub(super) buf: &'a [u8],
    pub(super) pos: usize,
    pub(super) depth: u32,
    pub(super) bounds: Bounds,
    /// What is left of `Bounds::decoded_bytes`.
    pub(super) budget: usize,
}

/// An integer of any width.
#[derive(Clone, Copy)]
pub(super) enum Integer {
    Signed(i64),
    Unsigned(u64),
}

impl<'a> Reader<'a> {
    pub(super) fn new(frame: &'a Bytes, bounds: Bounds) -> Reader<'a> {
        Reader { frame, buf: frame, pos: 0, depth: 0, bounds, budget: bounds.decoded_bytes }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn fault<T>(&self, why: Why) -> Result<T, Fault> {
        Err(Fault::at(why, self.pos))
    }

    /// The value whose marker was just passed is not what was expected.
    #[cold]
    #[inline(never)]
    pub(super) fn unexpected<T>(&self, want: &'static str) -> Result<T, Fault> {
        let at = self.pos.saturating_sub(1);
        let got = match self.buf.get(at) {
            None => return Err(Fault::at(Why::CutShort, at)),
            Some(&marker::UNUSED) => {
                return Err(Fault::at(Why::Syntax("the byte c1 begins no value"), at));
            }
            Some(&marker) => kind_of(marker),
        };
        Err(Fault::at(Why::WrongType { want, got }, at))
    }

    #[inline(always)]
    pub(super) fn peek(&self) -> Option<u8> {
        self.buf.get(self.pos).copied()
    }

    #[inline(always)]
    pub(super) fn marker(&mut self) -> Result<u8, Fault> {
        match self.buf.get(self.pos) {
            Some(&marker) => {
                self.pos += 1;
                Ok(marker)
            }
            None => self.fault(Why::CutShort),
        }
    }

    #[inline(always)]
    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        self.marker()
    }

    #[inline(always)]
    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        let Some(&[high, low]) = self.buf.get(self.pos..self.pos + 2) else {
            return self.fault(Why::CutShort);
        };
        self.pos += 2;
        Ok(u16::from_be_bytes([high, low]))
    }

    #[inline(always)]
    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        let Some(v) = be32(self.buf, self.pos) else { return self.fault(Why::CutShort) };
        self.pos += 4;
        Ok(v)
    }

    #[inline(always)]
    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        let Some(v) = be64(self.buf, self.pos) else { return self.fault(Why::CutShort) };
        self.pos += 8;
        Ok(v)
    }

    /// A nil, if one is here, is consumed.
    #[inline(always)]
    pub(super) fn nil(&mut self) -> bool {
        let nil = self.peek() == Some(marker::NIL);
        self.pos += usize::from(nil);
        nil
    }

    /// Passes so many bytes and gives their range.
    #[inline(always)]
    pub(super) fn range(&mut self, len: usize) -> Result<(usize, usize), Fault> {
        let start = self.pos;
        if len > self.buf.len() - start {
            return self.fault(Why::Overrun);
        }
        self.pos = start + len;
        Ok((start, self.pos))
    }

    /// The range of a str or bin; a nil is empty.
    #[inline(always)]
    pub(super) fn blob(&mut self, want: &'static str) -> Result<(usize, usize), Fault> {
        let marker = self.marker()?;
        let len = if marker & 0xe0 == marker::FIX_STR {
            (marker & 31).into()
        } else {
            self.blob_len(marker, want)?
        };
        self.range(len)
    }

    #[inline(always)]
    pub(super) fn blob_len(&mut self, marker: u8, want: &'static str) -> Result<usize, Fault> {
        match marker {
            marker::STR_8 | marker::BIN_8 => Ok(self.u8()?.into()),
            marker::STR_16 | marker::BIN_16 => Ok(self.u16()?.into()),
            marker::STR_32 | marker::BIN_32 => Ok(self.u32()? as usize),
            marker::NIL => Ok(0),
            _ => self.unexpected(want),
        }
    }

    /// The count of a list. Every item takes a byte at least, so more than that is a lie.
    #[inline]
    pub(super) fn array_len(&mut self, marker: u8, want: &'static str) -> Result<usize, Fault> {
        let len = match marker {
            marker::FIX_ARRAY..marker::FIX_STR => usize::from(marker & 15),
            marker::ARRAY_16 => self.u16()?.into(),
            marker::ARRAY_32 => self.u32()? as usize,
            marker::NIL => 0,
            _ => return self.unexpected(want),
        };
        if len > self.buf.len() - self.pos { self.fault(Why::Overrun) } else { Ok(len) }
    }

    /// The count of a map, whose entries take two bytes at least.
    #[inline]
    pub(super) fn map_len(&mut self, marker: u8, want: &'static str) -> Result<usize, Fault> {
        let len = match marker {
            marker::FIX_MAP..marker::FIX_ARRAY => usize::from(marker & 15),
            marker::MAP_16 => self.u16()?.into(),
            marker::MAP_32 => self.u32()? as usize,
            marker::NIL => 0,
            _ => return self.unexpected(want),
        };
        if len > (self.buf.len() - self.pos) / 2 { self.fault(Why::Overrun) } else { Ok(len) }
    }

    #[inline]
    pub(super) fn enter(&mut self) -> Result<(), Fault> {
        if self.depth >= self.bounds.depth {
            return self.fault(Why::TooDeep { limit: self.bounds.depth });
        }
        self.depth += 1;
        Ok(())
    }

    /// An integer of any width; a nil is 0. A float is refused, as Go refuses it.
    #[inline(always)]
    pub(super) fn integer(&mut self, want: &'static str) -> Result<Integer, Fault> {
        let marker = self.marker()?;
        Ok(match marker {
            ..marker::FIX_MAP => Integer::Unsigned(marker.into()),
            marker::UINT_32 => Integer::Unsigned(self.u32()?.into()),
            marker::INT_32 => Integer::Signed((self.u32()? as i32).into()),
            marker::NEGATIVE.. => Integer::Signed((marker as i8).into()),
            marker::UINT_8 => Integer::Unsigned(self.u8()?.into()),
            marker::UINT_16 => Integer::Unsigned(self.u16()?.into()),
            marker::UINT_64 => Integer::Unsigned(self.u64()?),
            marker::INT_8 => Integer::Signed((self.u8()? as i8).into()),
            marker::INT_16 => Integer::Signed((self.u16()? as i16).into()),
            marker::INT_64 => Integer::Signed(self.u64()? as i64),
            marker::NIL => Integer::Unsigned(0),
            _ => return self.unexpected(want),
        })
    }

    /// The field of a name that was not expected; `END` when it is unknown and was skipped.
    #[inline(never)]
    pub(super) fn find(&mut self, at: &mut At, schema: &'static Schema) -> Result<usize, Fault> {
        let (start, end) = self.blob("a field name")?;
        match schema.by_name(&self.buf[start..end]) {
            Some(index) => {
                at.b = index + 1;
                Ok(index)
            }
            None => {
                self.skip()?;
                Ok(END)
            }
        }
    }

    /// Passes over one value. Nested ones are counted on a heap stack that the depth limit bounds.
    #[inline(never)]
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        let mut around: Vec<u64> = Vec::new();
        let mut left = 1_u64;
        loop {
            while left == 0 {
                match around.pop() {
                    Some(outer) => left = outer,
                    None => return Ok(()),
                }
            }
            left -= 1;
            let marker = self.marker()?;
            let inside = match marker {
                marker::FIX_ARRAY..marker::FIX_STR | marker::ARRAY_16 | marker::ARRAY_32 => {
                    self.array_len(marker, "a list")? as u64
                }
                marker::FIX_MAP..marker::FIX_ARRAY | marker::MAP_16 | marker::MAP_32 => {
                    2 * self.map_len(marker, "a map")? as u64
                }
                _ => {
                    let len = self.scalar_len(marker)?;
                    self.range(len)?;
                    continue;
                }
            };
            if self.depth as usize + around.len() >= self.bounds.depth as usize {
                return self.fault(Why::TooDeep { limit: self.bounds.depth });
            }
            around.push(left);
            left = inside;
        }
    }

    /// How many bytes of a value that is neither list nor map follow its header.
    pub(super) fn scalar_len(&mut self, marker: u8) -> Result<usize, Fault> {
        Ok(match marker {
            marker::FIX_STR..=marker::FIX_STR_LAST => (marker & 31).into(),
            marker::UINT_8 | marker::INT_8 => 1,
            marker::UINT_16 | marker::INT_16 => 2,
            marker::UINT_32 | marker::INT_32 | marker::FLOAT_32 => 4,
            marker::UINT_64 | marker::INT_64 | marker::FLOAT_64 => 8,
            // One byte more than the data: the type.
            marker::FIX_EXT_1..=marker::FIX_EXT_16 => (1 << (marker - marker::FIX_EXT_1)) + 1,
            marker::EXT_8 => usize::from(self.u8()?) + 1,
            marker::EXT_16 => usize::from(self.u16()?) + 1,
            marker::EXT_32 => (self.u32()? as usize).saturating_add(1),
            marker::STR_8..=marker::STR_32 | marker::BIN_8..=marker::BIN_32 => {
                self.blob_len(marker, "text or bytes")?
            }
            marker::UNUSED => return self.unexpected("a value"),
            _ => 0,
        })
    }
}

pub(super) fn kind_of(marker: u8) -> &'static str {
    match marker {
        ..marker::FIX_MAP
        | marker::NEGATIVE..
        | marker::UINT_8..=marker::UINT_64
        | marker::INT_8..=marker::INT_64 => "an integer",
        marker::FIX_MAP..marker::FIX_ARRAY | marker::MAP_16 | marker::MAP_32 => "a map",
        marker::FIX_ARRAY..marker::FIX_STR | marker::ARRAY_16 | marker::ARRAY_32 => "a list",
        marker::FIX_STR..=marker::FIX_STR_LAST | marker::STR_8..=marker::STR_32 => "text",
        marker::BIN_8..=marker::BIN_32 => "bytes",
        marker::FLOAT_32 | marker::FLOAT_64 => "a float",
        marker::FALSE | marker::TRUE => "a bool",
        marker::NIL => "nil",
        _ => "an extension",
    }
}
