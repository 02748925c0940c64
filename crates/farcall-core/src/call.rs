//! One call, already cut from the wire.

use crate::{Compress, Format, Meta, MethodId};
use bytes::Bytes;
use std::{any::Any, fmt, sync::Arc, time::Duration};

/// What a wire needs to answer a call: it makes the ticket when it cuts the call and gets it back
/// with the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The number the peer gave the call; its reply carries the same.
    pub seq: u64,
    /// Bits of the request's head that the wire wants to see again in the reply.
    pub echo: u32,
    /// The format of the call, and so of its reply.
    pub format: Format,
    /// How the call's body is compressed, and the reply's if it is worth it.
    pub compress: Compress,
    /// The peer wants no answer.
    pub oneway: bool,
}

/// A call, its method already a number.
#[derive(Clone, Debug)]
pub struct Call {
    /// How to answer.
    pub ticket: Ticket,
    /// Which method.
    pub to: MethodId,
    /// Time the caller still waits, counted from the arrival of the frame.
    pub timeout: Option<Duration>,
    /// What came beside the body.
    pub meta: Meta,
    /// The body, compressed as the ticket says.
    pub body: Body,
}

/// What a wire lends with a body that does not stand alone: gob's descriptions of the peer's types.
pub type Lent = Arc<dyn Any + Send + Sync>;

/// A body as it was cut: a counted slice of the frame, and what its format must know beside it.
#[derive(Clone, Default)]
pub struct Body {
    /// The bytes.
    pub bytes: Bytes,
    /// What the wire lends; none for formats whose bodies stand alone.
    pub lent: Option<Lent>,
}

impl From<Bytes> for Body {
    #[inline]
    fn from(bytes: Bytes) -> Body {
        Body { bytes, lent: None }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.bytes, f)
    }
}

/// A body is read as its bytes.
impl std::ops::Deref for Body {
    type Target = Bytes;
    #[inline]
    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

/// Bodies are equal when their bytes are.
impl PartialEq for Body {
    fn eq(&self, other: &Body) -> bool {
        self.bytes == other.bytes
    }
}
