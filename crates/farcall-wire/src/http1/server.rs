//! The server's end of a connection: requests in, answers out in their order.

use super::{
    Broken,
    answers::{Answering, pack},
    body::Chunks,
    gateway,
    head::{self, Bounds, Length, Method, Reader},
    memo::Memo,
    places::{Kind, Place, Places},
    plan::{self, Plan},
    reply::Connection,
    request::{Request, Rest},
};
use crate::{
    Codec, Control, Event, Fed, Head, Known, Mark, Out, Protocol, Request as PageRequest, Side,
    Unknown, Wire,
    compress::Unfold,
    jsonrpc::{Ended, Face, Post},
};
use bytes::{Buf, Bytes, BytesMut};
use farcall_core::{Call, Compress, Format, Found, Limits, Meta, Routes, Status, Ticket};
use std::{sync::Arc, time::Duration};

/// One connection, as its server sees it.
pub(super) struct Server {
    pub(super) state: State,
    /// Requests that are not answered yet.
    pub(super) places: Places,
    /// The answer that is open.
    pub(super) answering: Option<Answering>,
    /// What the connection has become by `CONNECT`.
    tunnel: Option<Box<dyn Wire>>,
    /// Compressions that are not built in.
    known: Option<Arc<Known>>,
    /// A reader of JSON-RPC that is not in use.
    pub(super) spare: Option<Box<Post>>,
    /// An empty line was let pass before the request at hand.
    blank_line: bool,
    /// No more requests are read.
    pub(super) last: bool,
    /// The answer to the last request that was read says goodbye.
    leaving: bool,
    memo: Memo,
    bounds: Bounds,
    limits: Limits,
}

pub(super) enum State {
    Head(Reader),
    Body(Request),
    /// A batch of JSON-RPC of which some calls were not looked at.
    Members(Members),
    /// What was asked by `CONNECT`, once all requests before it are answered.
    Tunnel(&'static dyn Protocol),
}

/// The calls of one posted message: what they have in common.
pub(super) struct Members {
    number: u64,
    meta: Meta,
    timeout: Option<Duration>,
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
        if let Some(tunnel) = &mut self.tunnel {
            return tunnel.feed(input, out, routes, events, most);
        }
        let full = events.len().saturating_add(most);
        // Answers of the wire's own count too, so that a turn comes to its end.
        let mut left = most;
        loop {
            match &self.state {
                State::Members(_) if events.len() >= full => return Ok(Fed::Full),
                State::Members(_) => {
                    self.members(full - events.len(), out, routes, events);
                    continue;
                }
                State::Tunnel(_) if !self.places.is_empty() => return Ok(Fed::Waiting),
                State::Tunnel(protocol) => {
                    let protocol = *protocol;
                    let status = protocol.connected().unwrap_or_default();
                    out.tail().extend_from_slice(format!("HTTP/1.0 {status}\n\n").as_bytes());
                    let mut tunnel = protocol.open(Side::Server, &self.limits);
                    if let Some(known) = &self.known {
                        tunnel.know(known);
                    }
                    if self.leaving {
                        tunnel.control(Control::Goodbye, out);
                    }
                    self.tunnel = Some(tunnel);
                    return Ok(Fed::Became(protocol.name()));
                }
                State::Head(_) if self.last => {
                    input.clear();
                    return Ok(Fed::Closing);
                }
                State::Head(_) => {
                    if input.is_empty() {
                        return Ok(Fed::Hungry { need: 0 });
                    }
                    if left == 0 || events.len() >= full || out.len() > self.limits.output_bytes {
                        return Ok(Fed::Full);
                    }
                    if self.places.len() >= self.limits.calls_per_connection
                        || self.places.parked() > self.limits.output_bytes
                    {
                        return Ok(Fed::Waiting);
                    }
                }
                State::Body(_) => {}
            }
            let room = full.saturating_sub(events.len()).max(1);
            match self.cut(input, out, routes, events, room) {
                Ok(Cut::Request) => left = left.saturating_sub(1),
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
        if let Some(tunnel) = &mut self.tunnel {
            return tunnel.begin(head, out);
        }
        match head {
            Head::Reply(head) => self.begin_reply(&head, out),
            Head::Response(head) => self.begin_response(&head, out),
            // Nobody calls from this end, nor speaks unasked.
            Head::Call(_) | Head::Push(_) => {
                let frame = out.tail().len();
                Mark { frame, body: frame, compress: Compress::None }
            }
            Head::Item(_) | Head::End(_) => unreachable!("http has no streams, and says so"),
        }
    }

    fn end(&mut self, mark: Mark, out: &mut Out) {
        if let Some(tunnel) = &mut self.tunnel {
            return tunnel.end(mark, out);
        }
        let Some(Answering { number, start, bare }) = self.answering.take() else { return };
        let Some(place) = self.places.get_mut(number) else {
            return out.tail().truncate(mark.frame);
        };
        let frame = mark.frame;
        if let Kind::Post(post) = &mut place.kind {
            let ended = post.end(Mark { frame: start, ..mark }, out);
            match ended {
                Ended::Here => {}
                Ended::Kept => return,
                Ended::Whole(text) => return self.say(number, &text, out),
            }
        }
        self.close(number, Answering { number, start, bare }, frame, out);
    }

    fn abandon(&mut self, mark: Mark, out: &mut Out) {
        if let Some(tunnel) = &mut self.tunnel {
            return tunnel.abandon(mark, out);
        }
        self.answering = None;
        out.tail().truncate(mark.frame);
    }

    /// HTTP/1.1 has nothing to say but answers; the last of them says goodbye.
    fn control(&mut self, what: Control, out: &mut Out) {
        self.leaving |= what == Control::Goodbye;
        if let Some(tunnel) = &mut self.tunnel {
            tunnel.control(what, out);
        }
    }

    fn unknown(&self, found: Found, service: &str, method: &str) -> Status {
        if let Some(tunnel) = &self.tunnel {
            return tunnel.unknown(found, service, method);
        }
        Status::unimplemented(match found {
            Found::NoMethod => format!("service `{service}` has no method `{method}`"),
            _ => format!("there is no service `{service}`; call by POST /Service/Method"),
        })
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

    fn midway(&self) -> bool {
        match &self.tunnel {
            Some(tunnel) => tunnel.midway(),
            None => matches!(self.state, State::Body(_)),
        }
    }

    fn closing(&self) -> bool {
        self.tunnel.as_ref().map_or(self.last, |tunnel| tunnel.closing())
    }

    fn said_goodbye(&self) -> bool {
        match &self.tunnel {
            Some(tunnel) => tunnel.said_goodbye(),
            None => self.leaving && self.last,
        }
    }
}

impl Server {
    pub(super) fn new(limits: &Limits) -> Server {
        Server {
            state: State::Head(Reader::default()),
            places: Places::default(),
            answering: None,
            tunnel: None,
            known: None,
            spare: None,
            blank_line: false,
            last: false,
            leaving: false,
            memo: Memo::default(),
            bounds: Bounds::new(limits),
            limits: limits.clone(),
        }
    }

    /// What the answer to this request says of the connection. A server that leaves says so in the
    /// answer to the last request that it has read, and reads no more (RFC 9112 §9.6).
    pub(super) fn connection(&mut self, number: u64) -> Option<Connection> {
        let newest = self.leaving && matches!(self.state, State::Head(_));
        let newest = newest && self.places.is_newest(number);
        let place = self.places.get_mut(number)?;
        if newest {
            place.connection = Connection::Closes;
            self.last = true;
        }
        Some(place.connection)
    }

    /// Takes at most one request off the input.
    fn cut(
        &mut self,
        input: &mut BytesMut,
        out: &mut Out,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
        room: usize,
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
            let fresh = reader.is_fresh();
            if fresh && let Some((known, end)) = self.memo.find(input) {
                self.state = State::Body(Request::again(known));
                input.advance(end);
            } else {
                if fresh {
                    self.memo.look(input);
                }
                let Some((head, end)) = reader.read(input, self.bounds)? else {
                    return Ok(Cut::Need(usize::from(!input.is_empty())));
                };
                let bytes = input.split_to(end).freeze();
                self.begin_body(&head, bytes, out, routes)?;
                if let State::Body(request) = &self.state {
                    // Who waits to be told to go on is told each time.
                    self.memo.keep(end, || request.known().filter(|_| !head.expects));
                }
            }
        }
        let body = match self.body(input)? {
            Ok(body) => body,
            Err(need) => return Ok(Cut::Need(need)),
        };
        let state = std::mem::replace(&mut self.state, State::Head(Reader::default()));
        if let State::Body(request) = state {
            self.blank_line = false;
            self.complete(request, body, out, routes, events, room);
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
        let limit = self.limits.message_bytes;
        let rest = match head.length {
            Length::Fixed(length) if length > limit as u64 => {
                return Err(Broken::BodyLong { limit });
            }
            Length::Fixed(length) => Rest::Fixed(length as usize),
            Length::Chunked => Rest::Chunked(Chunks::new(limit, self.bounds)),
        };
        let plan::Decided { plan, lines } =
            plan::decide(head, &bytes, self.limits.name_bytes, routes)?;
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
        let request = Request { plan, meta, rest, connection, head_only, lines, expects };
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
    fn complete(
        &mut self,
        request: Request,
        body: Bytes,
        out: &mut Out,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
        room: usize,
    ) {
        let Request { plan, meta, connection, head_only, lines, .. } = request;
        self.last = connection == Connection::Closes;
        let place = |kind| Place::new(connection, head_only, lines.clone(), kind);
        let ticket =
            |seq, format, compress| Ticket { seq, echo: 0, format, compress, oneway: false };
        match plan {
            Plan::Call { to, compress, timeout } => {
                let (body, compress) = argument(body, compress);
                let ticket = ticket(self.places.open(place(Kind::Call)), Format::Json, compress);
                events.push(Event::Call(Call { ticket, to, timeout, meta, body: body.into() }));
            }
            Plan::Unknown(missing) => {
                let plan::Missing { found, service, method, hint, compress, timeout, .. } =
                    *missing;
                let (body, compress) = argument(body, compress);
                let number = self.places.open(place(Kind::Unknown(hint)));
                let ticket = ticket(number, Format::Json, compress);
                let body = if routes.fallback() { body } else { Bytes::new() };
                let body = body.into();
                let unknown = Unknown { ticket, found, service, method, timeout, meta, body };
                events.push(Event::Unknown(Box::new(unknown)));
            }
            Plan::Page { to, method, target } => {
                let number = self.places.open(place(Kind::Page));
                let ticket = ticket(number, Format::Json, Compress::None);
                let request = PageRequest { ticket, to, method, target, meta, body };
                events.push(Event::Request(Box::new(request)));
            }
            Plan::Post { face, timeout, meta: own } => {
                let spare = self.spare.take();
                let mut post = spare.unwrap_or_else(|| Box::new(Post::new(&self.limits)));
                let meta = own.unwrap_or(meta);
                let from = events.len();
                post.start(face, body, routes, events, room);
                let number = self.places.open(place(Kind::Post(post)));
                let members = Members { number, meta, timeout };
                self.posted(members, face, from, out, events);
            }
            Plan::Rpcx(asked, timeout) => {
                let gateway::Asked { found, format, compress, oneway, meta, echo, .. } = *asked;
                let why = (!matches!(found, Found::Method(_))).then_some(found);
                let number = self.places.open(place(Kind::Rpcx(echo, why)));
                let ticket = Ticket { oneway, ..ticket(number, format, compress) };
                events.push(match found {
                    Found::Method(to) => {
                        Event::Call(Call { ticket, to, timeout, meta, body: body.into() })
                    }
                    found => {
                        let (service, method) = (asked.service, asked.method);
                        let body = if routes.fallback() { body } else { Bytes::new() };
                        let body = body.into();
                        let unknown =
                            Unknown { ticket, found, service, method, timeout, meta, body };
                        Event::Unknown(Box::new(unknown))
                    }
                });
                if oneway {
                    self.say(number, b"", out);
                }
            }
            Plan::Answer(answer) => {
                self.answer(&answer, place(Kind::Page), out);
            }
            // The input behind it is the other protocol's.
            Plan::Tunnel(protocol) => {
                self.last = false;
                self.state = State::Tunnel(protocol);
            }
        }
    }

    /// Looks at more calls of a batch.
    fn members(
        &mut self,
        most: usize,
        out: &mut Out,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
    ) {
        let state = std::mem::replace(&mut self.state, State::Head(Reader::default()));
        let State::Members(members) = state else { return };
        let from = events.len();
        let place = self.places.get_mut(members.number);
        let Some(Kind::Post(post)) = place.map(|place| &mut place.kind) else { return };
        post.go_on(routes, events, most);
        self.posted(members, Face::Ours, from, out, events);
    }

    /// Calls of a posted message were found: their tickets lead back to it. Where none is waited
    /// for, its answer is there.
    fn posted(
        &mut self,
        members: Members,
        face: Face,
        from: usize,
        out: &mut Out,
        events: &mut [Event],
    ) {
        let Members { number, meta, timeout } = &members;
        let lead = |ticket: &mut Ticket, found: Option<Found>| {
            ticket.echo = pack(ticket.seq, found);
            ticket.seq = *number;
        };
        for event in &mut events[from..] {
            match event {
                Event::Call(call) => {
                    lead(&mut call.ticket, None);
                    (call.meta, call.timeout) = (meta.clone(), *timeout);
                }
                Event::Unknown(unknown) => {
                    lead(&mut unknown.ticket, Some(unknown.found));
                    (unknown.meta, unknown.timeout) = (meta.clone(), *timeout);
                }
                // JSON-RPC has nothing else.
                _ => {}
            }
        }
        let place = self.places.get_mut(*number);
        let Some(Kind::Post(post)) = place.map(|place| &mut place.kind) else { return };
        if post.has_more() {
            self.state = State::Members(members);
        } else if let Some(text) = post.said() {
            // Go's rpcx says 200 where there is nothing to say.
            let number = *number;
            match face {
                Face::Rpcx if text.is_empty() => self.say(number, b"\n", out),
                _ => self.say(number, &text, out),
            }
        }
    }
}

/// A call's argument. In JSON, `null` is the blank value of every type.
fn argument(body: Bytes, compress: Compress) -> (Bytes, Compress) {
    match body.is_empty() {
        true => (Bytes::from_static(b"null"), Compress::None),
        false => (body, compress),
    }
}
