//! What a protocol of one's own is written against: [`Server::protocol`](crate::Server::protocol)
//! and [`Client::over_protocol`](crate::Client::over_protocol) take one.

pub use farcall_core::{Body, Call, Found, MethodId, Routes, Shape, Streams, Ticket};
pub use farcall_wire::{
    Broken, CallHead, Codec, Codecs, Compressor, Compressors, Control, End, EndHead, Event, Fed,
    Head, Item, ItemHead, Known, Mark, Out, Protocol, Push, PushHead, Reply, ReplyHead, Side,
    Sniff, Unknown, Wire, compress,
};
