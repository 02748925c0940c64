//! The right and the duty to answer one call.

use super::{gate::Watch, method::Running, plugin::Outcome, router::Entry, web::HttpResponse};
use crate::{
    limits::meta_bytes,
    stream::{self, Codec},
};
use farcall_core::{
    Body, Bounds, Code, Compress, LEAVING, Origin, Put, Shape, Status, Take, Ticket, Why,
};
use farcall_wire::{EndHead, Head, Out, ReplyHead, ResponseHead, Wire, compress, format};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
};

/// The right and the duty to answer one call: at once, or later.
pub(crate) struct Reply<'a> {
    wire: &'a mut dyn Wire,
    out: &'a mut Out,
    ticket: &'a Ticket,
    service: &'a str,
    method: &'a str,
    rules: &'a Rules,
    /// Where a handler that must wait is left for the connection to find.
    later: &'a mut Option<Pin<Box<dyn Running>>>,
    /// Who is to be told how the call ends.
    watch: Option<&'a mut Watch>,
}

/// A body of so many bytes is decoded in some microseconds.
const LIGHT_BYTES: usize = 4 * 1024;

/// The limits that apply to one call's bodies.
#[derive(Clone)]
pub(crate) struct Rules {
    pub(crate) bounds: Bounds,
    pub(crate) unfolded_bytes: usize,
    pub(crate) message_bytes: usize,
    pub(crate) meta_bytes: usize,
    /// Bytes of taken items that are made known at once.
    pub(crate) spare: usize,
    /// Failures are told to somebody in this process, as they are.
    pub(crate) as_they_are: bool,
}

impl<'a> Reply<'a> {
    /// The answer to a call of `entry`'s method, under its own names.
    #[inline]
    pub(crate) fn new(
        wire: &'a mut dyn Wire,
        out: &'a mut Out,
        ticket: &'a Ticket,
        entry: &'a Entry,
        rules: &'a Rules,
        later: &'a mut Option<Pin<Box<dyn Running>>>,
    ) -> Reply<'a> {
        let (service, method) = (&entry.service, &entry.name);
        Reply { wire, out, ticket, service, method, rules, later, watch: None }
    }

    /// The same, for somebody who is told how the call ends.
    #[inline]
    pub(crate) fn watched(mut self, watch: Option<&'a mut Watch>) -> Reply<'a> {
        self.watch = watch;
        self
    }

    /// How the bodies of this call are encoded.
    pub(crate) fn format(&self) -> farcall_core::Format {
        self.ticket.format
    }

    /// Unfolds the argument, and leaves it at that.
    pub(crate) fn unfold(&self, body: Body) -> Result<bytes::Bytes, Status> {
        self.plain(body.bytes)
    }

    /// Whether unfolding and decoding this argument may take a time that shows.
    #[inline]
    pub(super) fn is_heavy(&self, body: &Body) -> bool {
        body.bytes.len() > LIGHT_BYTES || self.ticket.compress != Compress::None
    }

    fn plain(&self, bytes: bytes::Bytes) -> Result<bytes::Bytes, Status> {
        let limit = self.rules.unfolded_bytes;
        let plain = match self.ticket.compress {
            other @ Compress::Other(_) => self.wire.unfold(other, bytes, limit),
            compress => compress::unfold(compress, bytes, limit),
        };
        plain.map_err(|e| Status::new(e.code(Code::InvalidArgument), e.to_string()))
    }

    /// Unfolds and decodes the argument. `argument` is its name, for error paths.
    #[inline(always)]
    pub(crate) fn decode<T: Take>(&self, body: Body, argument: &'static str) -> Result<T, Status> {
        let Body { mut bytes, lent } = body;
        if self.ticket.compress != Compress::None {
            bytes = self.plain(bytes)?;
        }
        let (format, bounds) = (self.ticket.format, self.rules.bounds);
        let decode = || format::decode(format, &bytes, lent.as_ref(), bounds);
        let decoded = catch_unwind(AssertUnwindSafe(decode)).map_err(|_| panicked())?;
        decoded
            .or_else(|fault| {
                // A format of the user's own is asked for only where none is built in.
                let own = self.wire.codec(format).map(|codec| codec.take(&bytes, bounds));
                own.unwrap_or(Err(fault))
            })
            .map_err(|fault| {
                let fault = if argument.is_empty() { fault } else { fault.in_field(argument) };
                refused_body(self.ticket, fault)
            })
    }

    /// Answers with a value.
    #[inline(always)]
    pub(crate) fn ok<T: Put>(self, value: &T, meta: &[(String, String)]) {
        if self.ticket.oneway {
            return done(self.watch, 0);
        }
        if !meta.is_empty() && meta_bytes(meta) > self.rules.meta_bytes {
            let limit = self.rules.meta_bytes;
            return self.fail(&too_much_meta(limit), &[]);
        }
        let Reply { wire, out, ticket, service, method, rules, watch, .. } = self;
        let head = ReplyHead { ticket, service, method, error: None, meta, shape: Some(&T::SHAPE) };
        let mark = wire.begin(Head::Reply(head), out);
        let frame = mark.frame;
        let encode = || format::encode(ticket.format, value, rules.bounds, out.tail());
        let encoded = catch_unwind(AssertUnwindSafe(encode));
        let length = out.tail().len() - frame;
        match encoded {
            Ok(Ok(())) if length <= rules.message_bytes => {
                let Some(watch) = watch else { return wire.end(mark, out) };
                let body = out.tail().len() - mark.body;
                wire.end(mark, out);
                watch.done(body);
            }
            refused => {
                let own = wire.codec(ticket.format);
                let own = own.map(|codec| codec.put(value, rules.bounds, out.tail()));
                let length = out.tail().len() - frame;
                let refused = own.map_or(refused, Ok);
                if matches!(refused, Ok(Ok(()))) && length <= rules.message_bytes {
                    let body = out.tail().len() - mark.body;
                    wire.end(mark, out);
                    return done(watch, body);
                }
                wire.abandon(mark, out);
                let status = match refused {
                    Ok(Err(fault)) => {
                        Status::internal(format!("the reply cannot be written: {fault}"))
                    }
                    Ok(Ok(())) => Status::resource_exhausted(format!(
                        "the reply has {length} bytes; the limit is {} (Limits::message_bytes)",
                        rules.message_bytes
                    )),
                    Err(_) => panicked(),
                };
                write_failure(wire, out, ticket, service, method, &status, meta);
                end(watch, Outcome::Failed(&status));
            }
        }
    }

    /// Answers that a stream of items is over, all of them sent.
    pub(crate) fn end(self, meta: &[(String, String)]) {
        if !meta.is_empty() && meta_bytes(meta) > self.rules.meta_bytes {
            let limit = self.rules.meta_bytes;
            return self.fail(&too_much_meta(limit), &[]);
        }
        let Reply { wire, out, ticket, watch, .. } = self;
        let mark = wire.begin(Head::End(EndHead { seq: ticket.seq, error: None, meta }), out);
        wire.end(mark, out);
        done(watch, 0);
    }

    /// How the items of an answer are written.
    pub(crate) fn codec(&self) -> Codec {
        let Rules { bounds, message_bytes, .. } = *self.rules;
        let Ticket { format, compress, .. } = *self.ticket;
        Codec { format, compress, bounds, message_bytes, fault: Status::internal }
    }

    /// How the items of an argument are read.
    pub(crate) fn inbound(&self) -> stream::Rules {
        let Rules { bounds, unfolded_bytes, spare, .. } = *self.rules;
        stream::Rules { bounds, unfolded_bytes, spare, place: None }
    }

    /// Answers with a body that is encoded already, under these names.
    pub(crate) fn raw(self, names: (&str, &str), body: &[u8], meta: &[(String, String)]) {
        self.encoded(names, body, meta, None);
    }

    /// The same, of a result of this shape.
    pub(crate) fn encoded(
        self,
        (service, method): (&str, &str),
        body: &[u8],
        meta: &[(String, String)],
        shape: Option<&'static Shape>,
    ) {
        if self.ticket.oneway {
            return done(self.watch, 0);
        }
        if meta_bytes(meta) > self.rules.meta_bytes {
            let limit = self.rules.meta_bytes;
            return self.fail_as((service, method), &too_much_meta(limit), &[]);
        }
        let (length, limit) = (body.len(), self.rules.message_bytes);
        // With room for what stands around a body.
        if length + service.len() + method.len() + meta_bytes(meta) > limit {
            let text = format!(
                "the reply has {length} bytes; the limit is {limit} (Limits::message_bytes)"
            );
            return self.fail_as((service, method), &Status::resource_exhausted(text), meta);
        }
        let Reply { wire, out, ticket, watch, .. } = self;
        let head = ReplyHead { ticket, service, method, error: None, meta, shape };
        let mark = wire.begin(Head::Reply(head), out);
        out.tail().extend_from_slice(body);
        wire.end(mark, out);
        done(watch, length);
    }

    /// Answers with a failure.
    #[cold]
    pub(crate) fn fail(self, status: &Status, meta: &[(String, String)]) {
        let names = (self.service, self.method);
        self.fail_as(names, status, meta);
    }

    /// The same, under these names.
    #[cold]
    pub(crate) fn fail_as(self, names: (&str, &str), status: &Status, meta: &[(String, String)]) {
        // What was run must not say in the machine's own words that it was not: its caller would
        // run it again. Those of another peer are not repeated anyway.
        let own = status.origin() == Origin::Local && status.text() == LEAVING;
        if own && !self.rules.as_they_are {
            let said = format!("its handler says: {LEAVING}");
            return self.tell(names, &Status::new(status.code(), said), meta);
        }
        self.tell(names, status, meta);
    }

    /// Answers a call that was not run.
    #[cold]
    pub(crate) fn refuse(self, status: &Status) {
        let names = (self.service, self.method);
        self.tell(names, status, &[]);
    }

    #[cold]
    fn tell(self, (service, method): (&str, &str), status: &Status, meta: &[(String, String)]) {
        end(self.watch, Outcome::Failed(status));
        if self.ticket.oneway {
            return;
        }
        let Reply { wire, out, ticket, rules, .. } = self;
        // Metadata that the caller would not take must not keep it from the reason.
        let meta = if meta_bytes(meta) > rules.meta_bytes { &[] } else { meta };
        // What another peer told this server is not this server's to repeat: its text may name
        // things that the caller must not see.
        let foreign = (status.origin() == Origin::Remote && !rules.as_they_are)
            .then(|| Status::new(Code::Internal, "a call that this service depends on failed"));
        let status = foreign.as_ref().unwrap_or(status);
        write_failure(wire, out, ticket, service, method, status, meta);
    }

    /// Bytes that the answer may have.
    pub(crate) fn message_bytes(&self) -> usize {
        self.rules.message_bytes
    }

    /// Answers a request that is no call.
    pub(crate) fn respond(self, response: &HttpResponse) {
        let HttpResponse { status, fields, body } = response;
        let (length, limit) = (body.len(), self.rules.message_bytes);
        if length > limit {
            let text = format!(
                "the page has {length} bytes; the limit is {limit} (Limits::message_bytes)"
            );
            return self.fail(&Status::resource_exhausted(text), &[]);
        }
        let Reply { wire, out, ticket, watch, .. } = self;
        let head = ResponseHead { ticket, status: *status, fields };
        let mark = wire.begin(Head::Response(head), out);
        out.tail().extend_from_slice(body);
        wire.end(mark, out);
        done(watch, length);
    }

    /// Leaves a handler that must wait for the connection to run.
    pub(crate) fn later(self, run: Pin<Box<dyn Running>>) {
        *self.later = Some(run);
    }
}

#[inline]
fn end(watch: Option<&mut Watch>, outcome: Outcome<'_>) {
    if let Some(watch) = watch {
        watch.end(outcome);
    }
}

#[inline]
fn done(watch: Option<&mut Watch>, bytes_out: usize) {
    if let Some(watch) = watch {
        watch.done(bytes_out);
    }
}

#[cold]
fn too_much_meta(limit: usize) -> Status {
    Status::resource_exhausted(format!(
        "the reply's metadata is too long; the limit is {limit} bytes (Limits::meta_bytes)"
    ))
}

/// The status of a call whose handler panicked, or whose body did. The panic hook has said what
/// happened; nothing of it crosses the wire.
#[cold]
pub(super) fn panicked() -> Status {
    Status::internal("[service internal error]: the handler panicked")
}

pub(crate) fn write_failure(
    wire: &mut dyn Wire,
    out: &mut Out,
    ticket: &Ticket,
    service: &str,
    method: &str,
    status: &Status,
    meta: &[(String, String)],
) {
    let head = ReplyHead { ticket, service, method, error: Some(status), meta, shape: None };
    let mark = wire.begin(Head::Reply(head), out);
    wire.end(mark, out);
}

#[cold]
fn refused_body(ticket: &Ticket, fault: farcall_core::Fault) -> Status {
    match ticket.format {
        // The words of Go's server for a format without a codec.
        farcall_core::Format::Other(number) if matches!(fault.why(), Why::Unsupported { .. }) => {
            Status::unimplemented(format!("can not find codec for {number}"))
        }
        farcall_core::Format::Thrift => Status::unimplemented(
            "can not find codec for 4 (thrift bodies are not built yet)".to_owned(),
        ),
        format => {
            Status::invalid_argument(format!("the {format} argument cannot be read: {fault}"))
        }
    }
}
