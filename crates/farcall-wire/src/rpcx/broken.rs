//! The ways in which a peer can break rpcx, one variant each.

use std::fmt;

/// How a peer broke rpcx.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Broken {
    /// A frame does not begin with the magic number.
    Magic {
        /// What it begins with.
        byte: u8,
    },
    /// A frame is longer than allowed.
    MessageLong {
        /// Its length after the header.
        total: u32,
        /// `Limits::message_bytes`.
        limit: usize,
    },
    /// A frame is too short for its four lengths.
    MessageShort {
        /// Its length after the header.
        total: u32,
    },
    /// The service name reaches beyond the frame.
    Service {
        /// Its length.
        length: u32,
        /// The most that fits.
        room: usize,
    },
    /// The method name reaches beyond the frame.
    Method {
        /// Its length.
        length: u32,
        /// The most that fits.
        room: usize,
    },
    /// The metadata reaches beyond the frame.
    Meta {
        /// Its length.
        length: u32,
        /// The most that fits.
        room: usize,
    },
    /// The body reaches beyond the frame.
    Body {
        /// Its length.
        length: u32,
        /// The most that fits.
        room: usize,
    },
    /// The service name is longer than allowed.
    ServiceLong {
        /// Its length.
        length: usize,
        /// `Limits::name_bytes`.
        limit: usize,
    },
    /// The method name is longer than allowed.
    MethodLong {
        /// Its length.
        length: usize,
        /// `Limits::name_bytes`.
        limit: usize,
    },
    /// The metadata is longer than allowed.
    MetaLong {
        /// Its length.
        length: usize,
        /// `Limits::meta_bytes`.
        limit: usize,
    },
    /// The metadata ends in less than the two lengths of an entry.
    MetaCut {
        /// The bytes left.
        left: usize,
    },
    /// A key reaches beyond the metadata.
    MetaKey {
        /// Its length.
        length: u32,
        /// The most that fits.
        room: usize,
    },
    /// A value reaches beyond the metadata.
    MetaValue {
        /// Its length.
        length: u32,
        /// The most that fits.
        room: usize,
    },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Magic { byte } => {
                write!(f, "a frame begins with {byte:#04x}, not with the magic number 0x08")
            }
            Broken::MessageLong { total, limit } => {
                write!(f, "a frame of {total} bytes, the limit is {limit} (Limits::message_bytes)")
            }
            Broken::MessageShort { total } => {
                write!(f, "a frame of {total} bytes, its four lengths alone are 16")
            }
            Broken::Service { length, room } => {
                write!(f, "the service name claims {length} bytes, the frame has room for {room}")
            }
            Broken::Method { length, room } => {
                write!(f, "the method name claims {length} bytes, the frame has room for {room}")
            }
            Broken::Meta { length, room } => {
                write!(f, "the metadata claims {length} bytes, the frame has room for {room}")
            }
            Broken::Body { length, room } => {
                write!(f, "the body claims {length} bytes, the frame has room for {room}")
            }
            Broken::ServiceLong { length, limit } => write!(
                f,
                "the service name is {length} bytes long, the limit is {limit} (Limits::name_bytes)"
            ),
            Broken::MethodLong { length, limit } => write!(
                f,
                "the method name is {length} bytes long, the limit is {limit} (Limits::name_bytes)"
            ),
            Broken::MetaLong { length, limit } => write!(
                f,
                "the metadata is {length} bytes long, the limit is {limit} (Limits::meta_bytes)"
            ),
            Broken::MetaCut { left } => {
                write!(f, "the metadata ends in {left} bytes, an entry's two lengths alone are 8")
            }
            Broken::MetaKey { length, room } => {
                write!(f, "a metadata key claims {length} bytes, the metadata has room for {room}")
            }
            Broken::MetaValue { length, room } => write!(
                f,
                "a metadata value claims {length} bytes, the metadata has room for {room}"
            ),
        }
    }
}

impl std::error::Error for Broken {}

impl From<Broken> for crate::Broken {
    #[cold]
    fn from(broken: Broken) -> crate::Broken {
        crate::Broken::Rpcx(broken)
    }
}
