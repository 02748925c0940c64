//! A call is a builder and a future at once.

use super::{
    Client,
    driver::drive,
    link::{Link, Request, Started},
    slots::SlotId,
};
use crate::server::MethodInfo;
use farcall_core::{Body, Compress, Format, Meta, Put, Sent, Status, Take};
use farcall_wire::{CallHead, Reply, compress, format};
use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// A call: set options, then await it. Nothing is sent before it is first polled; dropping it gives
/// the call up.
///
/// ```ignore
/// let reply = arith.mul(args).deadline(Duration::from_millis(200)).meta("tenant", "blue").await?;
/// ```
#[must_use = "a call does nothing unless it is awaited"]
pub struct Call<Req, Resp> {
    raw: Raw<Req>,
    response: PhantomData<fn() -> Resp>,
}

/// A call whose reply comes with its metadata.
#[must_use = "a call does nothing unless it is awaited"]
pub struct CallMeta<Req, Resp>(Call<Req, Resp>);

/// A call that wants no reply: ready when it is on its way.
#[must_use = "a call does nothing unless it is awaited"]
pub struct Oneway<Req>(Raw<Req>);

/// Which method a call goes to.
pub(crate) enum To {
    Static(&'static MethodInfo),
    Named(Arc<(String, String)>),
}

/// A call, without the type of its reply.
struct Raw<Req> {
    client: Client,
    to: To,
    request: Req,
    /// The call's own metadata, the client's included; `None`: only the client's.
    meta: Option<Vec<(String, String)>>,
    oneway: bool,
    deadline: Option<Instant>,
    stage: Stage,
}

enum Stage {
    Fresh,
    /// Waits for a connection or for room.
    Queued {
        failures: u64,
        timer: Option<Pin<Box<Sleep>>>,
    },
    Waiting(SlotId),
    Over,
}

impl<Req, Resp> Call<Req, Resp> {
    pub(crate) fn new(client: Client, to: To, request: Req) -> Call<Req, Resp> {
        let raw = Raw {
            client,
            to,
            request,
            meta: None,
            oneway: false,
            deadline: None,
            stage: Stage::Fresh,
        };
        Call { raw, response: PhantomData }
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
        let Raw { client, meta, .. } = &mut self.raw;
        let common = || client.defaults.meta.as_deref().cloned().unwrap_or_default();
        meta.get_or_insert_with(common).push((key.into(), value.into()));
        self
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
        raw.poll_reply(cx).map(|reply| raw.decode(reply?))
    }
}

impl<Req: Put, Resp: Take> Future for CallMeta<Req, Resp> {
    type Output = Result<(Resp, Meta), Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let raw = &mut self.get_mut().0.raw;
        raw.poll_reply(cx).map(|reply| {
            let reply = reply?;
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

impl<Req: Put> Raw<Req> {
    #[inline]
    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Result<Reply, Status>> {
        loop {
            let Stage::Waiting(slot) = self.stage else {
                match self.start(cx) {
                    // The reply cannot be here yet, and the slot keeps the waker.
                    Ok(Started::Waiting(_)) | Ok(Started::Queued) => return Poll::Pending,
                    Ok(Started::Sent) => continue,
                    Err(status) => return Poll::Ready(Err(self.end(status))),
                }
            };
            let Poll::Ready(result) = self.client.link().poll_reply(slot, cx.waker()) else {
                return Poll::Pending;
            };
            self.stage = Stage::Over;
            return Poll::Ready(match result {
                Ok(Reply { error: Some(error), .. }) => Err(self.end(error)),
                Ok(reply) => Ok(reply),
                Err(status) => Err(self.end(status)),
            });
        }
    }

    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        match self.start(cx) {
            Ok(Started::Queued) => Poll::Pending,
            Ok(_) => {
                self.stage = Stage::Over;
                Poll::Ready(Ok(()))
            }
            Err(status) => Poll::Ready(Err(self.end(status))),
        }
    }

    /// One try to get the call into the connection's output.
    #[inline]
    fn start(&mut self, cx: &mut Context<'_>) -> Result<Started, Status> {
        let failures = match &mut self.stage {
            Stage::Fresh => {
                self.deadline = self.client.defaults.timeout.map(|time| Instant::now() + time);
                None
            }
            Stage::Queued { failures, timer } => {
                if timer.as_mut().is_some_and(|t| t.as_mut().poll(cx).is_ready()) {
                    let text = "no connection, or no room on it, before the deadline";
                    return Err(Status::deadline_exceeded(text));
                }
                Some(*failures)
            }
            Stage::Waiting(_) | Stage::Over => {
                return Err(Status::internal("a call was polled after it was ready"));
            }
        };
        let Client { handle, defaults } = &self.client;
        let link = &*handle.link;
        if link.claim_driver() {
            handle.start_driver()?;
        }
        let (service, method) = match &self.to {
            To::Static(info) => (info.service, info.name),
            To::Named(names) => (names.0.as_str(), names.1.as_str()),
        };
        let meta = self.meta.as_deref().or(defaults.meta.as_deref().map(Vec::as_slice));
        let head = CallHead {
            seq: 0,
            service: defaults.service.as_deref().unwrap_or(service),
            method,
            format: defaults.format,
            compress: defaults.compress,
            oneway: self.oneway,
            timeout: match (failures, self.deadline) {
                (None, _) => defaults.timeout,
                (_, at) => at.map(|at| at.saturating_duration_since(Instant::now())),
            },
            meta: meta.unwrap_or_default(),
            shape: &Req::SHAPE,
        };
        if link.plain {
            fits(link, &head)?;
        }
        let request = Request { head, deadline: self.deadline };
        let (value, format) = (&self.request, defaults.format);
        let most = link.limits.message_bytes;
        let started = link.start(request, cx.waker(), failures, |out| {
            let before = out.len();
            format::encode(format, value, link.bounds, out).map_err(|fault| {
                let text = format!("the {format} argument cannot be written: {fault}");
                Status::invalid_argument(text)
            })?;
            match out.len() - before {
                length if length > most => Err(too_long(length, most)),
                _ => Ok(()),
            }
        })?;
        match started {
            Started::Waiting(slot) => self.stage = Stage::Waiting(slot),
            Started::Queued if failures.is_none() => self.queue(cx),
            Started::Queued | Started::Sent => {}
        }
        Ok(started)
    }

    #[cold]
    fn queue(&mut self, cx: &mut Context<'_>) {
        let failures = self.client.link().failures();
        let mut timer = self.deadline.map(|at| Box::pin(sleep_until(at)));
        if let Some(timer) = &mut timer
            && timer.as_mut().poll(cx).is_ready()
        {
            cx.waker().wake_by_ref();
        }
        self.stage = Stage::Queued { failures, timer };
    }
}

impl<Req> Raw<Req> {
    #[inline]
    fn decode<Resp: Take>(&self, reply: Reply) -> Result<Resp, Status> {
        let Link { limits, bounds, .. } = self.client.link();
        let Reply { format, compress, body, .. } = reply;
        let Body { bytes, lent } = body;
        let bytes = compress::unfold(compress, bytes, limits.unfolded_bytes)
            .map_err(|e| self.unreadable(&e))?;
        format::decode(format, &bytes, lent.as_ref(), *bounds).map_err(|fault| {
            self.unreadable(&format_args!("the {format} reply cannot be read: {fault}"))
        })
    }

    #[cold]
    fn unreadable(&self, why: &dyn fmt::Display) -> Status {
        self.client.link().place(Status::internal(why.to_string()).with_sent(Sent::Yes))
    }

    #[cold]
    fn end(&mut self, status: Status) -> Status {
        self.stage = Stage::Over;
        self.client.link().place(status).with_attempts(1)
    }
}

/// Whether a protocol without metadata can carry the call; what it cannot is named.
fn fits(link: &Link, head: &CallHead<'_>) -> Result<(), Status> {
    let protocol = link.target.protocol;
    let what = match head {
        CallHead { meta: [(key, _), ..], .. } => format!("metadata (`{key}`)"),
        CallHead { compress: Compress::None, format, .. } => match protocol.default_format() {
            default if default == *format => return Ok(()),
            default => format!("bodies in {format}, only in {default}"),
        },
        CallHead { compress, .. } => format!("compressed bodies ({compress})"),
    };
    Err(Status::invalid_argument(format!("{} does not carry {what}", protocol.name())))
}

#[cold]
fn too_long(length: usize, most: usize) -> Status {
    Status::resource_exhausted(format!(
        "the argument has {length} bytes; the limit is {most} (Limits::message_bytes)"
    ))
}

impl<Req> Drop for Raw<Req> {
    fn drop(&mut self) {
        if let Stage::Waiting(slot) = self.stage {
            self.client.link().abandon(slot);
        }
    }
}

impl super::Handle {
    #[cold]
    pub(super) fn start_driver(&self) -> Result<(), Status> {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return Err(Status::failed_precondition("a call was polled outside a tokio runtime"));
        };
        if let Some(connector) = self.take_connector() {
            runtime.spawn(drive(Arc::clone(&self.link), connector));
        }
        Ok(())
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
