//! Which protocol is this? Asked of a connection's first bytes, before a wire is opened.

use crate::{Protocol, Sniff, http1, jsonrpc, rpcx};

/// The protocols spoken here, in the order they are asked: magic numbers first, text second, what
/// is ambiguous last.
pub static PROTOCOLS: &[&dyn Protocol] = &[&rpcx::Rpcx, &http1::Http, &jsonrpc::V2];

/// What the first bytes say.
#[derive(Clone, Copy)]
pub enum Detected {
    /// This protocol.
    Is(&'static dyn Protocol),
    /// Cannot tell yet.
    More,
    /// None of those asked.
    None,
}

/// Asks `protocols` in order. A protocol that cannot tell yet is waited for before later ones are
/// believed, so that the answer does not depend on how the bytes were cut.
pub fn detect(first: &[u8], protocols: &[&'static dyn Protocol]) -> Detected {
    for protocol in protocols {
        match protocol.sniff(first) {
            Sniff::Yes => return Detected::Is(*protocol),
            Sniff::More => return Detected::More,
            Sniff::No => {}
        }
    }
    Detected::None
}

/// The protocol of a URL's scheme.
pub fn by_name(name: &str) -> Option<&'static dyn Protocol> {
    PROTOCOLS.iter().copied().find(|p| p.name() == name)
}
