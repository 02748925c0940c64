//! The server's end: requests in, by the rules of their version, and answers out.

use super::{
    Broken, Params, Version,
    envelope::{Envelope, Member},
    errors::{self, Failure},
    open::{Open, close_two, compact},
    posted::Face,
    scan::{Cut, Scan},
    space,
};
use crate::{Control, Event, Fed, Head, Mark, Out, ReplyHead, Unknown, Wire, format::json};
use bytes::{Buf, Bytes, BytesMut};
use farcall_core::{
    Body, Call, Compress, Format, Found, Lent, Limits, Meta, Routes, Status, Str, Ticket,
};
use std::{borrow::Cow, sync::Arc, vec};

/// One connection, as its server sees it.
pub(super) struct Server {
    pub(super) scan: Scan,
    pub(super) open: Open,
    /// A batch of which some calls are not looked at yet.
    pub(super) batch: Option<Batch>,
    pub(super) face: Face,
    /// The answer that has begun.
    begun: Begun,
    lent: [Lent; 2],
    name_bytes: usize,
    batch_calls: usize,
}

pub(super) struct Batch {
    frame: Bytes,
    calls: vec::IntoIter<Envelope>,
    slot: usize,
}

/// The answer that has begun: its call's slot, and whether it is a failure.
#[derive(Clone, Copy, Default)]
struct Begun {
    slot: u64,
    failed: bool,
}

/// A request that can be answered.
pub(super) struct Request<'a> {
    version: Version,
    /// The id to echo; none for a notification.
    id: Option<&'a [u8]>,
    batch: Option<usize>,
}

/// Why a request is not a call.
pub(super) struct Refusal {
    code: i64,
    text: Cow<'static, str>,
    /// The connection ends with it.
    broken: Option<Broken>,
}

impl Refusal {
    #[cold]
    pub(super) fn new(code: i64, text: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { code, text: text.into(), broken: None }
    }
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
        let full = events.len().saturating_add(most);
        let enough = out.len().saturating_add(OUT_BYTES);
        loop {
            if !self.members(full, enough, out, routes, events)? {
                return Ok(Fed::Full);
            }
            if self.scan.fresh() {
                let space = space(input);
                input.advance(space);
            }
            if input.is_empty() {
                return Ok(Fed::Hungry { need: 0 });
            }
            if events.len() >= full || out.len() >= enough {
                return Ok(Fed::Full);
            }
            match self.scan.run(input) {
                Ok(None) => return Ok(Fed::Hungry { need: 1 }),
                Ok(Some((length, cut))) => {
                    let frame = input.split_to(length).freeze();
                    match cut {
                        Cut::One(envelope) => {
                            self.serve(&envelope, &frame, None, out, routes, events)?;
                        }
                        Cut::Batch(calls, count) => self.begin_batch(frame, calls, count, out),
                    }
                }
                Err(broken) => {
                    let code = match broken {
                        Broken::Syntax { .. } => errors::PARSE,
                        _ => errors::INVALID,
                    };
                    let refusal = Refusal::new(code, broken.to_string());
                    self.refuse(&NOBODY, &refusal, out);
                    return Err(broken.into());
                }
            }
        }
    }

    fn begin(&mut self, head: Head<'_>, out: &mut Out) -> Mark {
        let tail = out.tail();
        let frame = tail.len();
        match head {
            Head::Reply(head) => self.begin_reply(&head, tail),
            // Nobody calls a client from here.
            Head::Call(_) | Head::Response(_) | Head::Push(_) => {
                self.begun = Begun { slot: NO_SLOT, failed: false };
            }
            Head::Item(_) | Head::End(_) => unreachable!("jsonrpc has no streams, and says so"),
        }
        Mark { frame, body: tail.len(), compress: Compress::None }
    }

    fn end(&mut self, mark: Mark, out: &mut Out) {
        let Begun { slot, failed } = self.begun;
        let tail = out.tail();
        let Some(call) = self.open.get(slot) else { return tail.truncate(mark.frame) };
        match call.version() {
            Version::One if failed => tail.push(b'}'),
            Version::One => {
                // Go's client takes a null result without an error for the end of the world.
                if tail[mark.body..] == *b"null" {
                    tail.truncate(mark.body);
                    tail.extend_from_slice(b"{}");
                }
                tail.extend_from_slice(b",\"error\":null}");
            }
            Version::Two => close_two(&call.id, tail),
        }
        match call.batch {
            None => tail.push(b'\n'),
            Some(batch) => {
                let id = std::mem::take(&mut call.id);
                self.open.park(batch, &id, mark.frame, out);
            }
        }
        self.open.free(slot);
    }

    /// The call stays open: the machine answers it with a failure then.
    fn abandon(&mut self, mark: Mark, out: &mut Out) {
        out.tail().truncate(mark.frame);
    }

    /// There is no sign of life in this protocol.
    fn control(&mut self, _: Control, _: &mut Out) {}

    /// The peer was told what is wrong, and the calls before it are as good as any.
    fn closing(&self) -> bool {
        true
    }

    /// The texts of Go's `net/rpc` server, which its clients match on.
    fn unknown(&self, found: Found, service: &str, method: &str) -> Status {
        let what = if found == Found::NoMethod { "method" } else { "service" };
        Status::unimplemented(format!("rpc: can't find {what} {service}.{method}"))
    }
}

impl Server {
    pub(super) fn new(limits: &Limits) -> Server {
        Server {
            scan: Scan::new(limits),
            open: Open::new(limits),
            batch: None,
            face: Face::Ours,
            begun: Begun::default(),
            lent: [Arc::new(Params::V1), Arc::new(Params::V2)],
            name_bytes: limits.name_bytes,
            batch_calls: limits.batch_calls,
        }
    }

    /// Looks at the rest of a batch, if there is one; false if `full` events or `enough` output
    /// came first.
    pub(super) fn members(
        &mut self,
        full: usize,
        enough: usize,
        out: &mut Out,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
    ) -> Result<bool, Broken> {
        while let Some(batch) = &mut self.batch {
            if events.len() >= full || out.len() >= enough {
                return Ok(false);
            }
            let slot = batch.slot;
            match batch.calls.next() {
                Some(envelope) => {
                    let frame = batch.frame.clone();
                    self.serve(&envelope, &frame, Some(slot), out, routes, events)?;
                }
                None => {
                    self.batch = None;
                    self.open.whole(slot, out);
                }
            }
        }
        Ok(true)
    }

    pub(super) fn begin_batch(
        &mut self,
        frame: Bytes,
        calls: Vec<Envelope>,
        count: usize,
        out: &mut Out,
    ) {
        let refusal = match count {
            0 => Refusal::new(errors::INVALID, "an empty batch"),
            count if count > self.batch_calls => {
                let limit = self.batch_calls;
                let text =
                    format!("a batch of {count} calls, the limit is {limit} (Limits::batch_calls)");
                Refusal::new(errors::INVALID, text)
            }
            _ => {
                let slot = self.open.batch();
                self.batch = Some(Batch { frame, calls: calls.into_iter(), slot });
                return;
            }
        };
        self.refuse(&NOBODY, &refusal, out);
    }

    /// Makes one request a call, or answers it at once.
    pub(super) fn serve(
        &mut self,
        envelope: &Envelope,
        frame: &Bytes,
        batch: Option<usize>,
        out: &mut Out,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
    ) -> Result<(), Broken> {
        let two = batch.is_some() || envelope.has(Member::JsonRpc) || self.face == Face::Rpcx;
        let version = if two { Version::Two } else { Version::One };
        let mut request = Request { version, id: None, batch };
        match self.read(envelope, frame, &mut request, routes) {
            Ok(event) => events.push(event),
            Err(refusal) => match (&request.id, refusal.code) {
                // "The Server MUST NOT reply to a Notification", but what is no request is none.
                (None, errors::PARAMS | errors::NO_METHOD | BUSY) => {}
                _ => {
                    self.refuse(&request, &refusal, out);
                    return refusal.broken.map_or(Ok(()), Err);
                }
            },
        }
        Ok(())
    }

    /// Reads a request as far as a wire can: to whom, and where its params are.
    #[inline]
    fn read<'f>(
        &mut self,
        envelope: &Envelope,
        frame: &'f Bytes,
        request: &mut Request<'f>,
        routes: &dyn Routes,
    ) -> Result<Event, Refusal> {
        let method = match request.version {
            Version::One => self.read_one(envelope, frame, request)?,
            Version::Two => self.read_two(envelope, frame, request)?,
        };
        let Some(dot) = method.iter().rposition(|byte| *byte == b'.') else {
            let method = String::from_utf8_lossy(&method);
            let text = match self.face {
                Face::Ours => format!("rpc: service/method request ill-formed: {method}"),
                Face::Rpcx => "must contains servicepath and method".to_owned(),
            };
            return Err(Refusal::new(errors::NO_METHOD, text));
        };
        let (service, method) = (&method[..dot], &method[dot + 1..]);
        let found = routes.find(service, method);
        let mut body = Body::default();
        let is_method = matches!(found, Found::Method(_));
        let wanted = is_method || routes.fallback();
        if wanted || routes.secret() {
            check_params(envelope, frame, request.version)?;
        }
        if wanted {
            body.bytes = envelope.share(Member::Params, frame);
            body.lent = Some(Arc::clone(&self.lent[request.version as usize]));
        }
        let seq = match request.id {
            None => NO_SLOT,
            Some(id) => self.open.call(request.version, id, request.batch).ok_or_else(|| {
                Refusal::new(BUSY, "too many calls are open (Limits::calls_per_connection)")
            })?,
        };
        let (format, compress) = (Format::Json, Compress::None);
        let ticket = Ticket { seq, echo: 0, format, compress, oneway: request.id.is_none() };
        Ok(match found {
            Found::Method(to) => {
                Event::Call(Call { ticket, to, timeout: None, meta: Meta::default(), body })
            }
            found => {
                let text = |name| Str::from(&*String::from_utf8_lossy(name));
                let (service, method) = (text(service), text(method));
                let (timeout, meta) = (None, Meta::default());
                let unknown = Unknown { ticket, found, service, method, timeout, meta, body };
                Event::Unknown(Box::new(unknown))
            }
        })
    }

    /// The name that a request of 1.0 calls. Whatever it says is answered, if only with id null.
    fn read_one<'f>(
        &self,
        envelope: &Envelope,
        frame: &'f Bytes,
        request: &mut Request<'f>,
    ) -> Result<Cow<'f, [u8]>, Refusal> {
        request.id = Some(b"null");
        request.id = Some(self.id(envelope, frame)?.unwrap_or(b"null"));
        match envelope.some(Member::Method, frame) {
            None => Ok(Cow::Borrowed(b"")),
            Some(text) if text[0] == b'"' => self.name(text),
            Some(other) => {
                let what = kind(other);
                let text = format!(
                    "json: cannot unmarshal {what} into Go struct field serverRequest.method of \
                     type string"
                );
                // Go closes without a word.
                let broken = Some(Broken::Method);
                Err(Refusal { broken, ..Refusal::new(errors::INVALID, text) })
            }
        }
    }

    /// The name that a request of 2.0 calls.
    fn read_two<'f>(
        &self,
        envelope: &Envelope,
        frame: &'f Bytes,
        request: &mut Request<'f>,
    ) -> Result<Cow<'f, [u8]>, Refusal> {
        let invalid = |text: &'static str| Refusal::new(errors::INVALID, text);
        if !envelope.is_object() {
            return Err(invalid("a request is an object"));
        }
        if envelope.is_ambiguous() {
            return Err(invalid("a member comes twice"));
        }
        let id = self.id(envelope, frame)?;
        // Go's rpcx server cannot tell null from nothing.
        let id = id.filter(|id| self.face == Face::Ours || *id != b"null");
        if id.is_some_and(|id| !matches!(id[0], b'"' | b'-' | b'0'..=b'9' | b'n')) {
            return Err(invalid("an id is a number, a text or null"));
        }
        request.id = id;
        match envelope.get(Member::JsonRpc, frame) {
            Some(b"\"2.0\"") => {}
            Some(_) => return Err(invalid("the version is not \"2.0\"")),
            None if self.face == Face::Rpcx => {}
            None => return Err(invalid("a request in a batch has the version \"2.0\"")),
        }
        match envelope.get(Member::Method, frame) {
            Some(text) if text[0] == b'"' => self.name(text),
            Some(_) => Err(invalid("the method is not text")),
            None => Err(invalid("there is no method")),
        }
    }

    fn id<'f>(&self, envelope: &Envelope, frame: &'f [u8]) -> Result<Option<&'f [u8]>, Refusal> {
        let Some(id) = envelope.get(Member::Id, frame) else { return Ok(None) };
        if id.len() > self.name_bytes {
            return Err(self.too_long("id", id));
        }
        match std::str::from_utf8(id) {
            Ok(_) => Ok(Some(id)),
            Err(_) => Err(Refusal::new(errors::INVALID, "the id is not UTF-8")),
        }
    }

    /// The method's name, from the text in quotes.
    #[inline]
    fn name<'f>(&self, quoted: &'f [u8]) -> Result<Cow<'f, [u8]>, Refusal> {
        let name = &quoted[1..quoted.len() - 1];
        if name.len() > self.name_bytes {
            return Err(self.too_long("method", name));
        }
        if !name.contains(&b'\\') {
            // What is not UTF-8 is not found.
            return Ok(Cow::Borrowed(name));
        }
        match json::unquote(quoted) {
            Some(name) => Ok(Cow::Owned(name.into_bytes())),
            None => Err(Refusal::new(errors::INVALID, "the method is not UTF-8")),
        }
    }

    #[cold]
    fn too_long(&self, what: &str, text: &[u8]) -> Refusal {
        let (length, limit) = (text.len(), self.name_bytes);
        let text =
            format!("the {what} is {length} bytes long, the limit is {limit} (Limits::name_bytes)");
        Refusal::new(errors::INVALID, text)
    }

    /// Answers what never became a call.
    #[cold]
    pub(super) fn refuse(&mut self, request: &Request<'_>, refusal: &Refusal, out: &mut Out) {
        let failure = Failure { code: refusal.code, text: &refusal.text, detail: None };
        let mut id = Vec::new();
        compact(request.id.unwrap_or(b"null"), &mut id);
        let tail = out.tail();
        let frame = tail.len();
        failure.write(request.version, &id, tail);
        match request.version {
            Version::One => tail.push(b'}'),
            Version::Two => close_two(&id, tail),
        }
        match request.batch {
            None => tail.push(b'\n'),
            Some(batch) => {
                self.open.due(Some(batch));
                self.open.park(batch, &id, frame, out);
            }
        }
    }

    #[inline]
    fn begin_reply(&mut self, head: &ReplyHead<'_>, tail: &mut Vec<u8>) {
        let slot = head.ticket.seq;
        self.begun = Begun { slot, failed: head.error.is_some() };
        let Some(call) = self.open.get(slot) else { return };
        match (head.error, call.version()) {
            (Some(status), version) => {
                let mut failure = Failure::of(status);
                if self.face == Face::Rpcx {
                    // Whatever went wrong behind the envelope (`server/jsonrpc2.go`).
                    failure.code = errors::INTERNAL;
                }
                failure.write(version, &call.id, tail);
            }
            (None, Version::One) => {
                tail.extend_from_slice(b"{\"id\":");
                tail.extend_from_slice(&call.id);
                tail.extend_from_slice(b",\"result\":");
            }
            (None, Version::Two) => tail.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"result\":"),
        }
    }
}

/// Whether the params can be a method's; what they hold is for whoever decodes them.
#[inline]
fn check_params(envelope: &Envelope, frame: &[u8], version: Version) -> Result<(), Refusal> {
    let wrong = |text: String| Err(Refusal::new(errors::PARAMS, text));
    match (version, envelope.some(Member::Params, frame)) {
        (Version::One, None) => wrong("jsonrpc: request body missing params".to_owned()),
        (Version::One, Some([b'[', ..])) | (Version::Two, None | Some([b'[' | b'{', ..])) => Ok(()),
        (Version::One, Some(other)) => {
            let what = kind(other);
            wrong(format!("json: cannot unmarshal {what} into Go value of type [1]interface {{}}"))
        }
        (Version::Two, Some(other)) => {
            wrong(format!("params are an object or an array, not a {}", kind(other)))
        }
    }
}

/// What a value is, in the words of Go's `encoding/json`.
fn kind(value: &[u8]) -> &'static str {
    match value.first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "bool",
        _ => "number",
    }
}

/// Of a notification, which has no slot because it has no answer.
pub(super) const NO_SLOT: u64 = u64::MAX;
/// -32000 less the number of `Code::ResourceExhausted`.
const BUSY: i64 = -32008;
/// Answers that the wire makes by itself before it lets the machine write.
const OUT_BYTES: usize = 64 * 1024;
/// To whom what cannot be read is answered.
pub(super) const NOBODY: Request<'static> =
    Request { version: Version::Two, id: None, batch: None };
