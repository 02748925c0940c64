//! How a body is encoded and compressed: numbers with names.

use std::fmt;

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Bytes as they are: the argument and the result are `Vec<u8>` or `Bytes`.
    Raw,
    /// JSON as Go's `encoding/json` writes it.
    Json,
    /// Protobuf.
    Protobuf,
    /// MessagePack as Go's vmihailenco codec writes it: structs as maps.
    MsgPack,
    /// Thrift's binary protocol, a bare struct.
    Thrift,
    /// Go's gob: only on wires that keep its stream of types.
    Gob,
    /// A number that a wire carries and nobody here gave a meaning.
    Other(u8),
}

impl Format {
    /// The name people type: `json`, `msgpack`, `protobuf`, `raw`, `thrift`, `gob`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Raw => "raw",
            Format::Json => "json",
            Format::Protobuf => "protobuf",
            Format::MsgPack => "msgpack",
            Format::Thrift => "thrift",
            Format::Gob => "gob",
            Format::Other(_) => "unknown",
        }
    }

    /// The format of a name people type.
    pub fn from_name(name: &str) -> Option<Format> {
        use Format::{Gob, Json, MsgPack, Protobuf, Raw, Thrift};
        let all = [Raw, Json, Protobuf, MsgPack, Thrift, Gob];
        all.into_iter().find(|f| f.name() == name)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::Other(number) => write!(f, "format {number}"),
            format => f.write_str(format.name()),
        }
    }
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compress {
    /// Not at all.
    #[default]
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// A number that a wire carries and nobody here gave a meaning.
    Other(u8),
}

impl Compress {
    /// The compression of a name people type: `none`, `gzip`.
    pub fn from_name(name: &str) -> Option<Compress> {
        match name {
            "none" => Some(Compress::None),
            "gzip" => Some(Compress::Gzip),
            _ => None,
        }
    }
}

impl fmt::Display for Compress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Compress::None => f.write_str("none"),
            Compress::Gzip => f.write_str("gzip"),
            Compress::Other(number) => write!(f, "compression {number}"),
        }
    }
}
