//! The ways in which a peer can break net/rpc, one variant each.

use crate::gob;
use std::fmt;

/// How a peer broke net/rpc.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Broken {
    /// The stream of gob cannot be understood any further.
    Gob(gob::Broken),
    /// A header is something else. Go closes such a connection too: after this, nobody knows what
    /// is a header and what a body.
    Header {
        /// What is wrong with it.
        why: String,
    },
    /// The name of a service or method is longer than allowed.
    NameLong {
        /// Its length.
        length: usize,
        /// `Limits::name_bytes`.
        limit: usize,
    },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Gob(broken) => write!(f, "gob: {broken}"),
            Broken::Header { why } => write!(f, "a header that is none: {why}"),
            Broken::NameLong { length, limit } => write!(
                f,
                "a service or method name of {length} bytes, the limit is {limit} \
                 (Limits::name_bytes)"
            ),
        }
    }
}

impl std::error::Error for Broken {}

impl From<gob::Broken> for Broken {
    #[cold]
    fn from(broken: gob::Broken) -> Broken {
        Broken::Gob(broken)
    }
}

impl From<Broken> for crate::Broken {
    #[cold]
    fn from(broken: Broken) -> crate::Broken {
        crate::Broken::NetRpc(broken)
    }
}
