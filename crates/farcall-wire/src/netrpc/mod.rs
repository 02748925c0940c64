//! net/rpc: the RPC of Go's standard library, on the wire that it has by default.
//!
//! Source: packages `net/rpc` and `encoding/gob` of Go 1.19, read and run. Each direction of a
//! connection is one stream of [`gob`] for as long as it lasts. The client writes a
//! `Request` and the argument, the server a `Response` and the result, in any order of calls:
//!
//! ```text
//! Request  { ServiceMethod string, Seq uint }                 argument
//! Response { ServiceMethod string, Seq uint, Error string }   result, or struct{}{}
//! ```
//!
//! A failure is a text and nothing else; the body behind it is of no interest. There is no room for
//! metadata, deadlines, compression or one-way calls: asking for the first and the third is
//! refused, a deadline is kept by the client alone, and the answer to a one-way call is dropped.
//!
//! Where this end differs from Go's, on purpose:
//! - lengths, depth and the number of types are bounded; Go's process ends on some of them;
//! - a result that cannot be read fails its call, where Go's client shuts the connection down;
//! - a result that cannot be written fails its call, where Go's server closes;
//! - a failure without a text is an error, where Go makes it a success.
//!
//! Behind HTTP's `CONNECT /_goRPC_` it is the same; that is answered before a wire is opened.

mod away;
mod broken;
mod header;

use crate::gob::{self, Decoder, Encoder, Open, Step};
use crate::{
    Control, Event, Fed, Head, Mark, Out, OverHttp, Protocol, Reply, ReplyHead, Side, Sniff,
    Tunnel, Unknown, Wire,
};
use bytes::BytesMut;
use farcall_core::{
    Body, Bounds, Call, Code, Compress, Format, Found, LEAVING, Limits, Meta, Routes, Shaped,
    Status, Str, Ticket,
};
use header::Header;

pub use broken::Broken;

/// The protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct NetRpc;

impl Protocol for NetRpc {
    fn name(&self) -> &'static str {
        "netrpc"
    }

    /// A client begins with the definition of a type, mostly its `Request`: a length, the negated
    /// number of the type (`7f` is -64, where Go's numbers begin since 1.21; `ff` and an odd byte
    /// or `fe` and two, the last odd, are lower ones), which kind of type it is, and the field
    /// `CommonType`. Go's `Request` is 46 to 51 bytes long; others may be told first. No text goes
    /// on with such a second byte, and the two lengths that begin JSON are left to it.
    fn sniff(&self, first: &[u8]) -> Sniff {
        let Some((length, rest)) = first.split_first() else { return Sniff::More };
        if !matches!(length, 0x09..=0x7f) || matches!(length, b'[' | b'{') {
            return Sniff::No;
        }
        let kind = match rest {
            [] | [0xff] | [0xfe] | [0xfe, _] => return Sniff::More,
            [0x7f, kind @ ..] => kind,
            [0xff, low, kind @ ..] if low % 2 == 1 && *low > 0x80 => kind,
            [0xfe, high, low, kind @ ..] if low % 2 == 1 && *high > 0 => kind,
            _ => return Sniff::No,
        };
        match kind {
            [] | [1..=7] => Sniff::More,
            [1..=7, 1, ..] => Sniff::Yes,
            _ => Sniff::No,
        }
    }

    /// A refusal of every call whose header is among these bytes: Go's clients drop what has none
    /// of their numbers.
    fn turn_away(&self, first: &[u8], text: &str) -> Vec<u8> {
        away::refusals(first, text)
    }

    /// `net/rpc/server.go`, `connected`.
    fn connected(&self) -> Option<&'static str> {
        Some("200 Connected to Go RPC")
    }

    fn open(&self, side: Side, limits: &Limits) -> Box<dyn Wire> {
        Box::new(Streams::new(side, limits))
    }

    fn default_format(&self) -> Format {
        Format::Gob
    }

    fn carries_meta(&self) -> bool {
        false
    }

    /// `net/rpc/server.go`: `DefaultRPCPath` and what `ServeHTTP` answers.
    fn over_http(&self) -> Option<OverHttp> {
        let (path, status) = ("/_goRPC_", "200 Connected to Go RPC");
        Some(OverHttp::Tunnel(Tunnel { path, status }))
    }
}

/// One end of a connection: a stream each way.
struct Streams {
    side: Side,
    name_bytes: usize,
    bounds: Bounds,
    decoder: Decoder,
    encoder: Encoder,
    /// The body that is being written.
    open: Option<Open>,
    /// The header whose body comes next, on a server.
    call: Option<Asked>,
    /// The same, on a client.
    reply: Option<Header<true>>,
}

/// A call whose argument has not come.
struct Asked {
    ticket: Ticket,
    found: Found,
    /// The names, where they lead nowhere.
    names: Option<(Str, Str)>,
}

impl Wire for Streams {
    fn feed(
        &mut self,
        input: &mut BytesMut,
        _: &mut Out,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
        most: usize,
    ) -> Result<Fed, crate::Broken> {
        let full = events.len().saturating_add(most);
        loop {
            if events.len() >= full && !input.is_empty() {
                return Ok(Fed::Full);
            }
            let body = match self.decoder.next(input).map_err(Broken::from)? {
                Step::Value(body) => body,
                Step::Need(need) => {
                    return Ok(Fed::Hungry { need: need.max(self.midway().into()) });
                }
            };
            match self.side {
                Side::Server => self.serve(body, routes, events)?,
                Side::Client => self.receive(body, events)?,
            }
        }
    }

    fn begin(&mut self, head: Head<'_>, out: &mut Out) -> Mark {
        let tail = out.tail();
        let frame = tail.len();
        let shape = match head {
            Head::Call(head) => {
                let header = self.encoder.begin(&header::REQUEST, tail);
                header::write(tail, [head.service, head.method], head.seq, "");
                self.encoder.end(header, tail);
                Some(head.shape)
            }
            Head::Reply(head) => self.begin_reply(&head, tail),
            Head::Item(_) | Head::End(_) => unreachable!("netrpc has no streams, and says so"),
            // Nothing here is a page.
            Head::Response(_) | Head::Push(_) => None,
        };
        self.open = Some(self.encoder.begin(shape.unwrap_or(&header::NOTHING), tail));
        if shape.is_none() {
            tail.push(0);
        }
        Mark { frame, body: tail.len(), compress: Compress::None }
    }

    fn end(&mut self, _: Mark, out: &mut Out) {
        if let Some(open) = self.open.take() {
            self.encoder.end(open, out.tail());
        }
        self.encoder.commit();
    }

    fn abandon(&mut self, mark: Mark, out: &mut Out) {
        self.open = None;
        self.encoder.roll_back();
        out.tail().truncate(mark.frame);
    }

    /// There is no sign of life to ask for. A goodbye is a response that nobody waits for: Go's
    /// client reads and drops it (`net/rpc/client.go`, `input`).
    fn control(&mut self, what: Control, out: &mut Out) {
        match what {
            Control::Goodbye if self.side == Side::Server => {
                let tail = out.tail();
                let frame = tail.len();
                let header = self.encoder.begin(&header::RESPONSE, tail);
                header::write(tail, ["", ""], GOODBYE, LEAVING);
                self.encoder.end(header, tail);
                self.open = Some(self.encoder.begin(&header::NOTHING, tail));
                tail.push(0);
                let body = tail.len();
                self.end(Mark { frame, body, compress: Compress::None }, out);
            }
            Control::Goodbye => {}
            Control::Ping { .. } | Control::Cancel { .. } | Control::Consumed { .. } => {}
        }
    }

    /// The texts of `net/rpc/server.go`, which its users match on.
    fn unknown(&self, found: Found, service: &str, method: &str) -> Status {
        let dot = if service.is_empty() { "" } else { "." };
        Status::unimplemented(match found {
            Found::NoMethod => format!("rpc: can't find method {service}{dot}{method}"),
            _ if service.is_empty() && !method.contains('.') => {
                format!("rpc: service/method request ill-formed: {method}")
            }
            _ => format!("rpc: can't find service {service}{dot}{method}"),
        })
    }

    fn midway(&self) -> bool {
        self.call.is_some() || self.reply.is_some() || self.decoder.midway()
    }
}

impl Streams {
    fn new(side: Side, limits: &Limits) -> Streams {
        Streams {
            side,
            name_bytes: limits.name_bytes,
            bounds: limits.bounds(),
            decoder: Decoder::new(limits),
            encoder: Encoder::new(),
            open: None,
            call: None,
            reply: None,
        }
    }

    /// A value on the server: a header, or the argument that belongs to the last one.
    fn serve(
        &mut self,
        body: Body,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
    ) -> Result<(), Broken> {
        let Some(Asked { ticket, found, names }) = self.call.take() else {
            self.call = Some(self.asked(&body, routes)?);
            return Ok(());
        };
        events.push(match found {
            Found::Method(to) => {
                Event::Call(Call { ticket, to, timeout: None, meta: Meta::default(), body })
            }
            found => {
                let (service, method) = names.unwrap_or_default();
                let (timeout, meta) = (None, Meta::default());
                // Nothing can be done with gob's bytes alone.
                let body = Body::default();
                let unknown = Unknown { ticket, found, service, method, timeout, meta, body };
                Event::Unknown(Box::new(unknown))
            }
        });
        Ok(())
    }

    fn asked(&self, body: &Body, routes: &dyn Routes) -> Result<Asked, Broken> {
        let header: Header<false> = self.header(body)?;
        // "The last dot": service names may have dots of their own.
        let dot = header.name.iter().rposition(|byte| *byte == b'.');
        let (service, method) = match dot {
            Some(dot) => (&header.name[..dot], &header.name[dot + 1..]),
            None => (&header.name[..0], &header.name[..]),
        };
        let length = service.len().max(method.len());
        if length > self.name_bytes {
            return Err(Broken::NameLong { length, limit: self.name_bytes });
        }
        let found = if dot.is_some() { routes.find(service, method) } else { Found::NoService };
        let names = match found {
            Found::Method(_) => None,
            _ => {
                let text = |name| Str::from(&*String::from_utf8_lossy(name));
                // A name without a service keeps its dot, by which it is told from one without.
                let method = if service.is_empty() { &header.name[..] } else { method };
                Some((text(service), text(method)))
            }
        };
        let (seq, format, compress) = (header.seq, Format::Gob, Compress::None);
        let ticket = Ticket { seq, echo: 0, format, compress, oneway: false };
        Ok(Asked { ticket, found, names })
    }

    /// A value on the client: a header, or the result that belongs to the last one.
    fn receive(&mut self, body: Body, events: &mut Vec<Event>) -> Result<(), Broken> {
        let Some(header) = self.reply.take() else {
            self.reply = Some(self.header(&body)?);
            return Ok(());
        };
        let error = (!header.error.is_empty()).then(|| {
            let text = String::from_utf8_lossy(&header.error).into_owned();
            Status::remote(code(&text), text)
        });
        if header.seq == GOODBYE && error.as_ref().is_some_and(Status::is_leaving) {
            events.push(Event::Goodbye);
            return Ok(());
        }
        let body = if error.is_some() { Body::default() } else { body };
        let (seq, format, compress) = (header.seq, Format::Gob, Compress::None);
        let meta = Meta::default();
        events.push(Event::Reply(Reply { seq, error, format, compress, meta, body }));
        Ok(())
    }

    fn header<const RESPONSE: bool>(&self, body: &Body) -> Result<Header<RESPONSE>, Broken> {
        gob::decode(&body.bytes, body.lent.as_ref(), self.bounds)
            .map_err(|fault| Broken::Header { why: fault.to_string() })
    }

    /// The header of a reply; the shape of its body, if it has one.
    fn begin_reply(
        &mut self,
        head: &ReplyHead<'_>,
        tail: &mut Vec<u8>,
    ) -> Option<&'static farcall_core::Shape> {
        let error = match head.error {
            None => "",
            // No text would be success.
            Some(status) if status.text().is_empty() => status.code().name(),
            Some(status) => status.text(),
        };
        let header = self.encoder.begin(&header::RESPONSE, tail);
        header::write(tail, [head.service, head.method], head.ticket.seq, error);
        self.encoder.end(header, tail);
        match head.error {
            Some(_) => None,
            None => Some(head.shape.unwrap_or(const { &<() as Shaped>::SHAPE })),
        }
    }
}

/// The number of a goodbye: no client has such a call.
const GOODBYE: u64 = u64::MAX;

/// No code crosses this wire; the texts of Go's own server tell some of them.
fn code(text: &str) -> Code {
    let known = [
        "rpc: can't find service",
        "rpc: can't find method",
        "rpc: service/method request ill-formed",
    ];
    match known.iter().any(|known| text.starts_with(known)) {
        true => Code::Unimplemented,
        false if text == LEAVING => Code::Unavailable,
        // What our own servers answer to strangers.
        false if text.starts_with("the credentials are ") => Code::Unauthenticated,
        false => Code::Unknown,
    }
}

#[cfg(test)]
mod tests;
