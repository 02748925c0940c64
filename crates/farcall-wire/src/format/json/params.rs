//! Arguments as JSON-RPC passes them: by name in an object, or by position in an array.
//!
//! The wire does not know what a method takes, so it lends a mark with the body, and the shape of
//! the argument decides what an array means.

use super::paired;
use super::parser::{LATER, ROW, Reader, START};
use bytes::Bytes;
use farcall_core::{At, Bounds, END, Fault, Kind, Schema, Shape, Source, Take, Why};

/// The body is the params of a JSON-RPC call: what its wire lends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Params {
    /// Of version 1.0: an array whose first element is the argument, as Go's `net/rpc/jsonrpc` has
    /// it. What follows is ignored; nothing at all is the zero value.
    V1,
    /// Of version 2.0: an object is the argument. An array is the argument where that is a list;
    /// one of a single element holds the argument; any other gives the fields of a message, in the
    /// order of their numbers. Nothing at all is the zero value.
    V2,
}

/// Reads a `T` from params.
pub(crate) fn decode_params<T: Take>(
    body: &Bytes,
    params: Params,
    bounds: Bounds,
) -> Result<T, Fault> {
    let mut from = Reader::new(body, bounds)?;
    let mut value = T::blank();
    let shape = const { &T::SHAPE };
    let how = from.approach(params, shape)?;
    if how != How::Blank {
        value.take_from(shape, &mut from as &mut dyn Source)?;
    }
    if how == How::Only {
        from.only()?;
    }
    Ok(value)
}

/// How the argument lies in the params. The reader stands before it.
#[derive(Clone, Copy, PartialEq)]
enum How {
    /// There is none.
    Blank,
    /// It is the whole, or what follows it does not matter.
    Whole,
    /// It is the only element of an array.
    Only,
}

impl Reader<'_> {
    fn approach(&mut self, params: Params, shape: &Shape) -> Result<How, Fault> {
        let first = self.peek();
        if first == 0 || first == b'n' {
            return Ok(How::Blank);
        }
        if first != b'[' {
            return Ok(How::Whole);
        }
        let start = self.pos;
        self.pos += 1;
        let first = self.peek();
        let blank = first == b']';
        if params == Params::V1 {
            return Ok(if blank || first == b'n' { How::Blank } else { How::Whole });
        }
        if first == b'n' && matches!(shape, Shape::Maybe(_)) && self.is_only()? {
            return Ok(How::Blank);
        }
        let wrapped = match bare(shape) {
            // A list in the array of one cannot be an item of the list that is wanted, unless its
            // items are lists themselves: then the array is the list.
            Shape::List(item) => first == b'[' && !is_list(item),
            Shape::Array(item, _) => match bare(item) {
                Shape::One(Kind::U8, _) => first == b'"' || first == b'[',
                item => first == b'[' && !is_list(item),
            },
            Shape::One(Kind::Bytes, _) => first == b'"' || first == b'[',
            Shape::One(Kind::Complex, _) => first == b'[',
            map if paired(map) => false,
            _ if blank => return Ok(How::Blank),
            Shape::Message(_) => {
                let wrapped = first == b'{' && self.is_only()?;
                self.row = !wrapped;
                wrapped
            }
            Shape::Any => self.is_only()?,
            _ => true,
        };
        match wrapped {
            true if self.peek() == b'n' => Ok(How::Blank),
            true => Ok(How::Only),
            false => {
                self.pos = start;
                Ok(How::Whole)
            }
        }
    }

    /// Whether the element at hand is the last of its array.
    fn is_only(&mut self) -> Result<bool, Fault> {
        let start = self.pos;
        self.skip()?;
        let only = self.peek() == b']';
        self.pos = start;
        Ok(only)
    }

    /// The end of an array of one.
    fn only(&mut self) -> Result<(), Fault> {
        match self.peek() {
            b']' => Ok(()),
            _ => self.syntax(TOO_MANY),
        }
    }

    /// A message that stands as the list of its fields.
    #[cold]
    pub(super) fn open_row(&mut self) -> Result<At, Fault> {
        self.row = false;
        let at = self.enter(b'[', "a list of parameters")?;
        Ok(if at.a == START { At { a: ROW, b: 0 } } else { at })
    }

    /// The next field of such a message. `At::b` counts them.
    #[cold]
    pub(super) fn row_field(
        &mut self,
        at: &mut At,
        schema: &'static Schema,
    ) -> Result<usize, Fault> {
        loop {
            let mut list = At { a: if at.b == 0 { START } else { LATER }, b: 0 };
            if !self.more(&mut list, b']')? {
                return Ok(END);
            }
            let index = at.b;
            if index >= schema.fields.len() {
                return self.fault(Why::Syntax(TOO_MANY));
            }
            at.b += 1;
            if !self.null()? {
                return Ok(index);
            }
        }
    }
}

const TOO_MANY: &str = "there are more params than the method has";

/// A shape without the options around it.
fn bare(mut shape: &Shape) -> &Shape {
    while let Shape::Maybe(inner) = shape {
        shape = inner;
    }
    shape
}

/// Whether such a value may be a list in JSON.
fn is_list(shape: &Shape) -> bool {
    matches!(
        bare(shape),
        Shape::List(_) | Shape::Array(..) | Shape::Any | Shape::One(Kind::Bytes | Kind::Complex, _)
    ) || paired(bare(shape))
}
