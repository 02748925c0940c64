//! The contract between wires and the machine: what a protocol is, what it finds, what it writes.

use crate::{Codec, Known, Out, Push, PushHead, compress::Unfold, http1, jsonrpc, netrpc, rpcx};
use bytes::{Bytes, BytesMut};
use farcall_core::{
    Body, Call, Compress, Format, Found, Limits, Meta, MethodId, Routes, Shape, Status, Str,
    Streams, Ticket,
};
use std::{fmt, sync::Arc, time::Duration};

/// A protocol recognises itself and opens one state machine per connection.
pub trait Protocol: Send + Sync + 'static {
    /// The name in URLs and texts: `rpcx`.
    fn name(&self) -> &'static str;
    /// Whether these first bytes are this protocol's. Pure, and monotone: once `Yes` or `No`, more
    /// bytes do not change it.
    fn sniff(&self, first: &[u8]) -> Sniff;
    /// The format of bodies unless a call names another.
    fn default_format(&self) -> Format;
    /// Whether a call may say more than its body: metadata; and, unless it says otherwise, a
    /// compression and a format of its choice.
    fn carries_meta(&self) -> bool {
        true
    }
    /// Whether bodies may be compressed; a call that says so is refused by name where not.
    fn compresses(&self) -> bool {
        self.carries_meta()
    }
    /// The name of the metadata that carries a caller's credentials; none where the protocol has no
    /// place for them.
    fn auth_key(&self) -> Option<&'static str> {
        None
    }
    /// What stands there for this token.
    fn auth_value(&self, token: &str) -> String {
        token.to_owned()
    }
    /// What is answered to these first bytes where this protocol is built and not spoken; empty if
    /// it cannot be said.
    fn turn_away(&self, first: &[u8], text: &str) -> Vec<u8> {
        let _ = (first, text);
        Vec::new()
    }
    /// The protocol as an option of a target wants it; none if there is no such option.
    fn with_option(&self, key: &str, value: &str) -> Option<&'static dyn Protocol> {
        let _ = (key, value);
        None
    }
    /// A state machine for one end of one connection.
    fn open(&self, side: Side, limits: &Limits) -> Box<dyn Wire>;
    /// The client's end of a connection to this place. For protocols that name it to their peer.
    fn open_to(&self, place: &Place<'_>, limits: &Limits) -> Box<dyn Wire> {
        let _ = place;
        self.open(Side::Client, limits)
    }
    /// What HTTP's `CONNECT` is answered with where it leads to this protocol: the status and its
    /// text. None where nobody expects to reach it so.
    fn connected(&self) -> Option<&'static str> {
        None
    }
    /// Whether the client's side is built: targets of a protocol without one are refused by name.
    fn has_client(&self) -> bool {
        true
    }
    /// Whether calls may be streams, and be given up: such a wire finds and writes items, ends and
    /// cancels, and keeps windows. Without, streaming methods are refused by name.
    fn streams(&self) -> bool {
        false
    }
    /// Whether a server may send messages without being asked ([`Head::Push`]): without, they are
    /// refused by name.
    fn pushes(&self) -> bool {
        false
    }
    /// Whether bodies may have this format.
    fn carries(&self, format: Format) -> bool {
        format == self.default_format() || self.carries_meta() && format != Format::Gob
    }
    /// How many calls one connection may have in flight: for protocols whose answers come in the
    /// order of the calls, so that one slow call delays all that follow. `None`: as many as
    /// `Limits::calls_in_flight` says.
    fn in_flight(&self) -> Option<usize> {
        None
    }
    /// How the protocol goes over HTTP, for targets with `+http`; none if it does not.
    fn over_http(&self) -> Option<OverHttp> {
        None
    }
}

/// What a client's wire may tell its peer of the target.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// `HOST:PORT` as the target has it; `localhost` for what is no address.
    pub host: &'a str,
    /// `?path=…`, where the target has one.
    pub path: Option<&'a str>,
}

/// How a protocol goes over HTTP.
#[derive(Clone, Copy)]
pub enum OverHttp {
    /// Each call is a request of its own. This protocol makes them.
    Requests(&'static dyn Protocol),
    /// A tunnel: the protocol as it is, behind `CONNECT`.
    Tunnel(Tunnel),
}

/// What Go's servers want to be asked before they speak net/rpc or rpcx on a port of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// The path that is asked for unless the target names another.
    pub path: &'static str,
    /// The status and its text that must come back: `200 Connected to rpcx`.
    pub status: &'static str,
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
///
/// Streams, where [`Protocol::streams`] says there are any, are told apart by the number of their
/// call. One is opened by a call; then each side may send items, the client its end
/// ([`Head::End`], a half-close), the server the end of all: after items [`Head::End`], or a
/// [`Head::Reply`] where the method answers with one result, or fails before its first item. The
/// numbers of calls that are open at once are distinct. After a cancel, whoever sent it, neither
/// side writes for that number any more; what still arrives for it is dropped by the wire or by
/// the machine, and its window given back. An end with an error may overtake parked bytes, which
/// are dropped.
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

    /// Told before anything else, and only where there is any: what this end knows beside what is
    /// built in.
    fn know(&mut self, known: &Arc<Known>) {
        let _ = known;
    }

    /// The codec of a format that is not built in.
    fn codec(&self, format: Format) -> Option<&dyn Codec> {
        let _ = format;
        None
    }

    /// Unfolds a body whose compression is not built in.
    fn unfold(&self, compress: Compress, body: Bytes, limit: usize) -> Result<Bytes, Unfold> {
        let _ = (body, limit);
        Err(Unfold::Unknown(compress))
    }

    /// How many bytes of items the peer's windows let through now, for the stream and for the
    /// connection; 0 while something of this stream is parked, and for streams that are over. An
    /// item is begun only where this is not 0; what of it the window does not take, the wire
    /// parks, and sends on when the window opens.
    fn room(&self, seq: u64) -> usize {
        let _ = seq;
        0
    }

    /// How many bytes of this stream wait in the wire for the window. A stream's end without an
    /// error is written when there are none.
    fn parked(&self, seq: u64) -> usize {
        let _ = seq;
        0
    }

    /// Asked after [`feed`](Wire::feed) took input and found nothing: whether what it took is part
    /// of a message that is not complete.
    fn midway(&self) -> bool {
        false
    }

    /// The peer has said its last: what only the end of the stream completes is found now. On a
    /// client.
    fn ended(&mut self, events: &mut Vec<Event>) {
        let _ = events;
    }

    /// Asked after [`feed`](Wire::feed) gave an error: whether the calls that were found before
    /// are still to be answered, and all of it read by the peer, before the connection closes.
    fn closing(&self) -> bool {
        false
    }

    /// Asked after [`Control::Goodbye`]: whether what was written since tells the peer that nothing
    /// more is read, so that nothing has to be waited for.
    fn said_goodbye(&self) -> bool {
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
    /// A call of a method that does not; in a box, so that it does not make calls longer.
    Unknown(Box<Unknown>),
    /// An answer to a call of ours.
    Reply(Reply),
    /// A request that is no call.
    Request(Box<Request>),
    /// A message of the server's that answers nothing. On a client.
    Push(Box<Push>),
    /// An item of a stream.
    Item(Item),
    /// The peer sends no more on a stream: a client its last item, a server its last word.
    End(End),
    /// The peer gave a call up, streaming or not: it is over.
    Cancel {
        /// The number of the call.
        seq: u64,
    },
    /// The server takes no more calls on this connection, those apart that it has received: they
    /// are answered.
    Goodbye,
    /// A window opened, or what was parked is gone: of one stream, or of all.
    Room {
        /// The number of the call; none for all of them.
        seq: Option<u64>,
    },
}

/// An item of a stream, cut but not decoded.
#[derive(Debug)]
pub struct Item {
    /// The number of the call.
    pub seq: u64,
    /// How the body is encoded.
    pub format: Format,
    /// How the body is compressed.
    pub compress: Compress,
    /// The body.
    pub body: Body,
    /// What it took from the window, at least 1: [`Control::Consumed`] gives it back. The wire
    /// sees to it that a stream never holds more than it granted.
    pub cost: usize,
}

/// The end of what the peer sends on a stream.
#[derive(Debug)]
pub struct End {
    /// The number of the call.
    pub seq: u64,
    /// The server's failure; `None` for success, and from a client.
    pub error: Option<Status>,
    /// What came with the end.
    pub meta: Meta,
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
    /// Time the caller still waits, counted from the arrival of the frame.
    pub timeout: Option<Duration>,
    /// What came beside the body: strangers are told nothing, not even what does not exist.
    pub meta: Meta,
    /// The body, where [`Routes::fallback`] wants it; else empty.
    pub body: Body,
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
    /// A message of the server's that answers nothing.
    Push(PushHead<'a>),
    /// An item of a stream.
    Item(ItemHead),
    /// The end of what this side sends on a stream. It has no body.
    End(EndHead<'a>),
}

/// The head of an item of ours.
#[derive(Clone, Copy, Debug)]
pub struct ItemHead {
    /// The number of the call.
    pub seq: u64,
    /// How the body is encoded: formats whose bodies stand alone.
    pub format: Format,
    /// How the body is to be compressed, if it is worth it.
    pub compress: Compress,
}

/// The head of a stream's end.
#[derive(Debug)]
pub struct EndHead<'a> {
    /// The number of the call.
    pub seq: u64,
    /// The failure; `None` for success, and on the client.
    pub error: Option<&'a Status>,
    /// Metadata to send; none on the client.
    pub meta: &'a [(String, String)],
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
    /// Which sides are streams. Where the caller's is, there is no body: items follow.
    pub streams: Streams,
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
    /// Give a call of ours up, streaming or not. Wires without streams do nothing.
    Cancel {
        /// The number of the call.
        seq: u64,
    },
    /// Tell the client that this connection takes no more calls before long; once, on a server.
    /// Wires whose protocol has no word for it do nothing.
    Goodbye,
    /// Items were taken by their consumer, or dropped: the window may open again. Also for streams
    /// that are over.
    Consumed {
        /// The number of the call.
        seq: u64,
        /// The sum of their [`Item::cost`].
        cost: usize,
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
    /// The first bytes belong to a protocol that is built and not spoken on this listener.
    Off {
        /// Its name.
        name: &'static str,
    },
    /// The first bytes belong to a protocol that is known and not built.
    NotBuilt {
        /// Its name.
        name: &'static str,
    },
    /// rpcx was broken.
    Rpcx(rpcx::Broken),
    /// net/rpc was broken.
    NetRpc(netrpc::Broken),
    /// HTTP/1.1 was broken.
    Http(http1::Broken),
    /// JSON-RPC was broken.
    JsonRpc(jsonrpc::Broken),
    /// A protocol that is not built in was broken.
    Other {
        /// The protocol's name.
        protocol: &'static str,
        /// What was wrong.
        why: String,
    },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::NoProtocol { first } => {
                write!(f, "no protocol spoken here begins with bytes {first:02x?}")
            }
            Broken::Off { name } => write!(f, "{name} is not spoken on this listener"),
            Broken::NotBuilt { name } => write!(f, "{name} is known here and not built"),
            Broken::Rpcx(broken) => write!(f, "rpcx: {broken}"),
            Broken::NetRpc(broken) => write!(f, "net/rpc: {broken}"),
            Broken::Http(broken) => write!(f, "http: {broken}"),
            Broken::JsonRpc(broken) => write!(f, "jsonrpc: {broken}"),
            Broken::Other { protocol, why } => write!(f, "{protocol}: {why}"),
        }
    }
}

impl std::error::Error for Broken {}
