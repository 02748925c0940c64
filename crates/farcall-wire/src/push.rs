//! Messages that a server sends without being asked: what a wire finds of them, and writes.

use farcall_core::{Body, Compress, Format, Meta, Str};

/// A message of the server's, cut but not decoded. Nobody answers it.
#[derive(Clone, Debug)]
pub struct Push {
    /// The service's name, or whatever the server says in its place.
    pub service: Str,
    /// The method's name.
    pub method: Str,
    /// How the body is encoded.
    pub format: Format,
    /// How the body is compressed.
    pub compress: Compress,
    /// What came beside the body.
    pub meta: Meta,
    /// The body.
    pub body: Body,
}

/// The head of a message of ours, from a server to its client. It is not compressed.
#[derive(Clone, Copy, Debug)]
pub struct PushHead<'a> {
    /// The service's name.
    pub service: &'a str,
    /// The method's name.
    pub method: &'a str,
    /// How the body is encoded.
    pub format: Format,
    /// Metadata to send.
    pub meta: &'a [(String, String)],
}
