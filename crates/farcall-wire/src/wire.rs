//! The contract between wires and the machine: what a protocol is, what it finds, what it writes.

use crate::{Out, http1, jsonrpc, netrpc, rpcx};
use bytes::{Bytes, BytesMut};
use farcall_core::{
    Body, Call, Compress, Format, Found, Limits, Meta, MethodId, Routes, Shape, Status, Str, Ticket,
};
use std::{fmt, time::Duration};

/// A protocol recognises itself and opens one state machine per connection.
pub trait Protocol: Send + Sync + 'static {
    /// The name in URLs and texts: `rpcx`.
    fn name(&self) -> &'static str;
    /// Whether these first bytes are this protocol's. Pure, and monotone: once `Yes` or `No`, more
    /// bytes do not change it.
    fn sniff(&self, first: &[u8]) -> Sniff;
    /// The format of bodies unless a call names another.
    fn default_format(&self) -> Format;
    /// Whether a call may say more than its body: metadata, a compression, a format of its choice.
    fn carries_meta(&self) -> bool {
        true
    }
    /// The protocol as an option of a target wants it; none if there is no such option.
    fn with_option(&self, key: &str, value: &str) -> Option<&'static dyn Protocol> {
        let _ = (key, value);
        None
    }
    /// A state machine for one end of one connection.
    fn open(&self, side: Side, limits: &Limits) -> Box<dyn Wire>;
    /// What HTTP's `CONNECT` is answered with where it leads to this protocol: the status and its
    /// text. None where nobody expects to reach it so.
    fn connected(&self) -> Option<&'static str> {
        None
    }
    /// Whether the client's side is built: targets of a protocol without one are refused by name.
    fn has_client(&self) -> bool {
        true
    }
}

/// What a protocol says of a connection's first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniff {
    /// Not mine.
    No,
    /// Cannot tell yet.
    More,
    /// Mine.
    Yes,
}

/// Which end of the connection a wire serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It receives calls.
    Server,
    /// It makes them.
    Client,
}

/// One end of one connection of one protocol, as a state machine.
///
/// How to drive it: append what was read to `input` and call [`feed`](Wire::feed) until it is
/// hungry; act on the events; write replies with [`begin`](Wire::begin), the body appended to
/// [`Out::tail`], and [`end`](Wire::end); then write `out` to the peer. `begin` and `end` come in
/// pairs, without another `begin`, `feed` or `control` in between.
pub trait Wire: Send {
    /// Cuts complete frames from the front of `input`, resolves method names, and appends what it
    /// found to `events`, at most `most` of them. What the protocol answers by itself (heartbeats)
    /// goes to `out`. An error means the peer broke the protocol: write `out`, then close.
    fn feed(
        &mut self,
        input: &mut BytesMut,
        out: &mut Out,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
        most: usize,
    ) -> Result<Fed, Broken>;

    /// Opens a frame at the end of `out`; the body follows in `out.tail()`.
    fn begin(&mut self, head: Head<'_>, out: &mut Out) -> Mark;

    /// Closes the frame: lengths, compression, state the peer will see.
    fn end(&mut self, mark: Mark, out: &mut Out);

    /// Takes the frame back, as if it had never begun: its body could not be encoded.
    fn abandon(&mut self, mark: Mark, out: &mut Out);

    /// Writes something that is not a call or a reply.
    fn control(&mut self, what: Control, out: &mut Out);

    /// The failure that answers a call of a method which does not exist. The texts are those of
    /// Go's rpcx server (`server/server.go`), which its clients match on, unless a protocol has
    /// its own.
    fn unknown(&self, found: Found, service: &str, method: &str) -> Status {
        rpcx::unknown(found, service, method)
    }

    /// Asked after [`feed`](Wire::feed) took input and found nothing: whether what it took is part
    /// of a message that is not complete.
    fn midway(&self) -> bool {
        false
    }

    /// Asked after [`feed`](Wire::feed) gave an error: whether the calls that were found before
    /// are still to be answered, and all of it read by the peer, before the connection closes.
    fn closing(&self) -> bool {
        false
    }
}

/// Why [`Wire::feed`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    /// All complete frames are cut. `need` is how many more bytes the frame at hand wants, as far
    /// as its head says: 0 when no frame has begun.
    Hungry {
        /// Bytes still missing; at least 1 when a frame has begun.
        need: usize,
    },
    /// `most` events were found, or `out` holds as much as it may, and more may be waiting in
    /// `input`.
    Full,
    /// Too many calls are unanswered, or answers wait behind one that is: feed again once a reply
    /// was written.
    Waiting,
    /// The peer has said its last: close once all that was found is answered and written.
    Closing,
    /// From here on the connection speaks the protocol of this name: feed again.
    Became(&'static str),
}

/// What a wire found in the bytes.
#[derive(Debug)]
pub enum Event {
    /// A call of a method that exists.
    Call(Call),
    /// A call of a method that does not.
    Unknown(Unknown),
    /// An answer to a call of ours.
    Reply(Reply),
    /// A request that is no call.
    Request(Request),
}

/// A request that is no call: for a page, not for a method.
#[derive(Debug)]
pub struct Request {
    /// How to answer: by [`Head::Response`], or by [`Head::Reply`] with a failure.
    pub ticket: Ticket,
    /// Which page.
    pub to: MethodId,
    /// `GET`, `POST`, …
    pub method: Str,
    /// The path and the query as they came, percent-encoded.
    pub target: Str,
    /// The fields, their names in lower case.
    pub meta: Meta,
    /// The body.
    pub body: Bytes,
}

/// A call whose method is not in the table.
#[derive(Debug)]
pub struct Unknown {
    /// How to answer.
    pub ticket: Ticket,
    /// `NoService` or `NoMethod`.
    pub found: Found,
    /// The service as the peer wrote it; invalid UTF-8 is replaced.
    pub service: Str,
    /// The method as the peer wrote it; invalid UTF-8 is replaced.
    pub method: Str,
}

/// An answer, cut but not decoded.
#[derive(Debug)]
pub struct Reply {
    /// The number of the call.
    pub seq: u64,
    /// The peer's error; `None` for success.
    pub error: Option<Status>,
    /// How the body is encoded.
    pub format: Format,
    /// How the body is compressed.
    pub compress: Compress,
    /// What came beside the body.
    pub meta: Meta,
    /// The body.
    pub body: Body,
}

/// What a wire is asked to write before a body.
#[derive(Debug)]
pub enum Head<'a> {
    /// A call.
    Call(CallHead<'a>),
    /// A reply.
    Reply(ReplyHead<'a>),
    /// The answer to a request that is no call.
    Response(ResponseHead<'a>),
}

/// The head of a call of ours.
#[derive(Debug)]
pub struct CallHead<'a> {
    /// The number its reply will carry.
    pub seq: u64,
    /// The service's name.
    pub service: &'a str,
    /// The method's name.
    pub method: &'a str,
    /// How the body will be encoded.
    pub format: Format,
    /// How the body is to be compressed, if it is worth it.
    pub compress: Compress,
    /// No answer is wanted.
    pub oneway: bool,
    /// How long the answer will be waited for.
    pub timeout: Option<Duration>,
    /// Metadata to send.
    pub meta: &'a [(String, String)],
    /// The shape of the argument, for wires that describe types before values.
    pub shape: &'static Shape,
}

/// The head of a reply.
#[derive(Debug)]
pub struct ReplyHead<'a> {
    /// The call's ticket. `oneway` calls are not answered: do not begin.
    pub ticket: &'a Ticket,
    /// The service's name.
    pub service: &'a str,
    /// The method's name.
    pub method: &'a str,
    /// The failure; `None` for success.
    pub error: Option<&'a Status>,
    /// Metadata to send.
    pub meta: &'a [(String, String)],
    /// The shape of the result, for wires that describe types before values; none for a failure,
    /// which has no body.
    pub shape: Option<&'static Shape>,
}

/// The head of the answer to a request that is no call.
#[derive(Debug)]
pub struct ResponseHead<'a> {
    /// The request's ticket.
    pub ticket: &'a Ticket,
    /// The status, from 200 to 599.
    pub status: u16,
    /// The fields. Those that no field can be, and those that say where the answer ends, are left
    /// out.
    pub fields: &'a [(String, String)],
}

/// An open frame: where it and its body begin in `out.tail()`, and what `end` must know.
#[derive(Debug)]
#[must_use = "a frame that was begun must be ended or abandoned"]
pub struct Mark {
    /// Offset of the frame in the tail.
    pub frame: usize,
    /// Offset of the body in the tail.
    pub body: usize,
    /// How the body is to be compressed.
    pub compress: Compress,
}

/// What a wire can write on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Ask the peer for a sign of life; `token` is for the wire's heartbeat, the time in
    /// nanoseconds where it carries one.
    Ping {
        /// The call number to use; its reply carries the same.
        seq: u64,
        /// What the heartbeat carries.
        token: i64,
    },
}

/// The peer broke the protocol. The connection says so where its protocol can, and closes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Broken {
    /// The first bytes belong to no protocol that is spoken here.
    NoProtocol {
        /// The first bytes, at most eight.
        first: Vec<u8>,
    },
    /// rpcx was broken.
    Rpcx(rpcx::Broken),
    /// net/rpc was broken.
    NetRpc(netrpc::Broken),
    /// HTTP/1.1 was broken.
    Http(http1::Broken),
    /// JSON-RPC was broken.
    JsonRpc(jsonrpc::Broken),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::NoProtocol { first } => {
                write!(f, "no protocol spoken here begins with bytes {first:02x?}")
            }
            Broken::Rpcx(broken) => write!(f, "rpcx: {broken}"),
            Broken::NetRpc(broken) => write!(f, "net/rpc: {broken}"),
            Broken::Http(broken) => write!(f, "http: {broken}"),
            Broken::JsonRpc(broken) => write!(f, "jsonrpc: {broken}"),
        }
    }
}

impl std::error::Error for Broken {}
