//! The pieces of gob's values: numbers, counts, which field comes next, what an interface holds,
//! and how to pass over a value. Nothing here recurses.

use super::fit::{Node, Spot};
use super::ints::{Bad, Cursor};
use super::types::{self, Def, IsTime, Types};
use bytes::Bytes;
use farcall_core::{At, Bounds, Fault, Next, Part, Why};

/// The source.
///
/// | | `At::a` | `At::b` |
/// |---|---|---|
/// | message | its node | the peer's field after the last one |
/// | list | items left | where the items are |
/// | map | entries left and phase | where the map is |
/// | struct as a map | field and phase | where the struct is |
pub(super) struct Reader<'a> {
    pub(super) frame: &'a Bytes,
    pub(super) from: Cursor<'a>,
    pub(super) types: &'a Types,
    pub(super) nodes: &'a [Node],
    /// What is to be read.
    pub(super) here: Spot,
    /// It was not sent: it is zero.
    pub(super) absent: bool,
    /// The field that comes next in the bytes, while those before it, not sent, are handed out.
    pub(super) target: usize,
    /// A field's name is to be read.
    pub(super) name: Option<&'a str>,
    pub(super) scratch: Vec<u8>,
    pub(super) depth: u32,
    pub(super) bounds: Bounds,
    /// What is left of `Bounds::decoded_bytes`.
    pub(super) budget: usize,
}

/// No target.
pub(super) const NONE: usize = usize::MAX;

// The phases of a map, in the low bits of `At::a`.
pub(super) const KEY: usize = 0;
pub(super) const VALUE: usize = 1;
pub(super) const ENTRY: usize = 2;
const VALUE_ABSENT: usize = 3;

impl<'a> Reader<'a> {
    #[cold]
    #[inline(never)]
    pub(super) fn fault<T>(&self, why: Why) -> Result<T, Fault> {
        Err(Fault::at(why, self.from.pos))
    }

    #[cold]
    #[inline(never)]
    pub(super) fn bad<T>(&self, bad: Bad) -> Result<T, Fault> {
        self.fault(match bad {
            Bad::Cut => Why::CutShort,
            Bad::Wide => Why::Syntax("a number of more than eight bytes"),
        })
    }

    /// A number; of what was not sent, zero.
    #[inline(always)]
    pub(super) fn num(&mut self) -> Result<u64, Fault> {
        if self.absent {
            self.absent = false;
            return Ok(0);
        }
        match self.from.uint() {
            Ok(v) => Ok(v),
            Err(bad) => self.bad(bad),
        }
    }

    #[inline(always)]
    pub(super) fn blob(&mut self) -> Result<(usize, usize), Fault> {
        let len = self.num()?;
        if len > self.from.left() as u64 {
            return self.fault(Why::Overrun);
        }
        let start = self.from.pos;
        self.from.pos += len as usize;
        Ok((start, self.from.pos))
    }

    #[inline]
    pub(super) fn enter(&mut self) -> Result<(), Fault> {
        if self.depth >= self.bounds.depth {
            return self.fault(Why::TooDeep { limit: self.bounds.depth });
        }
        self.depth += 1;
        Ok(())
    }

    /// A count of what takes a byte at least each.
    #[inline]
    pub(super) fn count(&mut self, each: usize) -> Result<usize, Fault> {
        let count = self.num()?;
        if count > (self.from.left() / each) as u64 {
            return self.fault(Why::Overrun);
        }
        Ok(count as usize)
    }

    /// The field of the peer's that comes next in a struct of so many, counted from `next`.
    #[inline(always)]
    pub(super) fn target(&mut self, next: usize, len: usize) -> Result<usize, Fault> {
        if self.target != NONE {
            return Ok(std::mem::replace(&mut self.target, NONE));
        }
        // Go takes the end of the message for the end of the struct.
        if self.from.left() == 0 {
            return Ok(len);
        }
        let delta = self.num()?;
        if delta == 0 {
            return Ok(len);
        }
        match usize::try_from(delta - 1).ok().and_then(|d| next.checked_add(d)) {
            Some(target) if target < len => Ok(target),
            _ => self.fault(Why::Syntax("a struct has a field that its type does not have")),
        }
    }

    /// Passes over one value. Nested ones are counted on a heap stack that the depth limit bounds.
    #[inline(never)]
    pub(super) fn skip(&mut self, id: i32) -> Result<(), Fault> {
        enum Around {
            Struct(i32, usize),
            Items(i32, usize),
            Pairs(i32, i32, usize),
        }
        let mut around: Vec<Around> = Vec::new();
        let mut id = id;
        loop {
            if self.from.left() == 0 {
                return self.fault(Why::CutShort);
            }
            let inside = match id {
                types::BOOL..=types::FLOAT => {
                    self.num()?;
                    None
                }
                types::BYTES | types::TEXT => {
                    self.blob()?;
                    None
                }
                types::COMPLEX => {
                    self.num()?;
                    self.num()?;
                    None
                }
                types::INTERFACE => match self.interface()? {
                    Some(inner) => {
                        id = inner;
                        continue;
                    }
                    None => None,
                },
                _ => match self.types.get(id) {
                    Some(Def::Struct { .. }) => Some(Around::Struct(id, 0)),
                    Some(Def::Slice { elem }) => Some(Around::Items(*elem, self.count(1)?)),
                    Some(Def::Array { elem, len }) => {
                        let count = self.count(1)?;
                        if count != *len {
                            return self.fault(ARRAY_LENGTH);
                        }
                        Some(Around::Items(*elem, count))
                    }
                    Some(Def::Map { key, value }) => {
                        Some(Around::Pairs(*key, *value, self.count(2)? * 2))
                    }
                    Some(Def::Opaque { .. }) => {
                        self.blob()?;
                        None
                    }
                    None => return self.fault(UNDEFINED),
                },
            };
            if let Some(inside) = inside {
                if self.depth as usize + around.len() >= self.bounds.depth as usize {
                    return self.fault(Why::TooDeep { limit: self.bounds.depth });
                }
                around.push(inside);
            }
            // The next value in what is around, or further around.
            id = loop {
                match around.last_mut() {
                    None => return Ok(()),
                    Some(Around::Items(_, 0) | Around::Pairs(_, _, 0)) => {}
                    Some(Around::Items(id, left)) => {
                        *left -= 1;
                        break *id;
                    }
                    Some(Around::Pairs(key, value, left)) => {
                        *left -= 1;
                        break if *left % 2 == 1 { *key } else { *value };
                    }
                    Some(Around::Struct(id, next)) => {
                        if let Some(Def::Struct { fields }) = self.types.get(*id) {
                            let target = self.target(*next, fields.len())?;
                            if let Some(field) = fields.get(target) {
                                *next = target + 1;
                                break field.id;
                            }
                        }
                    }
                }
                around.pop();
            };
        }
    }

    /// The head of an interface: the type of what it holds, if it is not nil. Its name is of no
    /// interest: it says in Go's words what the type says.
    pub(super) fn interface(&mut self) -> Result<Option<i32>, Fault> {
        let (start, end) = self.blob()?;
        if start == end {
            return Ok(None);
        }
        let id = self.from.int().or_else(|bad| self.bad(bad))?;
        let Some(id) = i32::try_from(id).ok().filter(|id| self.types.has(*id)) else {
            return self.fault(UNDEFINED);
        };
        self.framing(id)?;
        Ok(Some(id))
    }

    /// The zero before a value that is no struct.
    pub(super) fn framing(&mut self, id: i32) -> Result<(), Fault> {
        if !self.types.is_struct(id) && self.num()? != 0 {
            return self.fault(Why::Syntax("a value outside of a struct begins with no zero"));
        }
        Ok(())
    }

    /// The fields of the struct that is read as a map.
    pub(super) fn fields_of(&self, at: &At) -> Option<&'a [types::FieldDef]> {
        match self.types.get(Spot(at.b).id()?) {
            Some(Def::Struct { fields }) => Some(fields),
            _ => None,
        }
    }

    #[inline(never)]
    pub(super) fn struct_part(
        &mut self,
        at: &mut At,
        fields: &'a [types::FieldDef],
    ) -> Result<Part, Fault> {
        let index = at.a >> 2;
        match at.a & 3 {
            KEY => {
                let target = self.target(index, fields.len())?;
                let Some(field) = fields.get(index) else {
                    self.depth -= 1;
                    return Ok(Part::End);
                };
                let absent = index < target;
                if absent {
                    self.target = target;
                }
                self.name = Some(&field.name);
                at.a += if absent { VALUE_ABSENT } else { VALUE };
                Ok(Part::Key)
            }
            ENTRY => {
                at.a = (index + 1) << 2;
                Ok(Part::Entry)
            }
            phase => {
                self.absent = phase == VALUE_ABSENT;
                self.here = Spot::wire(fields.get(index).map_or(0, |f| f.id));
                at.a = index << 2 | ENTRY;
                Ok(Part::Value)
            }
        }
    }

    pub(super) fn next_zero(&self, id: i32) -> Next {
        match id {
            types::BOOL => Next::Bool,
            types::INT | types::UINT => Next::Int,
            types::FLOAT => Next::Float,
            types::BYTES => Next::Bytes,
            types::TEXT => Next::Text,
            _ => match self.types.get(id) {
                Some(Def::Slice { .. }) => Next::List,
                Some(Def::Opaque { time: IsTime::Named, .. }) => Next::Time,
                _ => Next::Null,
            },
        }
    }
}

pub(super) const UNDEFINED: Why = Why::Syntax("a value of a type that was never defined");
pub(super) const ARRAY_LENGTH: Why = Why::Syntax("an array has another length than its type");
