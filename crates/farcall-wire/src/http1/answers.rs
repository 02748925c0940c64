//! What a server answers: every answer is written to the output's end, gets its length when its
//! body is there, and leaves when it is its turn.

use super::{
    Broken, gateway,
    head::{Method, Reader},
    places::{Kind, Place},
    plan::{Answer, Says},
    reply::{self, Connection, Opening},
    server::{Server, State},
};
use crate::{Mark, Out, ReplyHead, ResponseHead};
use bytes::Bytes;
use farcall_core::{Code, Compress, Found, Status};

/// The answer that is open: whose, and where its body begins.
#[derive(Clone, Copy)]
pub(super) struct Answering {
    pub(super) number: u64,
    pub(super) start: usize,
    /// Its status has no body.
    pub(super) bare: bool,
}

impl Server {
    /// Answers a request in its turn, with a text or with nothing.
    pub(super) fn say(&mut self, number: u64, text: &[u8], out: &mut Out) {
        let connection = self.connection(number);
        let (Some(connection), Some(place)) = (connection, self.places.get_mut(number)) else {
            return;
        };
        let mut lines = place.lines.to_vec();
        let (status, kind) = match &place.kind {
            Kind::Rpcx(echo, _) => {
                lines.extend_from_slice(echo);
                (200, None)
            }
            // Nothing is said of notifications. Some of JSON-RPC's clients want the type even so.
            _ if text.is_empty() => (204, Some(reply::JSON)),
            _ => (200, Some(reply::JSON)),
        };
        let tail = out.tail();
        let frame = tail.len();
        let bare = reply::is_bare(status);
        reply::open(tail, &Opening { status, connection, kind, lines: &lines, meta: &[], bare });
        let start = tail.len();
        tail.extend_from_slice(text);
        self.close(number, Answering { number, start, bare }, frame, out);
    }

    /// Appends the head of a reply, and for a failure the whole answer.
    pub(super) fn begin_reply(&mut self, head: &ReplyHead<'_>, out: &mut Out) -> Mark {
        let number = head.ticket.seq;
        let frame = out.tail().len();
        let connection = self.connection(number);
        let (Some(connection), Some(place)) = (connection, self.places.get_mut(number)) else {
            debug_assert!(false, "request {number} is answered twice");
            return Mark { frame, body: frame, compress: Compress::None };
        };
        let absent = head.error.is_some_and(|error| error.code() == Code::Unimplemented);
        let lines = &place.lines[..];
        let mut opening = Opening {
            status: 200,
            connection,
            kind: Some(reply::JSON),
            lines,
            meta: head.meta,
            bare: false,
        };
        let (start, body) = match &mut place.kind {
            Kind::Post(post) => {
                if !post.is_batch() {
                    reply::open(out.tail(), &opening);
                }
                let (slot, found) = unpack(head.ticket.echo);
                let unknown = found
                    .filter(|_| absent)
                    .map(|found| post.unknown(found, head.service, head.method));
                let head = ReplyHead { error: unknown.as_ref().or(head.error), ..*head };
                let mark = post.begin(slot, &head, out);
                (mark.frame, mark.body)
            }
            Kind::Rpcx(echo, found) => {
                let mut lines = place.lines.to_vec();
                lines.extend_from_slice(echo);
                match head.error {
                    None => {
                        gateway::metadata_line(&mut lines, head.meta);
                        opening.kind = Some(gateway::kind(head.ticket.format));
                    }
                    Some(error) => {
                        let unknown = found
                            .filter(|_| absent)
                            .map(|found| gateway::unknown(found, head.service, head.method));
                        let error = unknown.as_ref().unwrap_or(error);
                        gateway::failed(&mut lines, error.text());
                        opening.status = gateway::status(error.code());
                        opening.kind = None;
                    }
                }
                reply::open(out.tail(), &Opening { lines: &lines, meta: &[], ..opening });
                (out.tail().len(), out.tail().len())
            }
            kind => {
                opening.status = match head.error {
                    None => 200,
                    Some(_) if absent && matches!(kind, Kind::Unknown(_)) => 404,
                    Some(error) => reply::status(error.code()),
                };
                let tail = out.tail();
                let retry = head.error.and_then(Status::retry_after);
                let own = retry.map(|time| [lines, &reply::retry_after(time)[..]].concat());
                opening.lines = own.as_deref().unwrap_or(lines);
                reply::open(tail, &opening);
                let start = tail.len();
                if let Some(error) = head.error {
                    match kind {
                        Kind::Unknown(hint) if absent => {
                            let text = format!("{}{hint}", error.text());
                            reply::failure(tail, error.code(), &text);
                        }
                        _ => reply::failure(tail, error.code(), error.text()),
                    }
                }
                (start, start)
            }
        };
        self.answering = Some(Answering { number, start, bare: false });
        Mark { frame, body, compress: Compress::None }
    }

    /// Appends the head of a page's answer.
    pub(super) fn begin_response(&mut self, head: &ResponseHead<'_>, out: &mut Out) -> Mark {
        let number = head.ticket.seq;
        let tail = out.tail();
        let frame = tail.len();
        let mut lines = Vec::new();
        let mut bare = false;
        let connection = self.connection(number).unwrap_or(Connection::Closes);
        if let Some(place) = self.places.get_mut(number) {
            let has_cors = !place.lines.is_empty();
            reply::page_fields(&mut lines, head.fields, has_cors);
            lines.extend_from_slice(&place.lines);
            // A page that leaves the body out for `HEAD` may still say how long it would be.
            let length = head.fields.iter().find(|(k, _)| k.eq_ignore_ascii_case("content-length"));
            if let Some((_, length)) =
                length.filter(|_| place.head_only && !reply::is_bare(head.status))
                && let Ok(length) = length.parse::<u64>()
            {
                lines.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
                bare = true;
            }
        }
        let status = if (200..600).contains(&head.status) { head.status } else { 500 };
        bare |= reply::is_bare(status);
        let (kind, lines) = (None, &lines[..]);
        reply::open(tail, &Opening { status, connection, kind, lines, meta: &[], bare });
        let start = tail.len();
        self.answering = Some(Answering { number, start, bare });
        Mark { frame, body: start, compress: Compress::None }
    }

    /// The answer that begins at `frame` is complete: its length is put in, and it leaves when it
    /// is its turn.
    pub(super) fn close(&mut self, number: u64, answering: Answering, frame: usize, out: &mut Out) {
        let Answering { start, bare, .. } = answering;
        let tail = out.tail();
        if bare {
            tail.truncate(start);
        } else {
            reply::close(tail, start);
        }
        if let Some(place) = self.places.get_mut(number) {
            if place.head_only {
                // The length is that of the answer to `GET` (RFC 9110 §9.3.2).
                tail.truncate(start);
            }
            let kind = std::mem::replace(&mut place.kind, Kind::Page);
            if let Kind::Post(post) = kind
                && post.is_spare()
            {
                self.spare = Some(post);
            }
        }
        self.places.answered(number, frame, out);
        self.go_on(out);
    }

    /// Answers a request that calls nothing, in its turn.
    pub(super) fn answer(&mut self, answer: &Answer, place: Place, out: &mut Out) {
        let lines = place.lines.clone();
        let number = self.places.open(place);
        let connection = self.connection(number).unwrap_or(Connection::Closes);
        let tail = out.tail();
        let frame = tail.len();
        let status = answer.status;
        let mut lines = lines.to_vec();
        if let Some(methods) = answer.allow {
            lines.extend_from_slice(format!("Allow: {methods}\r\n").as_bytes());
        }
        let kind = match &answer.says {
            Says::Failure(_) => Some(reply::JSON),
            Says::Text(_) => Some(reply::TEXT),
            Says::Lines(more) => {
                lines.extend_from_slice(more);
                None
            }
        };
        let bare = reply::is_bare(status);
        reply::open(tail, &Opening { status, connection, kind, lines: &lines, meta: &[], bare });
        let start = tail.len();
        match &answer.says {
            Says::Failure(text) => reply::failure(tail, reply::code(status), text),
            Says::Text(text) => tail.extend_from_slice(text.as_bytes()),
            Says::Lines(_) => {}
        }
        self.close(number, Answering { number, start, bare }, frame, out);
    }

    /// Says how the peer broke the protocol, in its turn, and reads no more.
    #[cold]
    pub(super) fn refuse(&mut self, broken: &Broken, out: &mut Out) {
        self.last = true;
        let state = std::mem::replace(&mut self.state, State::Head(Reader::default()));
        let (head_only, lines) = match state {
            State::Head(reader) => (reader.method() == Some(Method::Head), Bytes::new()),
            State::Body(request) => (request.head_only, request.lines),
            State::Members(_) | State::Tunnel(_) => (false, Bytes::new()),
        };
        let (text, status) = (broken.to_string().into(), broken.status());
        let allow = (status == 405).then_some("POST");
        let place = Place::new(Connection::Closes, head_only, lines, Kind::Page);
        self.answer(&Answer { status, allow, says: Says::Failure(text) }, place, out);
    }

    /// Tells a peer that waits for it that its body is wanted, once those before it are answered.
    pub(super) fn go_on(&mut self, out: &mut Out) {
        if let State::Body(request) = &mut self.state
            && request.expects
            && self.places.is_empty()
        {
            request.expects = false;
            out.tail().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }
}

/// A slot of JSON-RPC and why it finds no method, in the bits of a ticket. Slots are far fewer than
/// 2³⁰.
pub(super) fn pack(slot: u64, found: Option<Found>) -> u32 {
    let why = match found {
        Some(Found::NoMethod) => 1,
        Some(Found::NoService) => 2,
        _ => 0,
    };
    (slot as u32) << 2 | why
}

fn unpack(echo: u32) -> (u64, Option<Found>) {
    let found = match echo & 3 {
        1 => Some(Found::NoMethod),
        2 => Some(Found::NoService),
        _ => None,
    };
    (u64::from(echo >> 2), found)
}
