//! rpcx: Go's rpcx on the wire, as its version 1.9.4 speaks it.
//!
//! Source: rpcx `protocol/message.go` for the frame, `server/server_dispatch.go` and
//! `client/client.go` for what the two ends make of it. There is no handshake: requests, replies,
//! heartbeats and pushes share one frame, sixteen bytes of header and four sections, each
//! behind its length:
//!
//! ```text
//! u32 n1, service   u32 n2, method   u32 n3, metadata   u32 n4, body (possibly compressed)
//! ```
//!
//! Where this end differs from Go's, on purpose:
//! - every length is bounded and checked; Go answers a section beyond the frame with `can't find
//!   service` and goes on, here it closes the connection;
//! - an error status without a text is an error, not a success;
//! - bodies stay compressed until someone has decided to serve the call; Go unfolds first.
//!
//! And where it is as lenient as Go: a body reaches to the end of its frame even if `n4` says less,
//! and a server serves what it receives whether or not the type bit calls it a reply.

mod broken;
mod elsewhere;
mod goodbye;
mod header;
mod memo;
mod meta;
mod push;

use crate::{
    CallHead, Codec, Compressors, Control, Event, Fed, Head, Known, Mark, Out, OverHttp, Protocol,
    Reply, ReplyHead, Side, Sniff, Tunnel, Unknown, Wire,
    compress::{self, Unfold},
};
use bytes::{Buf, Bytes, BytesMut};
use farcall_core::{Body, Call, Compress, Format, Found, Limits, Meta, Routes, Str};
use header::Header;
use memo::{Memo, Said};
use std::{sync::Arc, time::Duration};

pub use broken::Broken;
pub(crate) use elsewhere::{compression, format, metadata, unknown};

/// The protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rpcx;

impl Protocol for Rpcx {
    fn name(&self) -> &'static str {
        "rpcx"
    }

    fn sniff(&self, first: &[u8]) -> Sniff {
        match first.first() {
            Some(&header::MAGIC) => Sniff::Yes,
            Some(_) => Sniff::No,
            None => Sniff::More,
        }
    }

    fn auth_key(&self) -> Option<&'static str> {
        Some(meta::AUTH)
    }

    /// An error reply to the call that begins so; one-way calls have none.
    fn turn_away(&self, first: &[u8], text: &str) -> Vec<u8> {
        let Some(head) = first.first_chunk().map(Header::read) else { return Vec::new() };
        let mut tail = Vec::new();
        if !head.has(header::ONEWAY) {
            goodbye::refusal(&mut tail, head.seq, text);
        }
        tail
    }

    /// `server/server_conn.go`, `connected`.
    fn connected(&self) -> Option<&'static str> {
        Some("200 Connected to rpcx")
    }

    /// As Go's rpcx client.
    fn default_format(&self) -> Format {
        Format::MsgPack
    }

    /// rpcx `share/share.go` and `server/server.go`.
    fn over_http(&self) -> Option<OverHttp> {
        let (path, status) = ("/_rpcx_", "200 Connected to rpcx");
        Some(OverHttp::Tunnel(Tunnel { path, status }))
    }

    fn pushes(&self) -> bool {
        true
    }

    fn open(&self, side: Side, limits: &Limits) -> Box<dyn Wire> {
        Box::new(Frames {
            side,
            message_bytes: limits.message_bytes,
            name_bytes: limits.name_bytes,
            meta_bytes: limits.meta_bytes,
            memo: Memo::default(),
            said: Said::default(),
            pushed: 0,
            known: None,
        })
    }
}

/// One end of a connection. Frames stand alone, so there is no state but the bounds, what was made
/// of the last call's names, and how the last frame was written.
struct Frames {
    side: Side,
    message_bytes: usize,
    name_bytes: usize,
    meta_bytes: usize,
    memo: Memo,
    said: Said,
    /// How many messages were pushed: their numbers.
    pushed: u64,
    /// What is not built in.
    known: Option<Arc<Known>>,
}

impl Wire for Frames {
    fn feed(
        &mut self,
        input: &mut BytesMut,
        out: &mut Out,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
        most: usize,
    ) -> Result<Fed, crate::Broken> {
        match self.side {
            Side::Server => {
                each(input, events, most, |input, events| self.serve(input, out, routes, events))
            }
            Side::Client => each(input, events, most, |input, events| self.receive(input, events)),
        }
    }

    fn begin(&mut self, head: Head<'_>, out: &mut Out) -> Mark {
        match head {
            Head::Call(head) => self.begin_call(&head, out),
            Head::Reply(head) => self.begin_reply(&head, out),
            Head::Push(head) => self.begin_push(&head, out),
            Head::Item(_) | Head::End(_) => unreachable!("rpcx has no streams, and says so"),
            // Nothing here is a page.
            Head::Response(_) => {
                let at = out.tail().len();
                Mark { frame: at, body: at, compress: Compress::None }
            }
        }
    }

    fn end(&mut self, mark: Mark, out: &mut Out) {
        let tail = out.tail();
        if tail.len() - mark.body > COMPRESS_ABOVE && mark.compress != Compress::None {
            fold(&mark, tail, self.known.as_deref().map(|known| &known.compressors));
        }
        let total = tail.len() - mark.frame - header::LEN;
        assert!(total <= u32::MAX as usize, "a frame of rpcx cannot hold {total} bytes");
        put32(tail, mark.frame + 12, total as u32);
        let body = (tail.len() - mark.body) as u32;
        put32(tail, mark.body - 4, body);
    }

    fn abandon(&mut self, mark: Mark, out: &mut Out) {
        out.tail().truncate(mark.frame);
    }

    fn know(&mut self, known: &Arc<Known>) {
        self.known = Some(Arc::clone(known));
    }

    fn codec(&self, format: Format) -> Option<&dyn Codec> {
        self.known.as_ref()?.codec(format)
    }

    fn unfold(&self, compress: Compress, body: Bytes, limit: usize) -> Result<Bytes, Unfold> {
        match &self.known {
            Some(known) => known.compressors.unfold(compress, &body, limit),
            None => Err(Unfold::Unknown(compress)),
        }
    }

    fn control(&mut self, what: Control, out: &mut Out) {
        match what {
            Control::Ping { seq, token } => {
                // Always msgpack, and always its nine-byte form of an integer, as Go's client
                // sends.
                let word = header::WORD | header::HEARTBEAT | header::format_bits(Format::MsgPack);
                let mut frame = [0; header::LEN + 16 + 9];
                frame[..20].copy_from_slice(&opening(word, seq, 16 + 9, 0));
                frame[31] = 9;
                frame[32] = 0xd3;
                frame[33..].copy_from_slice(&token.to_be_bytes());
                out.tail().extend_from_slice(&frame);
            }
            // A reply that nobody waits for is dropped by Go's client (`client/client.go`,
            // `input`), as by others that look calls up by their number.
            Control::Goodbye => goodbye::say(out.tail()),
            // No number is told to stop: Go's server answers what its client gave up.
            Control::Cancel { .. } | Control::Consumed { .. } => {}
        }
    }
}

impl Frames {
    /// The header of the frame at the front, if the whole frame is there.
    #[inline(always)]
    fn head(&self, input: &[u8]) -> Result<Header, Stop> {
        let Some(head) = input.first_chunk::<{ header::LEN }>() else {
            return Err(match input.first() {
                Some(&byte) if byte != header::MAGIC => Broken::Magic { byte }.into(),
                _ => Stop::Need(header::LEN - input.len()),
            });
        };
        let head = Header::read(head);
        if head.magic() != header::MAGIC {
            return Err(Broken::Magic { byte: head.magic() }.into());
        }
        let total = head.total as usize;
        if total > self.message_bytes {
            let limit = self.message_bytes;
            return Err(Broken::MessageLong { total: head.total, limit }.into());
        }
        if total < LENGTHS {
            return Err(Broken::MessageShort { total: head.total }.into());
        }
        let there = input.len() - header::LEN;
        if there < total { Err(Stop::Need(total - there)) } else { Ok(head) }
    }

    /// Finds the sections of a complete frame.
    #[inline(always)]
    fn parts<'a>(&self, head: Header, input: &'a [u8]) -> Result<Parts<'a>, Broken> {
        let end = header::LEN + head.total as usize;
        let mut rest = &input[header::LEN..end];
        // Each section must leave room for the lengths of those after it, so that these can be
        // read.
        let service = section(&mut rest, 12)
            .map_err(|o| Broken::Service { length: o.length, room: o.room })?;
        let method =
            section(&mut rest, 8).map_err(|o| Broken::Method { length: o.length, room: o.room })?;
        let meta =
            section(&mut rest, 4).map_err(|o| Broken::Meta { length: o.length, room: o.room })?;
        let body_at = end - rest.len() + 4;
        // Go's decoder ignores this length. Less than the rest is let pass, as there; more cannot
        // be meant.
        section(&mut rest, 0).map_err(|o| Broken::Body { length: o.length, room: o.room })?;
        if service.len() > self.name_bytes {
            let (length, limit) = (service.len(), self.name_bytes);
            return Err(Broken::ServiceLong { length, limit });
        }
        if method.len() > self.name_bytes {
            let (length, limit) = (method.len(), self.name_bytes);
            return Err(Broken::MethodLong { length, limit });
        }
        if meta.len() > self.meta_bytes {
            return Err(Broken::MetaLong { length: meta.len(), limit: self.meta_bytes });
        }
        Ok(Parts { service, method, meta, place: Place { meta_len: meta.len(), body_at, end } })
    }

    /// Serves one frame: heartbeats are echoed, all else is a call, whatever its type bit says.
    #[inline(always)]
    fn serve(
        &mut self,
        input: &mut BytesMut,
        out: &mut Out,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
    ) -> Result<(), Stop> {
        let head = self.head(input)?;
        let end = header::LEN + head.total as usize;
        if !head.has(header::HEARTBEAT)
            && let Some((known, place)) = self.memo.find(&input[..end])
        {
            let (to, timeout) = (known.to, known.timeout);
            let (meta, body) = take(place, input);
            let ticket = head.ticket();
            events.push(Event::Call(Call { ticket, to, timeout, meta, body: body.into() }));
            return Ok(());
        }
        let Parts { service, method, meta, place } = self.parts(head, input)?;
        let timeout = if meta.is_empty() { None } else { meta::timeout(meta)? };
        if head.has(header::HEARTBEAT) {
            echo(place, input, out);
            return Ok(());
        }
        match routes.find(service, method) {
            Found::Method(to) => {
                self.memo.keep(&input[..place.end], place, to, timeout);
                let (meta, body) = take(place, input);
                let ticket = head.ticket();
                events.push(Event::Call(Call { ticket, to, timeout, meta, body: body.into() }));
            }
            found => {
                let mut event = not_found(head, found, service, method);
                event.timeout = timeout;
                if routes.fallback() {
                    let (meta, body) = take(place, input);
                    (event.meta, event.body) = (meta, body.into());
                } else {
                    if !meta.is_empty() {
                        event.meta = Meta::new(Bytes::copy_from_slice(meta), meta::walk);
                    }
                    input.advance(place.end);
                }
                events.push(Event::Unknown(Box::new(event)));
            }
        }
        Ok(())
    }

    /// Receives one frame on the client: pushes are told by their flags, all else is a reply, found
    /// by its number.
    #[inline(always)]
    fn receive(&self, input: &mut BytesMut, events: &mut Vec<Event>) -> Result<(), Stop> {
        let head = self.head(input)?;
        let Parts { service, method, meta, place } = self.parts(head, input)?;
        let flags = head.word & (header::RESPONSE | header::HEARTBEAT | header::ONEWAY);
        if flags == header::ONEWAY {
            meta::check(meta)?;
            let names = [service, method].map(lossy);
            events.push(push::receive(head, names, place, input));
            return Ok(());
        }
        let error = if head.word & header::STATUS == header::ERROR {
            let status = meta::status(meta)?;
            if head.seq == goodbye::NUMBER && status.is_leaving() {
                let refused = goodbye::refused(meta);
                let (_, body) = take(place, input);
                events.push(match refused {
                    None => Event::Goodbye,
                    Some(seq) => {
                        let (error, meta, body) = (Some(status), Meta::default(), body.into());
                        let (format, compress) = (head.format(), head.compress());
                        Event::Reply(Reply { seq, error, format, compress, meta, body })
                    }
                });
                return Ok(());
            }
            Some(status)
        } else {
            if !meta.is_empty() {
                meta::check(meta)?;
            }
            None
        };
        // Replies to heartbeats are events too: they carry the number of their `Control::Ping`.
        let (format, compress) = (head.format(), head.compress());
        let (meta, body) = take(place, input);
        let body = body.into();
        events.push(Event::Reply(Reply { seq: head.seq, error, format, compress, meta, body }));
        Ok(())
    }

    #[inline(always)]
    fn begin_call(&mut self, head: &CallHead<'_>, out: &mut Out) -> Mark {
        let oneway = if head.oneway { header::ONEWAY } else { 0 };
        let word = header::WORD | oneway | header::format_bits(head.format);
        let (seq, names) = (head.seq, [head.service, head.method]);
        let tail = out.tail();
        let (frame, body) = match head.meta.is_empty() {
            true => self.said.write(tail, word, seq, names, head.timeout),
            false => write_call(tail, word, seq, names, head.meta, head.timeout),
        };
        Mark { frame, body, compress: head.compress }
    }

    /// Go's server copies the request's header and changes little: version, reserved bits and even
    /// the status bits come back in a success.
    #[inline(always)]
    fn begin_reply(&self, head: &ReplyHead<'_>, out: &mut Out) -> Mark {
        let echo = head.ticket.echo & header::ECHO & !header::COMPRESS;
        let word = header::WORD | header::RESPONSE | echo;
        let (seq, names) = (head.ticket.seq, [head.service, head.method]);
        let tail = out.tail();
        let (frame, body) = match head.error {
            None => write(tail, word, seq, names, head.meta, None),
            Some(status) if status.is_leaving() => goodbye::refuse(tail, seq, status),
            Some(status) => {
                let word = word & !header::STATUS | header::ERROR;
                let with_detail = meta::with_detail(status, head.meta, self.meta_bytes);
                let pairs = with_detail.as_deref().unwrap_or(head.meta);
                let text = meta::fitting(status.text(), pairs, self.meta_bytes);
                write(tail, word, seq, names, pairs, Some((meta::ERROR, text.as_bytes())))
            }
        };
        Mark { frame, body, compress: head.ticket.compress }
    }
}

/// Appends a call up to its body.
#[inline(never)]
fn write_call(
    tail: &mut Vec<u8>,
    word: u32,
    seq: u64,
    names: [&str; 2],
    pairs: &[(String, String)],
    timeout: Option<Duration>,
) -> (usize, usize) {
    let Some(time) = timeout else { return write(tail, word, seq, names, pairs, None) };
    let ms = meta::Decimal::ms(time);
    write(tail, word, seq, names, pairs, Some((meta::TIMEOUT, ms.as_bytes())))
}

/// Takes frames off the input until it lacks a whole one or there are enough events. A loop of its
/// own for each side: inlined into one, they fight for registers.
#[inline(never)]
fn each(
    input: &mut BytesMut,
    events: &mut Vec<Event>,
    most: usize,
    mut take: impl FnMut(&mut BytesMut, &mut Vec<Event>) -> Result<(), Stop>,
) -> Result<Fed, crate::Broken> {
    let full = events.len().saturating_add(most);
    while !input.is_empty() {
        if events.len() >= full {
            return Ok(Fed::Full);
        }
        match take(input, events) {
            Ok(()) => {}
            Err(Stop::Need(need)) => return Ok(Fed::Hungry { need }),
            Err(Stop::Broken(broken)) => return Err(crate::Broken::Rpcx(broken)),
        }
    }
    Ok(Fed::Hungry { need: 0 })
}

/// Why no frame was taken off the input.
enum Stop {
    /// This many more bytes are needed, as far as can be told.
    Need(usize),
    Broken(Broken),
}

impl From<Broken> for Stop {
    #[inline(always)]
    fn from(broken: Broken) -> Stop {
        Stop::Broken(broken)
    }
}

/// The sections of a frame but the body, which stays where it is.
struct Parts<'a> {
    service: &'a [u8],
    method: &'a [u8],
    meta: &'a [u8],
    place: Place,
}

/// Where in the input the metadata and the body of a complete frame lie.
#[derive(Clone, Copy)]
struct Place {
    meta_len: usize,
    body_at: usize,
    end: usize,
}

/// A length that does not fit.
struct Overrun {
    length: u32,
    room: usize,
}

/// Takes a length and as many bytes off the front, if `spare` more remain behind them.
#[inline(always)]
fn section<'a>(rest: &mut &'a [u8], spare: usize) -> Result<&'a [u8], Overrun> {
    let Some((length, after)) = rest.split_first_chunk::<4>() else {
        return Err(Overrun { length: 0, room: 0 });
    };
    let length = u32::from_be_bytes(*length);
    let room = after.len().saturating_sub(spare);
    if length as usize > room {
        return Err(Overrun { length, room });
    }
    let (taken, after) = after.split_at(length as usize);
    *rest = after;
    Ok(taken)
}

/// Cuts a frame off the input and shares it between metadata and body: one reference where only one
/// of them has bytes, none where neither has.
#[inline(always)]
fn take(place: Place, input: &mut BytesMut) -> (Meta, Bytes) {
    if place.meta_len == 0 {
        let mut body = Bytes::new();
        if place.body_at == place.end {
            input.advance(place.end);
        } else {
            body = input.split_to(place.end).freeze();
            body.advance(place.body_at);
        }
        return (Meta::new(Bytes::new(), meta::walk), body);
    }
    let mut block = input.split_to(place.end).freeze();
    let body = block.split_off(place.body_at);
    block.truncate(place.body_at - 4);
    block.advance(place.body_at - 4 - place.meta_len);
    (Meta::new(block, meta::walk), body)
}

/// Answers a heartbeat with itself, the type bit set: flags, number, names, metadata and body as
/// they came. Even one-way heartbeats are echoed, as by Go's server. What this adds to `out` is no
/// more than what was read.
#[cold]
fn echo(place: Place, input: &mut BytesMut, out: &mut Out) {
    let mut frame = input.split_to(place.end);
    frame[2] |= (header::RESPONSE >> 8) as u8;
    let body = (place.end - place.body_at) as u32;
    frame[place.body_at - 4..place.body_at].copy_from_slice(&body.to_be_bytes());
    if frame.len() <= COPY_BELOW {
        out.tail().extend_from_slice(&frame);
    } else {
        out.push(frame.freeze());
    }
}

#[cold]
fn not_found(head: Header, found: Found, service: &[u8], method: &[u8]) -> Unknown {
    let (ticket, service, method) = (head.ticket(), lossy(service), lossy(method));
    let (meta, body) = (Meta::default(), Body::default());
    Unknown { ticket, found, service, method, timeout: None, meta, body }
}

/// A name that nobody knows. A copy of what is short, so that it does not keep the frame alive.
fn lossy(name: &[u8]) -> Str {
    Str::from(&*String::from_utf8_lossy(name))
}

/// Appends a frame up to its body, with the total and the body's length still open. Returns where
/// the frame and the body begin.
#[inline(always)]
fn write(
    tail: &mut Vec<u8>,
    word: u32,
    seq: u64,
    [service, method]: [&str; 2],
    pairs: &[(String, String)],
    last: Option<(&str, &[u8])>,
) -> (usize, usize) {
    let frame = tail.len();
    tail.reserve(header::LEN + LENGTHS + service.len() + method.len());
    tail.extend_from_slice(&opening(word, seq, 0, service.len()));
    tail.extend_from_slice(service.as_bytes());
    tail.extend_from_slice(&(method.len() as u32).to_be_bytes());
    tail.extend_from_slice(method.as_bytes());
    if pairs.is_empty() && last.is_none() {
        tail.extend_from_slice(&[0; 8]);
    } else {
        tail.extend_from_slice(&(meta::len(pairs, last) as u32).to_be_bytes());
        meta::write(tail, pairs, last);
        tail.extend_from_slice(&[0; 4]);
    }
    (frame, tail.len())
}

/// The header and the first length, in one piece.
#[inline(always)]
fn opening(word: u32, seq: u64, total: u32, service: usize) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&word.to_be_bytes());
    bytes[4..12].copy_from_slice(&seq.to_be_bytes());
    bytes[12..16].copy_from_slice(&total.to_be_bytes());
    bytes[16..].copy_from_slice(&(service as u32).to_be_bytes());
    bytes
}

/// Compresses the body of an open frame and says so in its header. What nobody here can compress
/// goes plain, as by Go's `Encode`.
#[cold]
fn fold(mark: &Mark, tail: &mut Vec<u8>, known: Option<&Compressors>) {
    let folded = match mark.compress {
        Compress::Gzip => compress::fold(Compress::Gzip, tail, mark.body).then_some(header::GZIP),
        Compress::Other(number) => known
            .filter(|known| known.fold(mark.compress, tail, mark.body))
            .map(|_| u32::from(number) * header::GZIP),
        _ => None,
    };
    if let Some(bits) = folded {
        tail[mark.frame + 2] |= (bits >> 8) as u8;
    }
}

/// Overwrites four bytes of a frame of ours.
#[inline(always)]
fn put32(tail: &mut [u8], at: usize, value: u32) {
    tail[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

/// Length of the four lengths: a message is never shorter.
const LENGTHS: usize = 16;
/// Bodies up to this many bytes are not compressed (rpcx `protocol`: 1024 is sent plain, 1025 is
/// not).
const COMPRESS_ABOVE: usize = 1024;
/// Heartbeats up to this many bytes are copied to the output, longer ones join it as they are.
const COPY_BELOW: usize = 4096;

#[cfg(test)]
mod tests;
