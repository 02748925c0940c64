//! The client's end: calls out, and replies in, in whatever order they come.

use super::{
    Broken, Version,
    envelope::{Envelope, Member},
    errors, quote,
    scan::{Cut, Scan},
    space,
};
use crate::format::json::write_uint;
use crate::{CallHead, Control, Event, Fed, Head, Mark, Out, Reply, Wire};
use bytes::{Buf, Bytes, BytesMut};
use farcall_core::{Body, Bounds, Compress, Format, Limits, Meta, Routes, Shape};

/// One connection, as its client sees it.
pub(super) struct Client {
    version: Version,
    scan: Scan,
    /// The call that has begun: its number, unless it is a notification, and whether its argument
    /// stands in an array already.
    begun: (Option<u64>, bool),
    bounds: Bounds,
    batch_calls: usize,
}

impl Client {
    pub(super) fn new(version: Version, limits: &Limits) -> Client {
        Client {
            version,
            scan: Scan::new(limits),
            begun: (None, false),
            bounds: limits.bounds(),
            batch_calls: limits.batch_calls,
        }
    }

    /// Appends a call up to its argument.
    pub(super) fn begin_call(&mut self, head: &CallHead<'_>, tail: &mut Vec<u8>) {
        let (opening, number, wrapped) = match self.version {
            // There are no notifications in 1.0: the answer to a one-way call is dropped.
            Version::One => (&b"{\"method\":"[..], Some(head.seq), true),
            Version::Two => {
                let number = (!head.oneway).then_some(head.seq);
                // Known to be neither an object nor an array. What else is not shows at the end.
                let scalar = matches!(head.shape, Shape::One(..) | Shape::Enum(_));
                (&b"{\"jsonrpc\":\"2.0\",\"method\":"[..], number, scalar)
            }
        };
        tail.extend_from_slice(opening);
        name(head.service, head.method, tail);
        tail.extend_from_slice(b",\"params\":");
        if wrapped {
            tail.push(b'[');
        }
        self.begun = (number, wrapped);
    }

    /// Closes the call behind its argument, which begins at `body`.
    pub(super) fn end_call(&mut self, body: usize, tail: &mut Vec<u8>) {
        let (number, mut wrapped) = self.begun;
        if !wrapped && !matches!(tail.get(body), Some(b'{' | b'[')) {
            // "Parameters for the rpc call MUST be provided as a Structured value."
            tail.insert(body, b'[');
            wrapped = true;
        }
        if wrapped {
            tail.push(b']');
        }
        if let Some(number) = number {
            tail.extend_from_slice(b",\"id\":");
            write_uint(number, tail);
        }
        tail.extend_from_slice(b"}\n");
    }

    /// Receives one reply.
    pub(super) fn receive(
        &self,
        envelope: &Envelope,
        frame: &Bytes,
        events: &mut Vec<Event>,
    ) -> Result<(), Broken> {
        if !envelope.is_object() {
            return Err(Broken::NotReply);
        }
        let error = envelope.some(Member::Error, frame).map(|text| frame.slice_ref(text));
        if error.is_none() && !envelope.has(Member::Result) {
            // A server that calls or notifies its client: nobody can receive that yet.
            return if envelope.has(Member::Method) { Ok(()) } else { Err(Broken::NoResult) };
        }
        let error = error.map(|error| errors::status(&error, self.bounds));
        let Some(id) = envelope.some(Member::Id, frame) else {
            return match error {
                // The server could not read what we sent, and does not know which call it was.
                Some(status) => Err(Broken::Refused { text: status.text().to_owned() }),
                None => Ok(()),
            };
        };
        let number = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
        let seq: u64 = number.ok_or(Broken::ReplyId)?;
        let body = match error {
            Some(_) => Body::default(),
            None => envelope.share(Member::Result, frame).into(),
        };
        let (format, compress, meta) = (Format::Json, Compress::None, Meta::default());
        events.push(Event::Reply(Reply { seq, error, format, compress, meta, body }));
        Ok(())
    }
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
            if self.scan.fresh() {
                let space = space(input);
                input.advance(space);
            }
            if input.is_empty() {
                return Ok(Fed::Hungry { need: 0 });
            }
            if events.len() >= full {
                return Ok(Fed::Full);
            }
            let Some((length, cut)) = self.scan.run(input)? else {
                return Ok(Fed::Hungry { need: 1 });
            };
            let frame = input.split_to(length).freeze();
            match cut {
                Cut::One(envelope) => self.receive(&envelope, &frame, events)?,
                // Nobody asked for a batch, but its replies are replies: they may go beyond `most`
                // by what a batch may hold.
                Cut::Batch(replies, count) if count <= self.batch_calls => {
                    replies.iter().try_for_each(|reply| self.receive(reply, &frame, events))?;
                }
                Cut::Batch(_, count) => {
                    return Err(Broken::BatchLong { count, limit: self.batch_calls }.into());
                }
            }
        }
    }

    fn begin(&mut self, head: Head<'_>, out: &mut Out) -> Mark {
        let tail = out.tail();
        let frame = tail.len();
        match head {
            Head::Call(head) => self.begin_call(&head, tail),
            // Nobody calls a client, so it answers nobody.
            Head::Reply(_) | Head::Response(_) | Head::Push(_) => self.begun = (None, false),
            Head::Item(_) | Head::End(_) => unreachable!("jsonrpc has no streams, and says so"),
        }
        Mark { frame, body: tail.len(), compress: Compress::None }
    }

    fn end(&mut self, mark: Mark, out: &mut Out) {
        self.end_call(mark.body, out.tail());
    }

    fn abandon(&mut self, mark: Mark, out: &mut Out) {
        out.tail().truncate(mark.frame);
    }

    /// There is no sign of life in this protocol.
    fn control(&mut self, _: Control, _: &mut Out) {}
}

/// Appends `"Service.Method"`.
fn name(service: &str, method: &str, tail: &mut Vec<u8>) {
    let plain =
        |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/-".contains(&b));
    let dot = if service.is_empty() { "" } else { "." };
    if plain(service) && plain(method) {
        tail.push(b'"');
        for part in [service, dot, method] {
            tail.extend_from_slice(part.as_bytes());
        }
        tail.push(b'"');
    } else {
        quote(&[service, dot, method].concat(), tail);
    }
}
