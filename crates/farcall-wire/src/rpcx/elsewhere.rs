//! rpcx's numbers, words and metadata where something else carries them: its gateway over HTTP.

use super::{header, meta};
use farcall_core::{Compress, Format, Found, Meta, Status};

/// The format of a number, for what carries rpcx's numbers elsewhere.
pub(crate) fn format(number: u8) -> Format {
    header::FORMATS[usize::from(number.min(15))]
}

/// The compression of a number.
pub(crate) fn compression(number: u8) -> Compress {
    header::COMPRESSIONS[usize::from(number.min(7))]
}

/// Metadata that came by another way, and the token that a caller is known by
/// (`share/share.go`, `AuthKey`).
pub(crate) fn metadata(pairs: &[(String, String)], token: Option<&[u8]>) -> Meta {
    let mut block = Vec::new();
    meta::write(&mut block, pairs, token.map(|token| ("__AUTH", token)));
    Meta::new(block.into(), meta::walk)
}

/// The failure that answers a call of a method which does not exist, in the words of Go's server.
#[cold]
pub(crate) fn unknown(found: Found, service: &str, method: &str) -> Status {
    Status::unimplemented(match found {
        Found::NoMethod => format!("rpcx: can't find method {method}"),
        _ => format!("rpcx: can't find service {service}"),
    })
}
