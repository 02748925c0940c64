//! Every bound in the system, its default, and what happens there: one table, of which the struct,
//! its defaults, the guide's page and what a server says of itself are made.

mod sourced;
mod table;
mod text;

pub use sourced::{SetBy, SourcedLimits};
pub use table::{Amount, HeldBy, Limit};

use std::time::Duration;
use table::Held;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The struct, its defaults and its table, of one row for each limit: its documentation, which says
/// `Default VALUE`, its name, type and default, and who holds it.
macro_rules! limits {
    (
        $(#[$outer:meta])*
        pub struct $Limits:ident {
            $(
                $(#[doc = $doc:literal])+
                pub $name:ident: $type:ty = $default:expr, $held_by:ident;
            )+
        }
    ) => {
        $(#[$outer])*
        pub struct $Limits {
            $( $(#[doc = $doc])+ pub $name: $type, )+
        }

        impl Default for $Limits {
            fn default() -> $Limits {
                $Limits { $($name: $default),+ }
            }
        }

        impl $Limits {
            /// All limits, in the order of the fields.
            pub const TABLE: &'static [Limit] = &[$(
                Limit {
                    name: stringify!($name),
                    held_by: HeldBy::$held_by,
                    doc: concat!($($doc),+),
                    get: |limits| limits.$name.amount(table::in_bytes(stringify!($name))),
                    set: |limits, text| {
                        limits.$name = Held::read(text, table::in_bytes(stringify!($name)))?;
                        Ok(())
                    },
                }
            ),+];
        }
    };
}

limits! {
    /// Every bound in the system. All are finite by default; a refusal names the field.
    ///
    /// ```
    /// use farcall_core::Limits;
    /// let limits = Limits { calls_per_connection: 256, ..Limits::default() };
    /// # assert_eq!(limits.calls_per_connection, 256);
    /// ```
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Limits {
        /// Bytes of one message on the wire. Default 16 MiB. A longer one closes the connection,
        /// because its end cannot be waited for.
        pub message_bytes: usize = 16 * MIB, Both;
        /// Bytes one compressed body may unfold to. Default 16 MiB. A call beyond it is refused.
        pub unfolded_bytes: usize = 16 * MIB, Both;
        /// Memory that the values of one body may take beyond the body itself: items of lists,
        /// entries of maps, boxes. Default 64 MiB. A body beyond it is refused.
        pub decoded_bytes: usize = 64 * MIB, Both;
        /// Levels of nesting in a body. Default 100, as protobuf's implementations. A deeper one is
        /// refused.
        pub body_depth: u32 = 100, Both;
        /// Bytes of metadata of one call. Default 64 KiB. A longer block closes the connection.
        pub meta_bytes: usize = 64 * KIB, Both;
        /// Bytes of a service or method name, of a JSON-RPC id, and of gob's names of fields.
        /// Default 1 KiB. A longer one closes the connection; over JSON-RPC, its call is refused.
        pub name_bytes: usize = KIB, Both;
        /// Types that one direction of a net/rpc connection may define in gob. Default 4,096; a Go
        /// program has as many as it sends. One more closes the connection.
        pub gob_types: usize = 4096, Both;
        /// Bytes that all these definitions may take. Default 1 MiB. More close the connection.
        pub gob_type_bytes: usize = MIB, Both;
        /// Fields that one of these types may have. Default 4,096. One more closes the connection.
        pub gob_fields: usize = 4096, Both;
        /// Bytes of the head of an HTTP message; its trailers and chunk extensions have as many
        /// again. Default 32 KiB. A longer one closes the connection; requests are answered with
        /// 431 first.
        pub head_bytes: usize = 32 * KIB, Both;
        /// Fields in the head of an HTTP message. Default 128. One more closes the connection;
        /// requests are answered with 431 first.
        pub head_fields: usize = 128, Both;
        /// Calls in one JSON-RPC batch. Default 1,024. A larger batch is refused as a whole.
        pub batch_calls: usize = 1024, Both;
        /// Calls of one connection that run at once, streams included. Default 1,024. When all are
        /// taken, further calls wait in their order (`parked_calls`); heartbeats and the items of
        /// streams are served.
        pub calls_per_connection: usize = 1024, Server;
        /// Calls of one connection that were read and may not start yet. Default 1,024. Beyond it,
        /// a connection is not read until one has started; over a protocol with streams it is read
        /// on, and further calls are refused.
        pub parked_calls: usize = 1024, Server;
        /// Bytes of those calls, beside what is read at once. Default 4 MiB. Beyond it, as above.
        pub parked_bytes: usize = 4 * MIB, Server;
        /// Bytes of a stream's items that are encoded and not yet written. Default 64 KiB, and
        /// always room for one item; the window of the peer is often smaller. Beyond it, the stream
        /// is not asked for more.
        pub stream_bytes: usize = 64 * KIB, Both;
        /// Bytes of messages that were pushed and wait: on a server for room in one connection's
        /// output, on a client for whoever takes them. Default 1 MiB, and always room for one.
        /// Beyond it, a server refuses to push more, and a client drops the oldest.
        pub push_bytes: usize = MIB, Both;
        /// Connections beside those of the calls, for rpcx's file transfer and streams, of one
        /// listener: those that were asked for and those that are there. Default 256. Beyond it,
        /// further ones are refused; and of as many that brought no token yet, the oldest is
        /// closed.
        pub side_connections: usize = 256, Server;
        /// Time such a connection has to come and bring its token. Default 30 s. Then it is closed,
        /// and the token is void.
        pub side_wait: Duration = Duration::from_secs(30), Server;
        /// Bytes of one file that is sent or fetched so. Default 1 GiB. A longer one is refused.
        pub file_bytes: u64 = 1024 * MIB as u64, Both;
        /// Calls that wait on a whole server at once, for their handlers or at the gate, those of
        /// closed connections included (one-way calls are finished when their caller is gone).
        /// Default 65,536. Beyond it, calls that must wait are refused.
        pub calls: usize = 65_536, Server;
        /// Connections a server holds at once. Default 65,536. Beyond it, the one that has been
        /// silent for longest, not a byte said, is closed to make room; where all have spoken, the
        /// new one is.
        pub connections: usize = 65_536, Server;
        /// Unwritten bytes a server keeps for one connection, and as many of answers that wait for
        /// the rest of their batch. Default 4 MiB, and always room for one reply. Beyond it, the
        /// connection's calls are not started and it is not read until the peer has read.
        pub output_bytes: usize = 4 * MIB, Server;
        /// Time a peer has to take some of the output waiting for it. Default 30 s. Then the
        /// connection is closed: it does not read. Holds on both ends. Of a file that is sent or
        /// fetched, either direction stalls so.
        pub write_stall: Duration = Duration::from_secs(30), Both;
        /// Bytes read in one turn before output is written and others are let run. Default 256 KiB.
        pub turn_bytes: usize = 256 * KIB, Server;
        /// Calls started in one turn before output is written and others are let run. Default 256.
        pub turn_calls: usize = 256, Server;
        /// Time one turn may take before output is written and others are let run. Default 2 ms; a
        /// handler that does not wait is not interrupted.
        pub turn_time: Duration = Duration::from_millis(2), Server;
        /// Time a handler may hold its worker before it is counted and named in a warning. Default
        /// 10 ms.
        pub hold_time: Duration = Duration::from_millis(10), Server;
        /// Time a connection may say nothing before its first byte. Default 60 s. Then it is
        /// closed.
        pub silence: Duration = Duration::from_secs(60), Server;
        /// Time a connection has to shake hands, where it is secured by TLS. Default 10 s. Then it
        /// is closed. On the client it is part of `connect_time`.
        pub handshake_time: Duration = Duration::from_secs(10), Both;
        /// Time a message that has begun has to be complete, or at least to bring another
        /// `message_bytes / 1024`. Default 10 s (16 KiB). Then the connection is closed.
        pub head_time: Duration = Duration::from_secs(10), Server;
        /// Time a connection that has completed a message may stay without a call. Default none: it
        /// is never closed for idleness. Then, or up to a tenth later, so that those that fell
        /// silent together do not leave together, it is told goodbye.
        pub idle: Option<Duration> = None, Server;
        /// Age at which a connection is told goodbye, and its peer opens another: behind a balancer
        /// of connections, new servers get their share. Each is up to a tenth younger or older, so
        /// that those that came together do not leave together. Default none.
        pub connection_age: Option<Duration> = None, Server;
        /// Time a connection that was told goodbye still takes calls. Default 500 ms. What comes
        /// later is refused without being run, and the connection closes when all is answered.
        pub goodbye: Duration = Duration::from_millis(500), Server;
        /// A connection that was told goodbye, has nothing to answer and brings nothing for this
        /// long is closed. Default 50 ms; longer than a round trip, or calls that crossed the
        /// goodbye are lost.
        pub quiet: Duration = Duration::from_millis(50), Server;
        /// Time a connection that closes after an answer is still read, so that the peer can read
        /// that answer while it writes. Default 2 s; what comes is thrown away.
        pub linger: Duration = Duration::from_secs(2), Server;
        /// Calls one client connection has in flight, streams included. Default 16,384. Beyond it,
        /// calls wait their turn within their deadline.
        pub calls_in_flight: usize = 16_384, Client;
        /// Unwritten bytes a client keeps for one connection. Default 64 MiB. Beyond it, calls wait
        /// their turn within their deadline.
        pub client_output_bytes: usize = 64 * MIB, Client;
        /// Connections of one client whose protocol answers in the order of its calls, HTTP/1.1:
        /// one for every call in flight. Default 64. Beyond it, calls wait their turn within their
        /// deadline.
        pub connections_per_client: usize = 64, Client;
        /// Time such a connection may stay without a call while the client has another. Default 90
        /// s. Then it is closed.
        pub pool_idle: Duration = Duration::from_secs(90), Client;
        /// Time to open a connection. Default 3 s.
        pub connect_time: Duration = Duration::from_secs(3), Client;
        /// The deadline of a unary call that names none; it is sent along. Default 10 s. `None`:
        /// such calls wait for ever.
        pub call_time: Option<Duration> = Some(Duration::from_secs(10)), Client;
        /// Time between two attempts to reconnect: the first, doubling up to the second, each less
        /// a random quarter. Default 50 ms to 5 s.
        pub reconnect: (Duration, Duration) =
            (Duration::from_millis(50), Duration::from_secs(5)), Client;
        /// Retries that a client may have saved up (see `Fail`): each takes one, calls and time
        /// bring more. Default 1,000. Where none is left, a call fails as if it were not to be
        /// repeated.
        pub retry_budget: u32 = 1000, Client;
        /// Retries that a hundred calls bring, of those that may be repeated. Default 10.
        pub retry_budget_percent: u32 = 10, Client;
        /// Retries that a second brings; a new client has those of ten seconds. Default 10.
        pub retry_budget_per_second: u32 = 10, Client;
        /// Time that nothing comes on a client's connection while calls wait, until a heartbeat is
        /// sent, and a quarter more at most. Default 1500 ms. Without a call there are none; nor
        /// are there where the protocol has none (net/rpc, JSON-RPC, HTTP/1.1): there `hung_calls`
        /// tells. A client of several addresses asks after a quarter of it, and where no answer has
        /// come after another quarter, new calls go to the others until one does.
        pub ping_every: Duration = Duration::from_millis(1500), Client;
        /// Time a server has to say anything after a heartbeat. Default 3 s. Then the connection
        /// is closed, calls on it fail as perhaps sent, and the next one takes calls when the
        /// server has answered a heartbeat.
        pub ping_time: Duration = Duration::from_secs(3), Client;
        /// Calls of a connection that run into their deadlines, one after the other and without a
        /// byte from the server, until it is asked whether it lives: by a heartbeat, or by a call
        /// of a method that nobody has; until it answers, new calls go to other addresses where the
        /// client has some. Over HTTP/1.1, calls of an address, which gets none then while the
        /// client has another. Default 3. 0: it is not asked.
        pub hung_calls: u32 = 3, Client;
        /// Time a server has to say anything then, `ping_time` at most; over HTTP/1.1, time that
        /// it has said nothing. Default 1 s. Then the connection is closed, calls on it fail as
        /// perhaps sent, and where the client has another address, the next one takes calls when
        /// the server has answered something.
        pub hung_time: Duration = Duration::from_secs(1), Client;
        /// Time between the moment a server is told to stop, when its page of health begins to say
        /// so, and the moment it stops to accept. Default 0 s: who balances by health needs to see
        /// it twice or so.
        pub drain_delay: Duration = Duration::ZERO, Server;
        /// Time running calls and transfers then have to finish. Default 30 s. What is left is cut.
        pub drain_time: Duration = Duration::from_secs(30), Both;
    }
}

impl Limits {
    /// The bounds that apply inside a body.
    pub fn bounds(&self) -> Bounds {
        Bounds { depth: self.body_depth, decoded_bytes: self.decoded_bytes }
    }
}

/// The bounds that a format holds while it reads or writes one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// See [`Limits::body_depth`].
    pub depth: u32,
    /// See [`Limits::decoded_bytes`].
    pub decoded_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Limits::default().bounds()
    }
}
