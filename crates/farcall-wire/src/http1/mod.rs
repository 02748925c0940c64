//! HTTP/1.1, both sides, and plain JSON over it: calls that people make by hand.
//!
//! Source: RFC 9112 (messages) and RFC 9110 (semantics); sections are named where they apply.
//!
//! ```text
//! POST /Service/Method HTTP/1.1          HTTP/1.1 200 OK
//! Host: 127.0.0.1:8972                   Content-Type: application/json
//! Content-Length: 13                     Content-Length:          8
//!
//! {"A":6,"B":7}                          {"C":42}
//! ```
//!
//! - The body is JSON whatever `curl -d` calls it; no body is a blank argument. Types that are
//!   surely something else are refused with 415. `Content-Encoding: gzip` is understood.
//! - `X-Timeout-Ms` is how long the caller waits, in milliseconds.
//! - Fields of the request are the call's metadata, names in lower case. Metadata of the reply are
//!   fields where both name and value may be; the others stand percent-encoded in `X-Meta`.
//! - A failure has the status of its code and a body `{"error":{"code":…,"message":…}}`.
//! - `GET /` lists what can be called, where the server was told to.
//! - Pages of another origin are refused: there is no CORS.
//!
//! Requests may be pipelined; answers leave in order. A request that two readers could read
//! differently is answered and the connection closed ([`Broken`]); chunk extensions and trailers
//! are ignored, `Upgrade` too.

mod body;
mod broken;
mod chars;
pub(crate) mod client;
mod head;
mod places;
mod plan;
mod reply;

use crate::{
    Control, Event, Fed, Head, Mark, Out, Place, Protocol, ReplyHead, Side, Sniff, Unknown, Wire,
};
use body::Chunks;
use bytes::{Buf, Bytes, BytesMut};
use farcall_core::{Call, Code, Compress, Format, Found, Limits, Meta, Routes, Status, Ticket};
use head::{Bounds, Length, METHODS, Method, Reader};
use places::Places;
use plan::{Answer, Plan};
use reply::Connection;

pub use broken::Broken;
pub use client::Opening;

/// The protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Http;

impl Protocol for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    /// A method and a space; at most eight bytes are looked at.
    fn sniff(&self, first: &[u8]) -> Sniff {
        if METHODS.iter().any(|(method, _)| first.starts_with(method)) {
            Sniff::Yes
        } else if METHODS.iter().any(|(method, _)| method.starts_with(first)) {
            Sniff::More
        } else {
            Sniff::No
        }
    }

    fn default_format(&self) -> Format {
        Format::Json
    }

    /// `Authorization` (RFC 9110 §11.6.2), whose name is in lower case here.
    fn auth_key(&self) -> Option<&'static str> {
        Some("authorization")
    }

    /// A bare token is sent as a bearer's (RFC 6750 §2.1).
    fn auth_value(&self, token: &str) -> String {
        match token.contains(' ') {
            true => token.to_owned(),
            false => format!("Bearer {token}"),
        }
    }

    /// "The target is not able to produce authoritative responses" (RFC 9110 §15.5.20).
    fn turn_away(&self, _: &[u8], text: &str) -> Vec<u8> {
        let mut tail = Vec::new();
        reply::open(&mut tail, 421, Connection::Closes, reply::JSON, None, &[]);
        let body = tail.len();
        reply::failure(&mut tail, Code::Unimplemented, text);
        reply::close(&mut tail, body);
        tail
    }

    fn carries(&self, format: Format) -> bool {
        format == Format::Json
    }

    /// Answers come in order: a slow one would delay all behind it.
    fn in_flight(&self) -> Option<usize> {
        Some(1)
    }

    fn open_to(&self, place: &Place<'_>, limits: &Limits) -> Box<dyn Wire> {
        Box::new(client::Client::new(place, limits))
    }

    fn open(&self, side: Side, limits: &Limits) -> Box<dyn Wire> {
        if side == Side::Client {
            return self.open_to(&Place { host: "localhost", path: None }, limits);
        }
        Box::new(Server {
            state: State::Head(Reader::default()),
            places: Places::default(),
            answering: None,
            blank_line: false,
            last: false,
            bounds: Bounds::new(limits),
            message_bytes: limits.message_bytes,
            name_bytes: limits.name_bytes,
            requests: limits.calls_per_connection,
            output_bytes: limits.output_bytes,
        })
    }
}

/// The server's end of a connection.
struct Server {
    state: State,
    /// Requests that are not answered yet.
    places: Places,
    /// The number of the request whose answer is open.
    answering: Option<u64>,
    /// An empty line was let pass before the request at hand.
    blank_line: bool,
    /// No more requests are read.
    last: bool,
    bounds: Bounds,
    message_bytes: usize,
    name_bytes: usize,
    requests: usize,
    output_bytes: usize,
}

#[derive(Debug)]
enum State {
    Head(Reader),
    Body(Request),
}

/// A request whose body is awaited.
#[derive(Debug)]
struct Request {
    plan: Plan,
    meta: Meta,
    rest: Rest,
    connection: Connection,
    /// The answer has no body.
    head_only: bool,
    /// The peer waits to be told that its body is wanted.
    expects: bool,
}

#[derive(Debug)]
enum Rest {
    /// Bytes still missing.
    Fixed(usize),
    Chunked(Chunks),
}

/// What cutting came to.
enum Cut {
    /// A request was complete.
    Request,
    /// This many more bytes are needed, as far as can be told.
    Need(usize),
}

impl Wire for Server {
    fn feed(
        &mut self,
        input: &mut BytesMut,
        out: &mut Out,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
        most: usize,
    ) -> Result<Fed, crate::Broken> {
        let mut left = most;
        loop {
            if self.last {
                input.clear();
                return Ok(Fed::Closing);
            }
            if matches!(self.state, State::Head(_)) {
                if input.is_empty() {
                    return Ok(Fed::Hungry { need: 0 });
                }
                if left == 0 || out.len() > self.output_bytes {
                    return Ok(Fed::Full);
                }
                if self.places.len() >= self.requests || self.places.parked() > self.output_bytes {
                    return Ok(Fed::Waiting);
                }
            }
            match self.cut(input, out, routes, events) {
                Ok(Cut::Request) => left -= 1,
                Ok(Cut::Need(need)) => return Ok(Fed::Hungry { need }),
                Err(broken) => {
                    self.refuse(&broken, out);
                    input.clear();
                    return Err(broken.into());
                }
            }
        }
    }

    fn begin(&mut self, head: Head<'_>, out: &mut Out) -> Mark {
        let tail = out.tail();
        let frame = tail.len();
        let body = match head {
            Head::Reply(head) => self.begin_reply(&head, tail),
            // Nobody calls from this end.
            Head::Call(_) => frame,
        };
        Mark { frame, body, compress: Compress::None }
    }

    fn end(&mut self, mark: Mark, out: &mut Out) {
        let Some(number) = self.answering.take() else { return };
        reply::close(out.tail(), mark.body);
        self.places.answered(number, mark.frame, out);
        self.go_on(out);
    }

    fn abandon(&mut self, mark: Mark, out: &mut Out) {
        self.answering = None;
        out.tail().truncate(mark.frame);
    }

    /// HTTP/1.1 has nothing to say but answers.
    fn control(&mut self, _: Control, _: &mut Out) {}

    fn unknown(&self, found: Found, service: &str, method: &str) -> Status {
        Status::unimplemented(match found {
            Found::NoMethod => format!("service `{service}` has no method `{method}`"),
            _ => format!("there is no service `{service}`; call by POST /Service/Method"),
        })
    }

    fn midway(&self) -> bool {
        matches!(self.state, State::Body(_))
    }

    fn closing(&self) -> bool {
        self.last
    }
}

impl Server {
    /// Takes at most one request off the input.
    fn cut(
        &mut self,
        input: &mut BytesMut,
        out: &mut Out,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
    ) -> Result<Cut, Broken> {
        if let State::Head(reader) = &mut self.state {
            // One empty line is let pass before a request: old clients send one behind a body
            // (RFC 9112 §2.2).
            if !self.blank_line {
                match input[..] {
                    [b'\r'] => return Ok(Cut::Need(1)),
                    [b'\r', b'\n', ..] => {
                        self.blank_line = true;
                        input.advance(2);
                    }
                    _ => {}
                }
            }
            let Some((head, end)) = reader.read(input, self.bounds)? else {
                return Ok(Cut::Need(usize::from(!input.is_empty())));
            };
            let bytes = input.split_to(end).freeze();
            self.begin_body(&head, bytes, out, routes)?;
        }
        let body = match self.body(input)? {
            Ok(body) => body,
            Err(need) => return Ok(Cut::Need(need)),
        };
        let state = std::mem::replace(&mut self.state, State::Head(Reader::default()));
        if let State::Body(request) = state {
            self.blank_line = false;
            self.complete(request, body, out, events);
        }
        Ok(Cut::Request)
    }

    /// The head is there: decides what to do, and how the body is read.
    fn begin_body(
        &mut self,
        head: &head::Head,
        bytes: Bytes,
        out: &mut Out,
        routes: &dyn Routes,
    ) -> Result<(), Broken> {
        let limit = self.message_bytes;
        let rest = match head.length {
            Length::Fixed(length) if length > limit as u64 => {
                return Err(Broken::BodyLong { limit });
            }
            Length::Fixed(length) => Rest::Fixed(length as usize),
            Length::Chunked => Rest::Chunked(Chunks::new(limit, self.bounds)),
        };
        let plan = Plan::new(head, &bytes, self.name_bytes, routes);
        let mut connection = match (head.persists(), head.minor) {
            (false, _) => Connection::Closes,
            (true, 0) => Connection::Kept,
            (true, _) => Connection::Stays,
        };
        let has_body = !matches!(rest, Rest::Fixed(0));
        let mut rest = rest;
        if head.expects && has_body && !plan.wants_body() {
            // The answer says all; whether the body still comes cannot be known, so nothing more
            // is read (RFC 9110 §10.1.1).
            (connection, rest) = (Connection::Closes, Rest::Fixed(0));
        }
        let meta = Meta::new(plan::fields(head, &bytes), head::walk);
        let expects = head.expects && has_body && plan.wants_body();
        let head_only = head.method == Method::Head;
        let request = Request { plan, meta, rest, connection, head_only, expects };
        self.state = State::Body(request);
        self.go_on(out);
        Ok(())
    }

    /// The body, once it is there; or how many bytes are missing.
    fn body(&mut self, input: &mut BytesMut) -> Result<Result<Bytes, usize>, Broken> {
        let State::Body(request) = &mut self.state else { return Ok(Err(1)) };
        let wanted = request.plan.wants_body();
        Ok(match &mut request.rest {
            Rest::Fixed(left) if wanted => match *left {
                left if left > input.len() => Err(left - input.len()),
                0 => Ok(Bytes::new()),
                left => Ok(input.split_to(left).freeze()),
            },
            Rest::Fixed(left) => {
                let part = input.len().min(*left);
                input.advance(part);
                *left -= part;
                if *left > 0 { Err(*left) } else { Ok(Bytes::new()) }
            }
            Rest::Chunked(chunks) => {
                if chunks.read(input, wanted)? {
                    Ok(std::mem::take(&mut chunks.body).freeze())
                } else {
                    Err(chunks.need())
                }
            }
        })
    }

    /// The request is complete: it becomes an event, or is answered at once.
    fn complete(&mut self, request: Request, body: Bytes, out: &mut Out, events: &mut Vec<Event>) {
        let Request { plan, meta, connection, head_only, .. } = request;
        self.last = connection == Connection::Closes;
        let ticket =
            |seq, compress| Ticket { seq, echo: 0, format: Format::Json, compress, oneway: false };
        match plan {
            Plan::Call { to, compress, timeout } => {
                // In JSON, `null` is the blank value of every type.
                let (body, compress) = match body.is_empty() {
                    true => (Bytes::from_static(b"null"), Compress::None),
                    false => (body, compress),
                };
                let ticket = ticket(self.places.open(connection, false), compress);
                events.push(Event::Call(Call { ticket, to, timeout, meta, body: body.into() }));
            }
            Plan::Unknown { found, service, method, timeout, .. } => {
                let ticket = ticket(self.places.open(connection, true), Compress::None);
                let unknown = Unknown { ticket, found, service, method, timeout, meta };
                events.push(Event::Unknown(unknown));
            }
            Plan::Answer(answer) => self.answer(&answer, connection, head_only, out),
        }
    }

    /// Appends the head, and for a failure the whole answer; where the body begins.
    fn begin_reply(&mut self, head: &ReplyHead<'_>, tail: &mut Vec<u8>) -> usize {
        let number = head.ticket.seq;
        self.answering = Some(number);
        let place = self.places.get(number);
        let connection = place.map_or(Connection::Closes, |place| place.connection);
        let unknown = place.is_some_and(|place| place.unknown);
        let status = match head.error {
            None => 200,
            Some(error) if unknown && error.code() == Code::Unimplemented => 404,
            Some(error) => reply::status(error.code()),
        };
        reply::open(tail, status, connection, reply::JSON, None, head.meta);
        let body = tail.len();
        if let Some(error) = head.error {
            reply::failure(tail, error.code(), error.text());
        }
        body
    }

    /// Answers a request that calls nothing, in its turn.
    fn answer(&mut self, answer: &Answer, connection: Connection, head_only: bool, out: &mut Out) {
        let write = |tail: &mut Vec<u8>| {
            let (status, kind, allow) = match answer {
                Answer::Page(_) => (200, reply::TEXT, None),
                Answer::No { status, allow, .. } => (*status, reply::JSON, *allow),
            };
            reply::open(tail, status, connection, kind, allow, &[]);
            let body = tail.len();
            match answer {
                Answer::Page(page) => tail.extend_from_slice(page.as_bytes()),
                Answer::No { text, .. } => reply::failure(tail, reply::code(status), text),
            }
            reply::close(tail, body);
            if head_only {
                // The length is that of the answer to `GET` (RFC 9110 §9.3.2).
                tail.truncate(body);
            }
        };
        if self.places.is_empty() {
            write(out.tail());
        } else {
            let mut bytes = Vec::new();
            write(&mut bytes);
            self.places.park(bytes);
        }
    }

    /// Says how the peer broke the protocol, in its turn, and reads no more.
    #[cold]
    fn refuse(&mut self, broken: &Broken, out: &mut Out) {
        self.last = true;
        let head_only = match &self.state {
            State::Head(reader) => reader.method() == Some(Method::Head),
            State::Body(request) => request.head_only,
        };
        self.state = State::Head(Reader::default());
        let (text, status) = (broken.to_string().into(), broken.status());
        let allow = (status == 405).then_some("POST");
        self.answer(&Answer::No { status, text, allow }, Connection::Closes, head_only, out);
    }

    /// Tells a peer that waits for it that its body is wanted, once those before it are answered.
    fn go_on(&mut self, out: &mut Out) {
        if let State::Body(request) = &mut self.state
            && request.expects
            && self.places.is_empty()
        {
            request.expects = false;
            out.tail().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }
}

#[cfg(test)]
mod tests;
