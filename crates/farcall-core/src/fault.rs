//! What went wrong while a body was written or read, and where in the message.
//!
//! A [`Fault`] is one boxed word so that the hot path carries a pointer, not a struct. The path to
//! the field is built while the error travels outwards: each level adds its own step.

use std::fmt;

/// A body that could not be written or read: why, at which byte, and in which field.
pub struct Fault(Box<Inner>);

struct Inner {
    why: Why,
    at: Option<usize>,
    /// Innermost step first.
    path: Vec<Step>,
}

enum Step {
    Name(&'static str),
    Index(usize),
}

/// The ways a body can be wrong. Tests name the variant; people read its text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The body ends in the middle of a value.
    CutShort,
    /// Bytes follow the value where none may.
    Trailing,
    /// Messages, lists or maps are nested deeper than `Limits::body_depth`.
    TooDeep {
        /// The bound that was reached.
        limit: u32,
    },
    /// The decoded values would take more memory than `Limits::decoded_bytes`.
    TooLarge {
        /// The bound that was reached, in bytes.
        limit: usize,
    },
    /// A number does not fit the type of its field.
    OutOfRange {
        /// The kind of number the field holds.
        want: &'static str,
    },
    /// Something else stands where the field's type was expected.
    WrongType {
        /// What the field holds.
        want: &'static str,
        /// What the body has there.
        got: &'static str,
    },
    /// A length or count points past the end of what holds it.
    Overrun,
    /// Text is not UTF-8.
    NotUtf8,
    /// The bytes break the grammar of the format; the text says which rule.
    Syntax(&'static str),
    /// A type that makes bytes of itself could not be made of these, or made none.
    Marshal {
        /// The type's name.
        of: &'static str,
        /// What it said.
        said: String,
    },
    /// An enum has no such value, and no variant that keeps unknown ones.
    NoSuchChoice {
        /// The enum's name.
        of: &'static str,
    },
    /// A field marked `#[field(required)]` was not there.
    Missing {
        /// The field's name.
        field: &'static str,
    },
    /// A codec of the user's own refused the body; the text is its own.
    Codec(String),
    /// The format cannot carry this type.
    Unsupported {
        /// The format's name.
        format: &'static str,
        /// What it cannot carry.
        what: &'static str,
    },
}

impl Fault {
    /// A fault that is not tied to a place in the bytes.
    #[cold]
    #[inline(never)]
    pub fn new(why: Why) -> Fault {
        Fault(Box::new(Inner { why, at: None, path: Vec::new() }))
    }

    /// A fault at a byte offset of the body.
    #[cold]
    #[inline(never)]
    pub fn at(why: Why, offset: usize) -> Fault {
        Fault(Box::new(Inner { why, at: Some(offset), path: Vec::new() }))
    }

    /// Why.
    pub fn why(&self) -> &Why {
        &self.0.why
    }

    /// The byte offset, where it is known.
    pub fn offset(&self) -> Option<usize> {
        self.0.at
    }

    /// Adds the name of the field, parameter or variant that the fault came out of.
    #[cold]
    #[inline(never)]
    #[must_use]
    pub fn in_field(mut self, name: &'static str) -> Fault {
        self.0.path.push(Step::Name(name));
        self
    }

    /// Adds the position in a list, array or map that the fault came out of.
    #[cold]
    #[inline(never)]
    #[must_use]
    pub fn in_item(mut self, index: usize) -> Fault {
        self.0.path.push(Step::Index(index));
        self
    }

    /// The path to the field, outermost first: `args.items[3].price`. Empty at the root.
    pub fn path(&self) -> String {
        let mut text = String::new();
        for step in self.0.path.iter().rev() {
            match step {
                Step::Name(name) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(name);
                }
                Step::Index(index) => {
                    text.push('[');
                    text.push_str(&index.to_string());
                    text.push(']');
                }
            }
        }
        text
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.path.is_empty() {
            write!(f, "{}: ", self.path())?;
        }
        write!(f, "{}", self.0.why)?;
        match self.0.at {
            Some(at) => write!(f, " (byte {at})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault({self})")
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::CutShort => f.write_str("the body ends in the middle of a value"),
            Why::Trailing => f.write_str("bytes follow the value"),
            Why::TooDeep { limit } => {
                write!(f, "nested deeper than {limit} levels (Limits::body_depth)")
            }
            Why::TooLarge { limit } => {
                write!(f, "decodes to more than {limit} bytes (Limits::decoded_bytes)")
            }
            Why::OutOfRange { want } => write!(f, "the number does not fit {want}"),
            Why::WrongType { want, got } => write!(f, "expected {want}, found {got}"),
            Why::Overrun => f.write_str("a length points past the end"),
            Why::NotUtf8 => f.write_str("text is not UTF-8"),
            Why::Syntax(rule) => f.write_str(rule),
            Why::Marshal { of, said } => write!(f, "`{of}`: {said}"),
            Why::Codec(text) => f.write_str(text),
            Why::NoSuchChoice { of } => write!(f, "`{of}` has no such value"),
            Why::Missing { field } => write!(f, "required field `{field}` is missing"),
            Why::Unsupported { format, what } => write!(f, "{format} cannot carry {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_reads_outermost_first() {
        let fault = Fault::at(Why::OutOfRange { want: "i32" }, 17)
            .in_field("price")
            .in_item(3)
            .in_field("items")
            .in_field("args");
        assert_eq!(fault.path(), "args.items[3].price");
        assert_eq!(fault.to_string(), "args.items[3].price: the number does not fit i32 (byte 17)");
    }

    #[test]
    fn one_word() {
        assert_eq!(size_of::<Result<(), Fault>>(), size_of::<usize>());
    }
}
