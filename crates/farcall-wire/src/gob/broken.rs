//! The ways in which a peer can break a stream of gob, one variant each.

use std::fmt;

/// How a peer broke a stream of gob. Nothing that follows can be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Broken {
    /// A message of no bytes.
    MessageEmpty,
    /// A message is longer than allowed.
    MessageLong {
        /// Its length.
        length: u64,
        /// `Limits::message_bytes`.
        limit: usize,
    },
    /// A value, over all its messages, is longer than allowed.
    ValueLong {
        /// `Limits::message_bytes`.
        limit: usize,
    },
    /// A value is nested deeper than allowed.
    TooDeep {
        /// `Limits::body_depth`.
        limit: u32,
    },
    /// A message ends in the middle of a number, text, type or value.
    CutShort,
    /// A number claims to have more than eight bytes.
    IntegerWide,
    /// A type is defined under a number that no user's type can have.
    TypeId {
        /// The number.
        id: i64,
    },
    /// A type is defined a second time.
    Twice {
        /// Its number.
        id: i32,
    },
    /// More types were defined than allowed.
    ManyTypes {
        /// `Limits::gob_types`.
        limit: usize,
    },
    /// The definitions of types are longer than allowed.
    LongTypes {
        /// `Limits::gob_type_bytes`.
        limit: usize,
    },
    /// A type has more fields than allowed.
    ManyFields {
        /// The fields it claims.
        count: u64,
        /// `Limits::gob_fields`.
        limit: usize,
    },
    /// A name is longer than allowed.
    NameLong {
        /// Its length.
        length: usize,
        /// `Limits::name_bytes`.
        limit: usize,
    },
    /// A definition breaks a rule.
    Definition {
        /// Which.
        rule: &'static str,
    },
    /// Bytes follow a definition in its message.
    Trailing,
    /// A value has a type, or is made of one, that was never defined.
    Undefined {
        /// The type's number.
        id: i64,
    },
    /// A struct has a field that its type does not have.
    Field,
    /// The zero that announces a value outside of a struct is not one.
    Singleton,
    /// An array has another length than its type.
    ArrayLength,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::MessageEmpty => f.write_str("a message of no bytes"),
            Broken::MessageLong { length, limit } => write!(
                f,
                "a message of {length} bytes, the limit is {limit} (Limits::message_bytes)"
            ),
            Broken::ValueLong { limit } => write!(
                f,
                "a value of more than {limit} bytes over its messages (Limits::message_bytes)"
            ),
            Broken::TooDeep { limit } => {
                write!(f, "a value nested deeper than {limit} levels (Limits::body_depth)")
            }
            Broken::CutShort => f.write_str("a message ends in the middle of something"),
            Broken::IntegerWide => f.write_str("a number of more than eight bytes"),
            Broken::TypeId { id } => write!(f, "a type is defined under the number {id}"),
            Broken::Twice { id } => write!(f, "type {id} is defined twice"),
            Broken::ManyTypes { limit } => {
                write!(f, "more than {limit} types are defined on one stream (Limits::gob_types)")
            }
            Broken::LongTypes { limit } => {
                write!(
                    f,
                    "the types of one stream take more than {limit} bytes to define \
                     (Limits::gob_type_bytes)"
                )
            }
            Broken::ManyFields { count, limit } => {
                write!(f, "a type of {count} fields, the limit is {limit} (Limits::gob_fields)")
            }
            Broken::NameLong { length, limit } => {
                write!(f, "a name of {length} bytes, the limit is {limit} (Limits::name_bytes)")
            }
            Broken::Definition { rule } => write!(f, "a type's definition is wrong: {rule}"),
            Broken::Trailing => f.write_str("bytes follow a type's definition in its message"),
            Broken::Undefined { id } => write!(f, "type {id} was never defined"),
            Broken::Field => f.write_str("a struct has a field that its type does not have"),
            Broken::Singleton => f.write_str("a value outside of a struct begins with no zero"),
            Broken::ArrayLength => f.write_str("an array has another length than its type"),
        }
    }
}

impl std::error::Error for Broken {}

impl From<super::ints::Bad> for Broken {
    #[cold]
    fn from(bad: super::ints::Bad) -> Broken {
        match bad {
            super::ints::Bad::Cut => Broken::CutShort,
            super::ints::Bad::Wide => Broken::IntegerWide,
        }
    }
}
