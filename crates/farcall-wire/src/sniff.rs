//! Which protocol is this? Asked of a connection's first bytes, before a wire is opened.
//!
//! A pure function of those bytes, at most [`MOST_BYTES`] of them. Each protocol says of a prefix
//! whether it is its own; no two say so of the same bytes, and none changes its mind when more
//! come. Hence the answer depends neither on how the bytes were cut nor on who is asked first.

mod foreign;

use crate::{Protocol, Sniff, http1, jsonrpc, netrpc, rpcx};
use std::fmt;

pub(crate) use foreign::JSON as THRIFT_JSON;

/// The protocols that are built, in the order they are asked: magic numbers first, text last.
pub static PROTOCOLS: &[&dyn Protocol] =
    &[&rpcx::Rpcx, &netrpc::NetRpc, &http1::Http, &jsonrpc::V2];

/// No protocol needs more bytes than this to be told.
pub const MOST_BYTES: usize = 24;

/// Some of [`PROTOCOLS`]: those that a server or a listener speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Spoken(u32);

impl Spoken {
    /// All that are built.
    pub fn all() -> Spoken {
        Spoken((1 << PROTOCOLS.len()) - 1)
    }

    /// None of them.
    pub fn none() -> Spoken {
        Spoken(0)
    }

    /// Those of these names; an error is the name of one that is not built.
    pub fn named<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Result<Spoken, String> {
        names.into_iter().try_fold(Spoken(0), |spoken, name| {
            match PROTOCOLS.iter().position(|protocol| protocol.name() == name.as_ref()) {
                Some(at) => Ok(Spoken(spoken.0 | 1 << at)),
                None => Err(name.as_ref().to_owned()),
            }
        })
    }

    /// The protocols.
    pub fn protocols(self) -> impl Iterator<Item = &'static dyn Protocol> {
        let all = PROTOCOLS.iter().enumerate();
        all.filter(move |(at, _)| self.0 & 1 << at != 0).map(|(_, protocol)| *protocol)
    }

    /// Whether all of these are among `others`.
    pub fn within(self, others: Spoken) -> bool {
        self.0 & !others.0 == 0
    }
}

impl fmt::Debug for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.protocols().map(Protocol::name)).finish()
    }
}

/// What the first bytes say.
#[derive(Clone, Copy)]
pub enum Detected {
    /// This protocol.
    Is(&'static dyn Protocol),
    /// Cannot tell yet.
    More,
    /// This protocol, which is built and not spoken here.
    Off(&'static dyn Protocol),
    /// A protocol of this name, which is known by its first bytes and not built.
    NotBuilt(&'static str),
    /// None that is known.
    None,
}

/// Tells whose these first bytes are. Pure, total and monotone: what is answered once, other than
/// `More`, holds whatever follows.
#[inline]
pub fn detect(first: &[u8], spoken: Spoken) -> Detected {
    let mut more = false;
    for (at, protocol) in PROTOCOLS.iter().enumerate() {
        match protocol.sniff(first) {
            Sniff::Yes if spoken.0 & 1 << at != 0 => return Detected::Is(*protocol),
            Sniff::Yes => return Detected::Off(*protocol),
            Sniff::More => more = true,
            Sniff::No => {}
        }
    }
    foreigner(first, more)
}

/// Asks those that are not built.
#[cold]
fn foreigner(first: &[u8], mut more: bool) -> Detected {
    for (name, sniff) in foreign::KNOWN {
        match sniff(first) {
            Sniff::Yes => return Detected::NotBuilt(name),
            Sniff::More => more = true,
            Sniff::No => {}
        }
    }
    if more { Detected::More } else { Detected::None }
}

/// The protocol of a URL's scheme.
pub fn by_name(name: &str) -> Option<&'static dyn Protocol> {
    PROTOCOLS.iter().copied().find(|p| p.name() == name)
}

/// Whether bytes begin with these, as far as they go.
pub(crate) fn begins(first: &[u8], with: &[u8]) -> Sniff {
    let common = first.len().min(with.len());
    match first[..common] == with[..common] {
        true if common == with.len() => Sniff::Yes,
        true => Sniff::More,
        false => Sniff::No,
    }
}

#[cfg(test)]
mod tests;
