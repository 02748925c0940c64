//! Every bound in the system, its default, and what happens there.

use std::time::Duration;

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
    pub message_bytes: usize,
    /// Bytes one compressed body may unfold to. Default 16 MiB. A call beyond it is refused.
    pub unfolded_bytes: usize,
    /// Memory that the values of one body may take beyond the body itself: items of lists, entries
    /// of maps, boxes. Default 64 MiB. A body beyond it is refused.
    pub decoded_bytes: usize,
    /// Levels of nesting in a body. Default 100, as protobuf's implementations. A deeper one is
    /// refused.
    pub body_depth: u32,
    /// Bytes of metadata of one call. Default 64 KiB. A longer block closes the connection.
    pub meta_bytes: usize,
    /// Bytes of a service or method name, of a JSON-RPC id, and of gob's names of fields. Default 1
    /// KiB. A longer one closes the connection; over JSON-RPC, its call is refused.
    pub name_bytes: usize,
    /// Types that one direction of a net/rpc connection may define in gob. Default 4,096; a Go
    /// program has as many as it sends. One more closes the connection.
    pub gob_types: usize,
    /// Bytes that all these definitions may take. Default 1 MiB. More close the connection.
    pub gob_type_bytes: usize,
    /// Fields that one of these types may have. Default 4,096. One more closes the connection.
    pub gob_fields: usize,
    /// Bytes of the head of an HTTP message; its trailers and chunk extensions have as many again.
    /// Default 32 KiB. A longer one closes the connection; requests are answered with 431 first.
    pub head_bytes: usize,
    /// Fields in the head of an HTTP message. Default 128. One more closes the connection; requests
    /// are answered with 431 first.
    pub head_fields: usize,
    /// Calls in one JSON-RPC batch. Default 1,024. A larger batch is refused as a whole.
    pub batch_calls: usize,
    /// Calls of one connection that run at once, streams included. Default 1,024. When all are
    /// taken, further calls wait in their order (`parked_calls`); heartbeats and the items of
    /// streams are served.
    pub calls_per_connection: usize,
    /// Calls of one connection that were read and may not start yet. Default 1,024. Beyond it, a
    /// connection is not read until one has started; over a protocol with streams it is read on,
    /// and further calls are refused.
    pub parked_calls: usize,
    /// Bytes of those calls, beside what is read at once. Default 4 MiB. Beyond it, as above.
    pub parked_bytes: usize,
    /// Bytes of a stream's items that are encoded and not yet written. Default 64 KiB, and always
    /// room for one item; the window of the peer is often smaller. Beyond it, the stream is not
    /// asked for more.
    pub stream_bytes: usize,
    /// Bytes of messages that were pushed and wait: on a server for room in one connection's
    /// output, on a client for whoever takes them. Default 1 MiB, and always room for one. Beyond
    /// it, a server refuses to push more, and a client drops the oldest.
    pub push_bytes: usize,
    /// Connections beside those of the calls, for rpcx's file transfer and streams, of one
    /// listener: those that were asked for and those that are there. Default 256. Beyond it,
    /// further ones are refused; and of as many that brought no token yet, the oldest is closed.
    pub side_connections: usize,
    /// Time such a connection has to come and bring its token. Default 30 s. Then it is closed, and
    /// the token is void.
    pub side_wait: Duration,
    /// Bytes of one file that is sent or fetched so. Default 1 GiB. A longer one is refused.
    pub file_bytes: u64,
    /// Calls that wait on a whole server at once, for their handlers or at the gate, those of
    /// closed connections included (one-way calls are finished when their caller is gone). Default
    /// 65,536. Beyond it, calls that must wait are refused.
    pub calls: usize,
    /// Connections a server holds at once. Default 65,536. Beyond it, the one that has been silent
    /// for longest, not a byte said, is closed to make room; where all have spoken, the new one is.
    pub connections: usize,
    /// Unwritten bytes a server keeps for one connection, and as many of answers that wait for the
    /// rest of their batch. Default 4 MiB, and always room for one reply. Beyond it, the
    /// connection's calls are not started and it is not read until the peer has read.
    pub output_bytes: usize,
    /// Time a peer has to take some of the output waiting for it. Default 30 s. Then the connection
    /// is closed: it does not read. Holds on both ends. Of a file that is sent or fetched, either
    /// direction stalls so.
    pub write_stall: Duration,
    /// Bytes read in one turn before output is written and others are let run. Default 256 KiB.
    pub turn_bytes: usize,
    /// Calls started in one turn before output is written and others are let run. Default 256.
    pub turn_calls: usize,
    /// Time one turn may take before output is written and others are let run. Default 2 ms; a
    /// handler that does not wait is not interrupted.
    pub turn_time: Duration,
    /// Time a handler may hold its worker before it is counted and named in a warning. Default 10
    /// ms.
    pub hold_time: Duration,
    /// Time a connection may say nothing before its first byte. Default 60 s. Then it is closed.
    pub silence: Duration,
    /// Time a connection has to shake hands, where it is secured by TLS. Default 10 s. Then it is
    /// closed. On the client it is part of `connect_time`.
    pub handshake_time: Duration,
    /// Time a message that has begun has to be complete, or at least to bring another
    /// `message_bytes / 1024`. Default 10 s (16 KiB). Then the connection is closed.
    pub head_time: Duration,
    /// Time a connection that has completed a message may stay without a call. Default none: it is
    /// never closed for idleness. Then it is told goodbye.
    pub idle: Option<Duration>,
    /// Age at which a connection is told goodbye, and its peer opens another: behind a balancer of
    /// connections, new servers get their share. Each is up to a tenth younger or older, so that
    /// those that came together do not leave together. Default none.
    pub connection_age: Option<Duration>,
    /// Time a connection that was told goodbye still takes calls. Default 500 ms. What comes later
    /// is refused without being run, and the connection closes when all is answered.
    pub goodbye: Duration,
    /// A connection that was told goodbye, has nothing to answer and brings nothing for this long
    /// is closed. Default 50 ms; longer than a round trip, or calls that crossed the goodbye are
    /// lost.
    pub quiet: Duration,
    /// Time a connection that closes after an answer is still read, so that the peer can read that
    /// answer while it writes. Default 2 s; what comes is thrown away.
    pub linger: Duration,
    /// Calls one client connection has in flight, streams included. Default 16,384. Beyond it,
    /// calls wait their turn within their deadline.
    pub calls_in_flight: usize,
    /// Unwritten bytes a client keeps for one connection. Default 64 MiB. Beyond it, calls wait
    /// their turn within their deadline.
    pub client_output_bytes: usize,
    /// Connections of one client whose protocol answers in the order of its calls, HTTP/1.1: one
    /// for every call in flight. Default 64. Beyond it, calls wait their turn within their
    /// deadline.
    pub connections_per_client: usize,
    /// Time such a connection may stay without a call while the client has another. Default 90 s.
    /// Then it is closed.
    pub pool_idle: Duration,
    /// Time to open a connection. Default 3 s.
    pub connect_time: Duration,
    /// The deadline of a unary call that names none; it is sent along. Default 10 s. `None`: such
    /// calls wait for ever.
    pub call_time: Option<Duration>,
    /// Time between two attempts to reconnect: the first, doubling up to the second, each less a
    /// random quarter. Default 50 ms to 5 s.
    pub reconnect: (Duration, Duration),
    /// Retries that a client may have saved up (see `Fail`): each takes one, calls and time bring
    /// more. Default 1,000. Where none is left, a call fails as if it were not to be repeated.
    pub retry_budget: u32,
    /// Retries that a hundred calls bring, of those that may be repeated. Default 10.
    pub retry_budget_percent: u32,
    /// Retries that a second brings; a new client has those of ten seconds. Default 10.
    pub retry_budget_per_second: u32,
    /// Time that nothing comes on a client's connection while calls wait, until a heartbeat is
    /// sent, and a quarter more at most. Default 1.5 s. Without a call there are none; nor are there
    /// where the protocol has none (net/rpc, JSON-RPC, HTTP/1.1): there `hung_calls` tells.
    pub ping_every: Duration,
    /// Time a server has to say anything after a heartbeat. Default 3 s. Then the connection is
    /// closed, calls on it fail as perhaps sent, and the next one takes calls when the server has
    /// answered a heartbeat.
    pub ping_time: Duration,
    /// Calls of a connection that run into their deadlines, one after the other and without a byte
    /// from the server, until it is asked whether it lives: by a heartbeat, or by a call of a
    /// method that nobody has. Over HTTP/1.1, calls of an address, which gets none then while the
    /// client has another. Default 3. 0: it is not asked.
    pub hung_calls: u32,
    /// Time a server has to say anything then, `ping_time` at most; over HTTP/1.1, time that it has
    /// said nothing. Default 1 s. Then the connection is closed, calls on it fail as perhaps sent,
    /// and where the client has another address, the next one takes calls when the server has
    /// answered something.
    pub hung_time: Duration,
    /// Time between the moment a server is told to stop, when its page of health begins to say so,
    /// and the moment it stops to accept. Default none: who balances by health needs to see it
    /// twice or so.
    pub drain_delay: Duration,
    /// Time running calls then have to finish. Default 30 s. What is left is cut.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        const KIB: usize = 1024;
        const MIB: usize = 1024 * KIB;
        Limits {
            message_bytes: 16 * MIB,
            unfolded_bytes: 16 * MIB,
            decoded_bytes: 64 * MIB,
            body_depth: 100,
            meta_bytes: 64 * KIB,
            name_bytes: KIB,
            gob_types: 4096,
            gob_type_bytes: MIB,
            gob_fields: 4096,
            head_bytes: 32 * KIB,
            head_fields: 128,
            batch_calls: 1024,
            calls_per_connection: 1024,
            parked_calls: 1024,
            parked_bytes: 4 * MIB,
            stream_bytes: 64 * KIB,
            push_bytes: MIB,
            side_connections: 256,
            side_wait: Duration::from_secs(30),
            file_bytes: 1024 * MIB as u64,
            calls: 65_536,
            connections: 65_536,
            output_bytes: 4 * MIB,
            write_stall: Duration::from_secs(30),
            turn_bytes: 256 * KIB,
            turn_calls: 256,
            turn_time: Duration::from_millis(2),
            hold_time: Duration::from_millis(10),
            silence: Duration::from_secs(60),
            handshake_time: Duration::from_secs(10),
            head_time: Duration::from_secs(10),
            idle: None,
            connection_age: None,
            goodbye: Duration::from_millis(500),
            quiet: Duration::from_millis(50),
            linger: Duration::from_secs(2),
            calls_in_flight: 16_384,
            client_output_bytes: 64 * MIB,
            connections_per_client: 64,
            pool_idle: Duration::from_secs(90),
            connect_time: Duration::from_secs(3),
            call_time: Some(Duration::from_secs(10)),
            reconnect: (Duration::from_millis(50), Duration::from_secs(5)),
            drain_delay: Duration::ZERO,
            retry_budget: 1000,
            retry_budget_percent: 10,
            retry_budget_per_second: 10,
            ping_every: Duration::from_millis(1500),
            ping_time: Duration::from_secs(3),
            hung_calls: 3,
            hung_time: Duration::from_secs(1),
            drain_time: Duration::from_secs(30),
        }
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
