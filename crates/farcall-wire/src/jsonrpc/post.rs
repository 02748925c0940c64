//! JSON-RPC over HTTP, the client's side: each call is the body of a `POST`, its reply the body of
//! the answer.
//!
//! Source: "JSON-RPC over HTTP" (the draft of 2008, which servers follow in the main): `POST` with
//! `Content-Type: application/json` and `Accept: application/json`, without which Go's
//! `powerman/rpc-codec` answers 415; a failure has a reply too, whatever the status says. Where
//! the body of an answer is no reply, its status is the failure. A notification is answered
//! without a body, and what comes in spite of that is let be. Metadata are fields of the head, as
//! in plain calls over HTTP: credentials, and where the call stands in a trace.

use super::{
    JsonRpc, Version,
    client::Client,
    scan::{Cut, Scan},
    space,
};
use crate::http1::Http;
use crate::http1::client::{Answer, Exchange, Fields, Step, body, close, failure, host, open};
use crate::{Control, Event, Fed, Head, Mark, Out, Place, Protocol, Reply, Side, Sniff, Wire};
use bytes::{Buf, Bytes, BytesMut};
use farcall_core::{Body, Compress, Format, Limits, Routes, Sent, Status};

/// The protocol of targets with `+http`; servers know it as requests of HTTP.
#[derive(Clone, Copy, Debug)]
pub(super) struct Post(JsonRpc);

pub(super) static V1: Post = Post(super::V1);
pub(super) static V2: Post = Post(super::V2);

/// Where servers of JSON-RPC mostly are, ours too.
const PATH: &str = "/jsonrpc";

impl Protocol for Post {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    /// Never asked: what begins like HTTP is HTTP.
    fn sniff(&self, _: &[u8]) -> Sniff {
        Sniff::No
    }

    fn default_format(&self) -> Format {
        Format::Json
    }

    fn carries(&self, format: Format) -> bool {
        format == Format::Json
    }

    fn compresses(&self) -> bool {
        false
    }

    fn auth_key(&self) -> Option<&'static str> {
        Http.auth_key()
    }

    fn auth_value(&self, token: &str) -> String {
        Http.auth_value(token)
    }

    fn in_flight(&self) -> Option<usize> {
        Some(1)
    }

    fn open(&self, _: Side, limits: &Limits) -> Box<dyn Wire> {
        self.open_to(&Place { host: "localhost", path: None }, limits)
    }

    fn open_to(&self, place: &Place<'_>, limits: &Limits) -> Box<dyn Wire> {
        Box::new(Posts {
            calls: Client::new(self.0.version, limits),
            exchange: Exchange::new(limits),
            host: host(place).to_owned(),
            path: place.path.unwrap_or(PATH).to_owned(),
            begun: (0, 0),
            notes: Vec::new(),
            version: self.0.version,
            limits: limits.clone(),
        })
    }
}

/// The client's end of a connection.
struct Posts {
    calls: Client,
    exchange: Exchange,
    host: String,
    path: String,
    /// The call that has begun: its number, and where the body of its request begins.
    begun: (u64, usize),
    /// Notifications that are not answered yet.
    notes: Vec<u64>,
    version: Version,
    limits: Limits,
}

impl Posts {
    fn reply(&mut self, answer: &Answer) -> Reply {
        let seq = answer.seq;
        let note = self.notes.iter().position(|note| *note == seq);
        let note = note.map(|at| self.notes.swap_remove(at)).is_some();
        let is_good = matches!(answer.status(), 200..300);
        let (format, compress, meta) = (Format::Json, Compress::None, answer.meta());
        let result = match body(answer, self.limits.unfolded_bytes) {
            Ok(_) if note && is_good => Ok(Bytes::from_static(b"null").into()),
            Ok(text) => match self.find(seq, text) {
                Found::Reply(Reply { error: Some(error), .. }) => Err(error),
                Found::Reply(reply) => Ok(reply.body),
                Found::No(why) if is_good => {
                    Err(Status::internal(format!("the answer is no reply: {why}")))
                }
                Found::No(_) => {
                    Err(failure(answer, self.limits.unfolded_bytes, self.limits.bounds()))
                }
            },
            Err(status) => Err(status),
        };
        let (error, body) = match result {
            Ok(body) => (None, body),
            Err(status) => (Some(status.with_sent(Sent::Yes)), Body::default()),
        };
        Reply { seq, error, format, compress, meta, body }
    }

    /// The reply in a body: one, to this call.
    fn find(&self, seq: u64, mut text: Bytes) -> Found {
        text.advance(space(&text));
        let mut events = Vec::new();
        let cut = match Scan::new(&self.limits).run(&text) {
            Ok(Some((length, Cut::One(envelope))))
                if space(&text[length..]) == text.len() - length =>
            {
                let frame = text.slice(..length);
                self.calls.receive(&envelope, &frame, &mut events)
            }
            Ok(Some(_)) => return Found::No("there is more than one value".to_owned()),
            Ok(None) => return Found::No("it ends too early".to_owned()),
            Err(broken) => Err(broken),
        };
        match (cut, events.pop()) {
            (Ok(()), Some(Event::Reply(reply))) if reply.seq == seq => Found::Reply(reply),
            (Ok(()), Some(_)) => Found::No("it is the reply to another call".to_owned()),
            (Ok(()), None) => Found::No("it is not to this call".to_owned()),
            (Err(broken), _) => Found::No(broken.to_string()),
        }
    }
}

/// What was in the body of an answer.
enum Found {
    Reply(Reply),
    No(String),
}

impl Wire for Posts {
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
                Step::Answer(answer) => events.push(Event::Reply(self.reply(&answer))),
                Step::Need(need) => return Ok(Fed::Hungry { need }),
                Step::Closing => return Ok(Fed::Closing),
            }
        }
    }

    fn begin(&mut self, head: Head<'_>, out: &mut Out) -> Mark {
        let tail = out.tail();
        let frame = tail.len();
        if let Head::Call(head) = head {
            let fields = Fields { accept: true, meta: head.meta, ..Fields::default() };
            open(tail, &self.host, &self.path, &fields);
            self.begun = (head.seq, tail.len());
            if head.oneway && self.version == Version::Two {
                self.notes.push(head.seq);
            }
            self.calls.begin_call(&head, tail);
        }
        Mark { frame, body: tail.len(), compress: Compress::None }
    }

    fn end(&mut self, mark: Mark, out: &mut Out) {
        let (seq, body) = self.begun;
        let tail = out.tail();
        self.calls.end_call(mark.body, tail);
        close(tail, body);
        self.exchange.asked(seq);
    }

    fn abandon(&mut self, mark: Mark, out: &mut Out) {
        let (seq, _) = self.begun;
        self.notes.retain(|note| *note != seq);
        out.tail().truncate(mark.frame);
    }

    /// There is no sign of life in this protocol.
    fn control(&mut self, _: Control, _: &mut Out) {}

    fn midway(&self) -> bool {
        self.exchange.midway()
    }

    fn ended(&mut self, events: &mut Vec<Event>) {
        if let Some(answer) = self.exchange.ended() {
            events.push(Event::Reply(self.reply(&answer)));
        }
    }
}

#[cfg(test)]
mod tests;
