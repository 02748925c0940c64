//! The ways in which a peer can break JSON-RPC, one variant each.

use std::fmt;

/// How a peer broke JSON-RPC.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Broken {
    /// A message breaks the grammar of JSON.
    Syntax {
        /// Where, counted from the start of the message.
        at: usize,
        /// The rule that is broken.
        rule: &'static str,
    },
    /// A message is longer than allowed.
    MessageLong {
        /// `Limits::message_bytes`.
        limit: usize,
    },
    /// A message is nested deeper than allowed.
    TooDeep {
        /// `Limits::body_depth`.
        limit: u32,
    },
    /// A message is a bare number, text or bool.
    Scalar,
    /// The method of a request of 1.0 is not text.
    Method,
    /// A message to a client is no object.
    NotReply,
    /// A reply has neither a result nor an error.
    NoResult,
    /// The id of a reply is none that a client of ours has given.
    ReplyId,
    /// The server could not tell which call it refuses.
    Refused {
        /// What it said.
        text: String,
    },
    /// An array of more replies than allowed.
    BatchLong {
        /// How many there are.
        count: usize,
        /// `Limits::batch_calls`.
        limit: usize,
    },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Syntax { at, rule } => write!(f, "{rule} (byte {at})"),
            Broken::MessageLong { limit } => {
                write!(f, "a message of more than {limit} bytes (Limits::message_bytes)")
            }
            Broken::TooDeep { limit } => {
                write!(f, "params nested deeper than {limit} levels (Limits::body_depth)")
            }
            Broken::Scalar => f.write_str("a message is an object or an array"),
            Broken::Method => f.write_str("a method is text"),
            Broken::NotReply => f.write_str("a reply is an object"),
            Broken::NoResult => f.write_str("a reply without a result and without an error"),
            Broken::ReplyId => f.write_str("a reply whose id is not a number this client gave"),
            Broken::Refused { text } => write!(f, "it refused a message it could not read: {text}"),
            Broken::BatchLong { count, limit } => {
                write!(f, "an array of {count} replies, the limit is {limit} (Limits::batch_calls)")
            }
        }
    }
}

impl std::error::Error for Broken {}

impl From<Broken> for crate::Broken {
    #[cold]
    fn from(broken: Broken) -> crate::Broken {
        crate::Broken::JsonRpc(broken)
    }
}
