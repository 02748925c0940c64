//! A protocol for tests: calls and streams over windows so narrow that everything blocks.
//!
//! A frame is a magic byte, a kind, a length of four bytes, a number of eight, and that much
//! payload. Items are cut into fragments; each takes its bytes and one more from the stream's
//! window and from the connection's. The connection's window is given back as fragments come, the
//! stream's when the item was consumed; where nothing of the stream waits to be consumed, also
//! for the fragments of an item that is not complete, because it may be larger than the window.

mod frame;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use farcall::{
    Compress, Format, Limits, Meta, Str,
    protocol::{
        Broken, Call, Control, End, Event, Fed, Found, Head, Item, Mark, Out, Protocol, Reply,
        Routes, Side, Sniff, Ticket, Unknown, Wire, compress,
    },
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

pub use frame::{CONNECTION, HEAD, MAGIC, frame, kind};
use frame::{byte, compress_of, failure, format_byte, format_of, pairs, short, status, take, walk};

/// The protocol, with its windows.
#[derive(Clone, Copy, Debug)]
pub struct Windowed {
    /// Bytes of one stream that may be on their way.
    pub stream: usize,
    /// Bytes of all streams of a connection.
    pub connection: usize,
}

/// Both so small that a short line fills them.
pub static NARROW: Windowed = Windowed { stream: 64, connection: 96 };
/// Wide enough for a thousand short lines.
pub static WIDE: Windowed = Windowed { stream: 64 * 1024, connection: 1 << 20 };

impl Protocol for Windowed {
    fn name(&self) -> &'static str {
        "windowed"
    }
    fn sniff(&self, first: &[u8]) -> Sniff {
        match first.first() {
            Some(&MAGIC) => Sniff::Yes,
            Some(_) => Sniff::No,
            None => Sniff::More,
        }
    }
    fn default_format(&self) -> Format {
        Format::MsgPack
    }
    fn streams(&self) -> bool {
        true
    }
    fn open(&self, side: Side, limits: &Limits) -> Box<dyn Wire> {
        Box::new(Frames {
            side,
            window: self.stream as i64,
            room: self.connection,
            message_bytes: limits.message_bytes,
            streams: BTreeMap::new(),
            begun: None,
        })
    }
}

fn broken(why: impl Into<String>) -> Broken {
    Broken::Other { protocol: "windowed", why: why.into() }
}

/// One end of a connection.
struct Frames {
    side: Side,
    /// What a new stream may hold, on either side.
    window: i64,
    /// What the connection still takes from us.
    room: usize,
    message_bytes: usize,
    streams: BTreeMap<u64, Stream>,
    begun: Option<Begun>,
}

/// What `begin` leaves for `end`.
enum Begun {
    /// One frame; the stream is over, or opened, by it.
    Plain {
        seq: u64,
        opens: bool,
        over: bool,
    },
    Item {
        seq: u64,
        format: Format,
    },
}

/// A stream, as this end sees it.
struct Stream {
    /// What the peer still takes.
    window: usize,
    /// What the peer may still send.
    granted: i64,
    /// Consumed by nobody yet.
    held: usize,
    /// The cost of the fragments in `partial`, not given back yet.
    owed: usize,
    partial: BytesMut,
    parked: VecDeque<Fragment>,
    parked_bytes: usize,
    /// The peer has said that it sends no more.
    ended: bool,
}

struct Fragment {
    last: bool,
    format: Format,
    compress: Compress,
    bytes: Bytes,
}

impl Frames {
    fn stream(&mut self, seq: u64) -> &mut Stream {
        let window = self.window;
        self.streams.entry(seq).or_insert_with(|| Stream {
            window: window as usize,
            granted: window,
            held: 0,
            owed: 0,
            partial: BytesMut::new(),
            parked: VecDeque::new(),
            parked_bytes: 0,
            ended: false,
        })
    }

    /// Writes what the windows let through of what a stream parks.
    fn send(&mut self, seq: u64, out: &mut Out) {
        let Some(stream) = self.streams.get_mut(&seq) else { return };
        while let Some(mut fragment) = stream.parked.pop_front() {
            // A fragment costs its bytes and one.
            let most = stream.window.min(self.room);
            if most == 0 || most == 1 && !fragment.bytes.is_empty() {
                stream.parked.push_front(fragment);
                return;
            }
            let bytes = fragment.bytes.split_to(fragment.bytes.len().min(most - 1));
            let last = fragment.last && fragment.bytes.is_empty();
            let zip = u8::from(fragment.compress == Compress::Gzip);
            let mut payload = vec![u8::from(last), format_byte(fragment.format), zip];
            payload.extend_from_slice(&bytes);
            frame(kind::ITEM, seq, &payload, out.tail());
            stream.window -= bytes.len() + 1;
            self.room -= bytes.len() + 1;
            stream.parked_bytes -= bytes.len() + usize::from(last);
            if !last {
                stream.parked.push_front(fragment);
            }
        }
    }

    /// One frame of the peer's.
    fn receive(
        &mut self,
        kind: u8,
        seq: u64,
        mut payload: Bytes,
        out: &mut Out,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
    ) -> Result<(), Broken> {
        match (kind, self.side) {
            (kind::PING, _) => frame(kind::PONG, seq, &payload, out.tail()),
            (kind::PONG, _) => {}
            (kind::CALL, Side::Server) => self.call(seq, payload, routes, events)?,
            (kind::REPLY, Side::Client) => {
                self.streams.remove(&seq);
                let error = status(&mut payload)?;
                let (format, compress) = (byte(&mut payload)?, byte(&mut payload)?);
                let (format, compress) = (format_of(format), compress_of(compress));
                let (meta, body) = (Meta::new(take(&mut payload)?, walk), payload.into());
                events.push(Event::Reply(Reply { seq, error, format, compress, meta, body }));
            }
            (kind::ITEM, _) => self.item(seq, payload, out, events)?,
            (kind::END, side) => {
                let error = status(&mut payload)?;
                let meta = Meta::new(take(&mut payload)?, walk);
                match self.streams.get_mut(&seq) {
                    Some(stream) if side == Side::Server => {
                        if std::mem::replace(&mut stream.ended, true) {
                            return Err(broken("a stream ends twice"));
                        }
                        if !stream.partial.is_empty() {
                            return Err(broken("a stream ends in the middle of an item"));
                        }
                    }
                    Some(_) => drop(self.streams.remove(&seq)),
                    None if side == Side::Server => return Ok(()),
                    // A call that does not stream, or that was given up.
                    None => {}
                }
                events.push(Event::End(End { seq, error, meta }));
            }
            (kind::CANCEL, _) => {
                self.streams.remove(&seq);
                events.push(Event::Cancel { seq });
            }
            (kind::WINDOW, _) => {
                let more = payload.try_get_u32().map_err(|_| broken("a window without a size"))?;
                self.opened(seq, more as usize, out, events)?;
            }
            (kind, _) => return Err(broken(format!("kind {kind}"))),
        }
        Ok(())
    }

    fn call(
        &mut self,
        seq: u64,
        mut payload: Bytes,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
    ) -> Result<(), Broken> {
        let flags = byte(&mut payload)?;
        let (format, compress) = (format_of(byte(&mut payload)?), compress_of(byte(&mut payload)?));
        let millis = payload.try_get_u64().map_err(|_| broken("a call without a deadline"))?;
        let (service, method) = (take(&mut payload)?, take(&mut payload)?);
        let meta = Meta::new(take(&mut payload)?, walk);
        let timeout = (millis != u64::MAX).then(|| Duration::from_millis(millis));
        let ticket = Ticket { seq, echo: 0, format, compress, oneway: flags & 4 != 0 };
        let found = routes.find(&service, &method);
        // What the peer believes, or what the method does.
        let streams = matches!(found, Found::Method(to) if routes.streams(to).any());
        if flags & 3 != 0 || streams {
            if self.streams.contains_key(&seq) {
                return Err(broken("a stream is opened twice"));
            }
            self.stream(seq).ended = flags & 1 == 0;
        }
        match found {
            Found::Method(to) => {
                let body = payload.into();
                events.push(Event::Call(Call { ticket, to, timeout, meta, body }));
            }
            found => {
                let text = |name: Bytes| Str::from(&*String::from_utf8_lossy(&name));
                let (service, method) = (text(service), text(method));
                let body = payload.into();
                let unknown = Unknown { ticket, found, service, method, timeout, meta, body };
                events.push(Event::Unknown(Box::new(unknown)));
            }
        }
        Ok(())
    }

    fn item(
        &mut self,
        seq: u64,
        mut payload: Bytes,
        out: &mut Out,
        events: &mut Vec<Event>,
    ) -> Result<(), Broken> {
        let (last, format) = (byte(&mut payload)? == 1, format_of(byte(&mut payload)?));
        let compress = compress_of(byte(&mut payload)?);
        let cost = payload.len() + 1;
        window(CONNECTION, cost, out);
        // Of a stream that is over: the peer did not know.
        let Some(stream) = self.streams.get_mut(&seq) else { return Ok(()) };
        if stream.ended {
            return Err(broken("an item after the end"));
        }
        stream.granted -= cost as i64;
        if stream.granted < 0 {
            return Err(broken("a stream overran its window"));
        }
        if stream.partial.len() + payload.len() > self.message_bytes {
            return Err(broken("an item is too long (Limits::message_bytes)"));
        }
        stream.owed += cost;
        stream.partial.extend_from_slice(&payload);
        if last {
            let (body, cost) = (stream.partial.split().freeze(), std::mem::take(&mut stream.owed));
            // What was given back before the item was complete costs no more.
            stream.held += cost;
            events.push(Event::Item(Item { seq, format, compress, body: body.into(), cost }));
        } else if stream.held == 0 {
            // One must remain: every item has a cost.
            let back = std::mem::replace(&mut stream.owed, 0);
            stream.granted += back as i64;
            window(seq, back, out);
        }
        Ok(())
    }

    /// The peer takes more.
    fn opened(
        &mut self,
        seq: u64,
        more: usize,
        out: &mut Out,
        events: &mut Vec<Event>,
    ) -> Result<(), Broken> {
        if seq == CONNECTION {
            self.room = self.room.checked_add(more).ok_or_else(|| broken("too wide a window"))?;
            let parked = self.streams.iter().filter(|(_, s)| !s.parked.is_empty());
            let parked: Vec<_> = parked.map(|(seq, _)| *seq).collect();
            parked.into_iter().for_each(|seq| self.send(seq, out));
            events.push(Event::Room { seq: None });
        } else if let Some(stream) = self.streams.get_mut(&seq) {
            let wider = stream.window.checked_add(more);
            stream.window = wider.ok_or_else(|| broken("too wide a window"))?;
            self.send(seq, out);
            events.push(Event::Room { seq: Some(seq) });
        }
        Ok(())
    }
}

fn window(seq: u64, more: usize, out: &mut Out) {
    frame(kind::WINDOW, seq, &(more as u32).to_be_bytes(), out.tail());
}

impl Wire for Frames {
    fn feed(
        &mut self,
        input: &mut BytesMut,
        out: &mut Out,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
        most: usize,
    ) -> Result<Fed, Broken> {
        let full = events.len().saturating_add(most);
        while events.len() < full {
            let Some(head) = input.first_chunk::<HEAD>() else {
                return match input.first() {
                    None => Ok(Fed::Hungry { need: 0 }),
                    Some(&MAGIC) => Ok(Fed::Hungry { need: HEAD - input.len() }),
                    Some(byte) => Err(broken(format!("a frame begins with {byte}"))),
                };
            };
            let (mut fields, kind) = (&head[2..], head[1]);
            let (length, seq) = (fields.get_u32() as usize, fields.get_u64());
            if head[0] != MAGIC {
                return Err(broken(format!("a frame begins with {}", head[0])));
            }
            if length > self.message_bytes + 1024 {
                return Err(broken("a frame is too long (Limits::message_bytes)"));
            }
            if input.len() < HEAD + length {
                return Ok(Fed::Hungry { need: HEAD + length - input.len() });
            }
            input.advance(HEAD);
            let payload = input.split_to(length).freeze();
            self.receive(kind, seq, payload, out, routes, events)?;
        }
        Ok(Fed::Full)
    }

    fn begin(&mut self, head: Head<'_>, out: &mut Out) -> Mark {
        let tail = out.tail();
        let at = tail.len();
        let mut compress = Compress::None;
        let begun = match head {
            Head::Call(head) => {
                let streams = head.streams;
                frame(kind::CALL, head.seq, &[], tail);
                let flag = |set, bit: u8| if set { bit } else { 0 };
                tail.push(
                    flag(streams.inbound, 1) | flag(streams.outbound, 2) | flag(head.oneway, 4),
                );
                tail.extend_from_slice(&[format_byte(head.format), 0]);
                tail.put_u64(head.timeout.map_or(u64::MAX, |time| time.as_millis() as u64));
                [head.service, head.method].iter().for_each(|name| short(name, tail));
                pairs(head.meta, tail);
                Begun::Plain { seq: head.seq, opens: streams.any(), over: false }
            }
            Head::Reply(head) => {
                frame(kind::REPLY, head.ticket.seq, &[], tail);
                failure(head.error, tail);
                tail.extend_from_slice(&[format_byte(head.ticket.format), 0]);
                pairs(head.meta, tail);
                Begun::Plain { seq: head.ticket.seq, opens: false, over: true }
            }
            Head::End(head) => {
                frame(kind::END, head.seq, &[], tail);
                failure(head.error, tail);
                pairs(head.meta, tail);
                let over = self.side == Side::Server;
                Begun::Plain { seq: head.seq, opens: false, over }
            }
            Head::Item(head) => {
                compress = head.compress;
                Begun::Item { seq: head.seq, format: head.format }
            }
            Head::Response(_) | Head::Push(_) => unreachable!("windowed has no pages, nor pushes"),
        };
        self.begun = Some(begun);
        Mark { frame: at, body: tail.len(), compress }
    }

    fn end(&mut self, mark: Mark, out: &mut Out) {
        let tail = out.tail();
        match self.begun.take() {
            Some(Begun::Plain { seq, opens, over }) => {
                let length = (tail.len() - mark.frame - HEAD) as u32;
                tail[mark.frame + 2..mark.frame + 6].copy_from_slice(&length.to_be_bytes());
                if opens {
                    self.stream(seq);
                }
                if over {
                    self.streams.remove(&seq);
                }
            }
            Some(Begun::Item { seq, format }) => {
                let zip = mark.compress == Compress::Gzip && tail.len() - mark.body > 16;
                let zip = zip && compress::fold(Compress::Gzip, tail, mark.body);
                let bytes = Bytes::from(tail.split_off(mark.frame));
                let compress = if zip { Compress::Gzip } else { Compress::None };
                let Some(stream) = self.streams.get_mut(&seq) else { return };
                stream.parked_bytes += bytes.len() + 1;
                stream.parked.push_back(Fragment { last: true, format, compress, bytes });
                self.send(seq, out);
            }
            None => {}
        }
    }

    fn abandon(&mut self, mark: Mark, out: &mut Out) {
        self.begun = None;
        out.tail().truncate(mark.frame);
    }

    fn control(&mut self, what: Control, out: &mut Out) {
        match what {
            Control::Ping { seq, token } => {
                frame(kind::PING, seq, &token.to_be_bytes(), out.tail());
            }
            Control::Cancel { seq } => {
                self.streams.remove(&seq);
                frame(kind::CANCEL, seq, &[], out.tail());
            }
            Control::Goodbye => {}
            Control::Consumed { seq, cost } => {
                let Some(stream) = self.streams.get_mut(&seq) else { return };
                stream.held -= cost;
                let owed = if stream.held == 0 && !stream.partial.is_empty() {
                    std::mem::take(&mut stream.owed)
                } else {
                    0
                };
                stream.granted += (cost + owed) as i64;
                if !stream.ended {
                    window(seq, cost + owed, out);
                }
            }
        }
    }

    fn room(&self, seq: u64) -> usize {
        match self.streams.get(&seq) {
            Some(stream) if stream.parked.is_empty() => stream.window.min(self.room),
            _ => 0,
        }
    }

    fn parked(&self, seq: u64) -> usize {
        self.streams.get(&seq).map_or(0, |stream| stream.parked_bytes)
    }
}
