//! The client's side: plain JSON calls, and what other protocols share that go over HTTP.
//!
//! `head.rs` reads heads of answers, `exchange.rs` pairs answers with requests, `status.rs` knows
//! what a failure is, `request.rs` writes heads, `tunnel.rs` says `CONNECT`; this file is the wire
//! of plain JSON.

mod exchange;
mod head;
mod request;
mod status;
mod tunnel;

use super::reply;
use crate::{CallHead, Control, Event, Fed, Head, Mark, Out, Place, Reply, Wire, compress};
use bytes::{Bytes, BytesMut};
use farcall_core::{Body, Bounds, Compress, Format, Limits, Meta, Routes, Sent, Status};

pub(crate) use exchange::{Answer, Exchange, Step};
pub(crate) use request::{Fields, close, open};
pub(crate) use status::{body, failure};
pub use tunnel::Opening;

/// The client's end of a connection.
pub(super) struct Client {
    exchange: Exchange,
    /// What stands behind `Host:`.
    host: String,
    /// The number of the call that has begun.
    begun: u64,
    bounds: Bounds,
    unfolded_bytes: usize,
}

/// Bodies up to this many bytes are not compressed: a packet more or less is all it saves.
const COMPRESS_ABOVE: usize = 1024;

impl Client {
    pub(super) fn new(place: &Place<'_>, limits: &Limits) -> Client {
        Client {
            exchange: Exchange::new(limits),
            host: host(place).to_owned(),
            begun: 0,
            bounds: limits.bounds(),
            unfolded_bytes: limits.unfolded_bytes,
        }
    }

    fn begin_call(&mut self, head: &CallHead<'_>, tail: &mut Vec<u8>) {
        self.begun = head.seq;
        let mut path = Vec::with_capacity(2 + head.service.len() + head.method.len());
        for name in [head.service, head.method] {
            path.push(b'/');
            reply::encode(&mut path, name);
        }
        // Percent-encoding leaves ASCII.
        let path = String::from_utf8_lossy(&path);
        let gzip = head.compress == Compress::Gzip;
        let fields = Fields { accept: false, timeout: head.timeout, gzip, meta: head.meta };
        open(tail, &self.host, &path, &fields);
    }

    /// What an answer is to its call.
    fn reply(&self, answer: Answer) -> Reply {
        let seq = answer.seq;
        let (format, meta) = (Format::Json, answer.meta());
        let failed = |error: Status, meta: Meta| Reply {
            seq,
            error: Some(error),
            format,
            compress: Compress::None,
            meta,
            body: Body::default(),
        };
        if !matches!(answer.status(), 200..300) {
            return failed(failure(&answer, self.unfolded_bytes, self.bounds), meta);
        }
        match status::coding(&answer) {
            // In JSON, `null` is the blank value of every type.
            _ if answer.body.is_empty() => {
                let (compress, body) = (Compress::None, Bytes::from_static(b"null").into());
                Reply { seq, error: None, format, compress, meta, body }
            }
            Ok(compress) => {
                Reply { seq, error: None, format, compress, meta, body: answer.body.into() }
            }
            Err(name) => {
                let text = format!("the answer's coding `{name}` is not understood");
                failed(Status::internal(text).with_sent(Sent::Yes), meta)
            }
        }
    }
}

/// What stands behind `Host:`. Nothing that could end the line does; an empty one is allowed.
pub(crate) fn host<'a>(place: &Place<'a>) -> &'a str {
    if request::is_plain(place.host) { place.host } else { "" }
}

impl Wire for Client {
    fn feed(
        &mut self,
        input: &mut BytesMut,
        _: &mut Out,
        _: &dyn Routes,
        events: &mut Vec<Event>,
        most: usize,
    ) -> Result<Fed, crate::Broken> {
        let full = events.len().saturating_add(most);
        loop {
            if events.len() >= full && !input.is_empty() {
                return Ok(Fed::Full);
            }
            match self.exchange.next(input)? {
                Step::Answer(answer) => events.push(Event::Reply(self.reply(answer))),
                Step::Need(need) => return Ok(Fed::Hungry { need }),
                Step::Closing => return Ok(Fed::Closing),
            }
        }
    }

    fn begin(&mut self, head: Head<'_>, out: &mut Out) -> Mark {
        let tail = out.tail();
        let (frame, mut compress) = (tail.len(), Compress::None);
        if let Head::Call(head) = head {
            compress = head.compress;
            self.begin_call(&head, tail);
        }
        Mark { frame, body: tail.len(), compress }
    }

    fn end(&mut self, mark: Mark, out: &mut Out) {
        let tail = out.tail();
        let mut body = mark.body;
        if mark.compress == Compress::Gzip
            && tail.len() - body > COMPRESS_ABOVE
            && compress::fold(Compress::Gzip, tail, body)
        {
            body = request::gzipped(tail, body);
        }
        close(tail, body);
        self.exchange.asked(self.begun);
    }

    fn abandon(&mut self, mark: Mark, out: &mut Out) {
        out.tail().truncate(mark.frame);
    }

    /// HTTP/1.1 has nothing to say but requests.
    fn control(&mut self, _: Control, _: &mut Out) {}

    fn midway(&self) -> bool {
        self.exchange.midway()
    }

    fn ended(&mut self, events: &mut Vec<Event>) {
        if let Some(answer) = self.exchange.ended() {
            events.push(Event::Reply(self.reply(answer)));
        }
    }
}

#[cfg(test)]
mod tests;
