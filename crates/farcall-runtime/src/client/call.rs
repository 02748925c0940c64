//! A call is a builder and a future at once.

mod check;
mod pooled;
pub(super) mod runtime;
mod started;
mod traced;

pub use started::Started;
pub use traced::TracedCall;

use super::{
    Client, Handle,
    fail::Tries,
    hooked::Hooked,
    link::{Link, Request, Started as Stood},
    pool::Role,
    queue::Place,
    slots::SlotId,
    state::Queued,
    streaming::Opening,
};
use crate::{clock::after, server::MethodInfo};
use check::{check, fits};
use farcall_core::{Body, Code, Compress, Format, Meta, Put, Sent, Status, Streams, Take};
use farcall_wire::{CallHead, Reply, compress, format};
pub(super) use runtime::{start_driver, timer_at};
use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// A call: set options, then await it. Nothing is sent before it is first polled; dropping it gives
/// the call up.
///
/// ```ignore
/// let reply = arith.mul(args).deadline(Duration::from_millis(200)).meta("tenant", "blue").await?;
/// ```
#[must_use = "a call does nothing unless it is awaited"]
pub struct Call<Req, Resp> {
    pub(super) raw: Raw<Req>,
    response: PhantomData<fn() -> Resp>,
}

/// A call whose reply comes with its metadata.
#[must_use = "a call does nothing unless it is awaited"]
pub struct CallMeta<Req, Resp>(Call<Req, Resp>);

/// A call that wants no reply: ready when it is on its way.
#[must_use = "a call does nothing unless it is awaited"]
pub struct Oneway<Req>(pub(super) Raw<Req>);

/// Which method a call goes to.
pub(crate) enum To {
    Static(&'static MethodInfo),
    Named(Arc<(String, String)>),
}

impl To {
    pub(super) fn info(&self) -> Option<&'static MethodInfo> {
        match self {
            To::Static(info) => Some(info),
            To::Named(_) => None,
        }
    }

    #[inline]
    pub(super) fn names(&self) -> (&str, &str) {
        match self {
            To::Static(info) => (info.service, info.name),
            To::Named(names) => (names.0.as_str(), names.1.as_str()),
        }
    }
}

/// A call, without the type of its reply.
pub(super) struct Raw<Req> {
    pub(super) client: Client,
    /// The client's own handle, where the call has gone on to one of its connections.
    pub(super) front: Option<Arc<Handle>>,
    pub(super) to: To,
    pub(super) request: Req,
    /// The call's own metadata, the client's included; `None`: only the client's.
    pub(super) meta: Option<Vec<(String, String)>>,
    pub(super) oneway: bool,
    /// The bodies are bytes that are encoded already.
    raw: bool,
    pub(super) deadline: Option<Instant>,
    pub(super) stage: Stage,
    /// The attempts that have failed.
    pub(super) tries: Option<Box<Tries>>,
}

pub(super) enum Stage {
    Fresh,
    /// Waits for a connection or for room.
    Queued {
        queued: Queued,
        timer: Timer,
    },
    /// Stands in line for a connection of its own, or waits for any address to open.
    InLine {
        place: Place,
        /// The attempts to connect that had failed when it began to wait, at all addresses.
        since: u64,
        timer: Timer,
    },
    Waiting(SlotId),
    /// In the hands of plugins or interceptors.
    Hooked(Box<Hooked>),
    Over,
}

pub(super) type Timer = Option<Pin<Box<Sleep>>>;

impl Stage {
    #[cold]
    fn take_timer(&mut self) -> Timer {
        match std::mem::replace(self, Stage::Over) {
            Stage::Queued { timer, .. } => timer,
            _ => None,
        }
    }
}

impl<Req, Resp> Call<Req, Resp> {
    pub(crate) fn new(client: Client, to: To, request: Req) -> Call<Req, Resp> {
        Call { raw: Raw::new(client, to, request), response: PhantomData }
    }

    /// Gives the call this long; the server is told. Default: the client's, 10 s.
    pub fn deadline(mut self, time: Duration) -> Self {
        self.raw.client.defaults.timeout = Some(time);
        self
    }

    /// Lets the call wait for ever, and tells the server nothing.
    pub fn no_deadline(mut self) -> Self {
        self.raw.client.defaults.timeout = None;
        self
    }

    /// Sends metadata along.
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.raw.own_meta().push((key.into(), value.into()));
        self
    }

    /// The call's own metadata, the client's included.
    pub(super) fn own_meta(&mut self) -> &mut Vec<(String, String)> {
        self.raw.own_meta()
    }

    /// The bodies are bytes as they are, whatever the format says of them.
    pub(super) fn in_bytes(mut self) -> Self {
        self.raw.raw = true;
        self
    }

    pub(super) fn client(&self) -> &Client {
        &self.raw.client
    }

    /// Encodes the body this way.
    pub fn format(mut self, format: Format) -> Self {
        self.raw.client.defaults.format = format;
        self
    }

    /// Compresses the body this way, if it is worth it.
    pub fn compress(mut self, compress: Compress) -> Self {
        self.raw.client.defaults.compress = compress;
        self
    }

    /// Awaits the reply and its metadata: `let (reply, meta) = call.with_meta().await?`.
    pub fn with_meta(self) -> CallMeta<Req, Resp> {
        CallMeta(self)
    }

    /// Wants no reply: the server runs the call and answers nothing, not even an error.
    pub fn oneway(self) -> Oneway<Req> {
        let mut raw = self.raw;
        raw.oneway = true;
        Oneway(raw)
    }
}

impl<Req: Put, Resp: Take> Future for Call<Req, Resp> {
    type Output = Result<Resp, Status>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let raw = &mut self.get_mut().raw;
        raw.poll_as(cx, Raw::decode)
    }
}

impl<Req: Put, Resp: Take> Future for CallMeta<Req, Resp> {
    type Output = Result<(Resp, Meta), Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let raw = &mut self.get_mut().0.raw;
        raw.poll_as(cx, |raw, reply| {
            let meta = reply.meta.clone();
            Ok((raw.decode(reply)?, meta))
        })
    }
}

impl<Req: Put> Future for Oneway<Req> {
    type Output = Result<(), Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll_sent(cx)
    }
}

// Nothing in a call is pinned: the request is only read, and a timer has a box of its own.
impl<Req, Resp> Unpin for Call<Req, Resp> {}
impl<Req, Resp> Unpin for CallMeta<Req, Resp> {}
impl<Req> Unpin for Oneway<Req> {}

impl<Req> Raw<Req> {
    pub(super) fn new(client: Client, to: To, request: Req) -> Raw<Req> {
        Raw {
            client,
            front: None,
            to,
            request,
            meta: None,
            oneway: false,
            raw: false,
            deadline: None,
            stage: Stage::Fresh,
            tries: None,
        }
    }

    /// How bodies of this format are written and read here. Gob is no bytes: it stays what it is.
    #[inline]
    pub(super) fn encoding(&self, format: Format) -> Format {
        if self.raw && format != Format::Gob { Format::Raw } else { format }
    }

    /// The call's own metadata, the client's included.
    pub(super) fn own_meta(&mut self) -> &mut Vec<(String, String)> {
        let Raw { client, meta, .. } = self;
        let common = || client.defaults.meta.as_deref().cloned().unwrap_or_default();
        meta.get_or_insert_with(common)
    }
}

impl<Req: Put> Raw<Req> {
    #[inline]
    pub(super) fn poll_as<T>(
        &mut self,
        cx: &mut Context<'_>,
        finish: impl FnOnce(&Raw<Req>, Reply) -> Result<T, Status>,
    ) -> Poll<Result<T, Status>> {
        loop {
            let Stage::Waiting(slot) = self.stage else {
                match self.start(cx, None) {
                    Ok(Stood::Hooked) => return self.poll_reply_hooked(cx, finish),
                    Ok(Stood::InLine) => return Poll::Pending,
                    // The reply cannot be here yet, and the slot keeps the waker.
                    Ok(Stood::Waiting(_) | Stood::Queued(_)) => return Poll::Pending,
                    Ok(Stood::Sent) => continue,
                    Err(status) => match self.failed(status) {
                        Ok(()) => continue,
                        Err(status) => return Poll::Ready(Err(status)),
                    },
                }
            };
            let Poll::Ready(result) = self.client.link().poll_reply(slot, cx.waker()) else {
                return Poll::Pending;
            };
            // Taking the result has freed the slot.
            self.stage = Stage::Over;
            if let Role::Lent(_) = self.client.handle.role
                && self.goes_on(&result)
            {
                continue;
            }
            let status = match result {
                Ok(Reply { error: Some(error), .. }) => error,
                Ok(reply) => return Poll::Ready(finish(self, reply)),
                Err(status) => status,
            };
            if let Err(status) = self.failed(status) {
                return Poll::Ready(Err(status));
            }
        }
    }

    pub(super) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        loop {
            let status = match self.start(cx, None) {
                Ok(Stood::Queued(_) | Stood::InLine) => return Poll::Pending,
                Ok(Stood::Hooked) => return self.poll_sent_hooked(cx),
                Ok(stood) => {
                    self.stage = Stage::Over;
                    if let Stood::Waiting(slot) = stood {
                        self.see_off(slot);
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(status) => status,
            };
            if let Err(status) = self.failed(status) {
                return Poll::Ready(Err(status));
            }
        }
    }

    /// One try to get the call into the connection's output.
    #[inline]
    pub(super) fn start(
        &mut self,
        cx: &mut Context<'_>,
        opening: Option<&Opening>,
    ) -> Result<Stood, Status> {
        if self.client.defaults.minds && self.minds() {
            return Ok(Stood::Hooked);
        }
        if !matches!(self.client.handle.role, Role::Alone | Role::Lent(_)) && !self.board(cx)? {
            return Ok(Stood::InLine);
        }
        let queued = match &mut self.stage {
            Stage::Fresh => {
                self.deadline = self.client.defaults.timeout.map(|t| after(Instant::now(), t));
                None
            }
            Stage::Queued { queued, timer } => {
                if timer.as_mut().is_some_and(|t| t.as_mut().poll(cx).is_ready()) {
                    let text = "no connection, or no room on it, before the deadline";
                    return Err(Status::deadline_exceeded(text));
                }
                Some(*queued)
            }
            Stage::InLine { .. } | Stage::Waiting(_) | Stage::Hooked(_) | Stage::Over => {
                return Err(Status::internal("a call was polled after it was ready"));
            }
        };
        let Client { handle, defaults } = &self.client;
        let link = &*handle.link;
        if link.claim_driver() {
            start_driver(&handle.link)?;
        }
        let (service, method) = self.to.names();
        let meta = self.meta.as_deref().or(defaults.meta.as_deref().map(Vec::as_slice));
        let head = CallHead {
            seq: 0,
            service: defaults.service.as_deref().unwrap_or(service),
            method,
            format: defaults.format,
            compress: defaults.compress,
            oneway: self.oneway,
            timeout: match (&queued, self.deadline) {
                (None, _) => defaults.timeout,
                (_, at) => at.map(|at| at.saturating_duration_since(Instant::now())),
            },
            meta: meta.unwrap_or_default(),
            shape: &Req::SHAPE,
            streams: opening.map_or_else(Streams::default, |opening| opening.streams),
        };
        check(&head, &link.limits)?;
        if let Some(opening) = opening {
            opening.check(link, &head)?;
        }
        if link.plain || head.format == Format::Gob {
            fits(link, &head)?;
        }
        let items = opening.is_some_and(|opening| opening.streams.inbound);
        let stream = opening.and_then(|opening| opening.pipe.as_ref());
        let request = Request { head, deadline: self.deadline, stream };
        let (value, format) = (&self.request, self.encoding(defaults.format));
        // From here on the link has the place in the line, and gives one back if the call must
        // wait.
        let timer = if queued.is_some() { self.stage.take_timer() } else { None };
        let started = link.start(request, cx.waker(), queued, |out| {
            if items {
                return Ok(());
            }
            format::encode(format, value, link.bounds, out).or_else(|fault| {
                // A format of the user's own is asked for only where none is built in.
                let own =
                    link.joins.inbox.codec(format).map(|codec| codec.put(value, link.bounds, out));
                own.unwrap_or(Err(fault)).map_err(|fault| {
                    let text = format!("the {format} argument cannot be written: {fault}");
                    Status::invalid_argument(text)
                })
            })
        })?;
        match started {
            Stood::Waiting(slot) => self.stage = Stage::Waiting(slot),
            Stood::Queued(queued) => return self.queue(queued, timer, cx, opening.is_some()),
            Stood::Sent | Stood::InLine | Stood::Hooked => {}
        }
        Ok(started)
    }

    #[cold]
    fn queue(
        &mut self,
        queued: Queued,
        timer: Timer,
        cx: &mut Context<'_>,
        streams: bool,
    ) -> Result<Stood, Status> {
        if !streams && self.pick_again() {
            self.client.link().leave(queued);
            self.go_back();
            cx.waker().wake_by_ref();
            return Ok(Stood::InLine);
        }
        let set = timer.is_some();
        self.stage = Stage::Queued { queued, timer };
        let Some(at) = self.deadline.filter(|_| !set) else { return Ok(Stood::Queued(queued)) };
        let timer = Some(timer_at(at, cx)?);
        self.stage = Stage::Queued { queued, timer };
        Ok(Stood::Queued(queued))
    }
}

impl<Req> Raw<Req> {
    #[inline]
    pub(super) fn decode<Resp: Take>(&self, reply: Reply) -> Result<Resp, Status> {
        let Link { limits, bounds, .. } = self.client.link();
        let Reply { format, compress, body, .. } = reply;
        let Body { bytes, lent } = body;
        let bytes = match compress {
            Compress::Other(_) => self.client.link().joins.inbox.unfold(compress, bytes),
            _ => compress::unfold(compress, bytes, limits.unfolded_bytes),
        };
        let bytes = bytes.map_err(|e| self.unreadable(e.code(Code::Internal), &e))?;
        let encoding = self.encoding(format);
        format::decode(encoding, &bytes, lent.as_ref(), *bounds).or_else(|fault| {
            let codec = self.client.link().joins.inbox.codec(encoding);
            let own = codec.map(|codec| codec.take(&bytes, *bounds));
            own.unwrap_or(Err(fault)).map_err(|fault| {
                let why = format_args!("the {format} reply cannot be read: {fault}");
                self.unreadable(Code::Internal, &why)
            })
        })
    }

    #[cold]
    fn unreadable(&self, code: Code, why: &dyn fmt::Display) -> Status {
        self.client.link().place(Status::new(code, why.to_string()).with_sent(Sent::Yes))
    }

    #[cold]
    pub(super) fn end(&mut self, status: Status) -> Status {
        self.leave();
        let status = self.client.link().place(status);
        self.told(status)
    }

    /// Gives back what the call holds: its place in the line, or its slot.
    pub(super) fn leave(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Waiting(slot) => self.client.link().abandon(slot),
            Stage::Queued { queued, .. } => self.client.link().leave(queued),
            Stage::InLine { place, .. } => self.leave_line(place),
            Stage::Hooked(hooked) => self.leave_hooked(*hooked),
            Stage::Fresh | Stage::Over => {}
        }
    }
}

impl<Req> Drop for Raw<Req> {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Over) {
            self.leave();
        }
    }
}

impl<Req, Resp> fmt::Debug for Call<Req, Resp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Call")
    }
}

impl<Req, Resp> fmt::Debug for CallMeta<Req, Resp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallMeta")
    }
}

impl<Req> fmt::Debug for Oneway<Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Oneway")
    }
}
