//! Calls that belong to something: to the call that a handler serves, to a trace, to a span.

use super::{Call, Raw, To};
use crate::{
    observe::{
        TraceContext,
        trace::{TRACEPARENT, TRACESTATE, span},
    },
    server::Cx,
};
use farcall_core::{Put, Status, Take};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tracing::Span;

impl<Req, Resp> Call<Req, Resp> {
    /// Makes the call for the sake of the one that a handler serves: it ends no later, and belongs
    /// to the same trace, if there is one ([`Server::traced`](crate::Server::traced)). A protocol
    /// without metadata carries no trace.
    pub fn within(mut self, cx: &Cx) -> Self {
        let timeout = &mut self.raw.client.defaults.timeout;
        if let Some(left) = cx.remaining() {
            *timeout = Some(timeout.map_or(left, |own| own.min(left)));
        }
        if let Some(context) = cx.trace() {
            self.raw.put(&context.child());
        }
        self
    }

    /// Makes the call a step of a trace: of the one that [`within`](Call::within) named, or of a
    /// new one. It runs in a span of the crate `tracing`, where somebody subscribes to the level
    /// `INFO`; how it ended is noted there.
    pub fn traced(self) -> TracedCall<Req, Resp> {
        TracedCall { call: self, span: None }
    }
}

impl<Req> Raw<Req> {
    /// Sends it along, where there is a place for it, in the place of what was there.
    fn put(&mut self, context: &TraceContext) {
        if !self.client.target().protocol.carries_meta() {
            return;
        }
        let meta = self.own_meta();
        meta.retain(|(key, _)| key != TRACEPARENT && key != TRACESTATE);
        meta.push((TRACEPARENT.to_owned(), context.traceparent()));
        if let Some(state) = context.tracestate() {
            meta.push((TRACESTATE.to_owned(), state.to_owned()));
        }
    }

    /// What is sent along, or a new trace that is from now on.
    fn context(&mut self) -> TraceContext {
        let sent = |name: &str| {
            let meta = self.meta.as_ref().or(self.client.defaults.meta.as_deref())?;
            meta.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
        };
        let named = sent(TRACEPARENT).and_then(|it| TraceContext::parse(it, sent(TRACESTATE)));
        named.unwrap_or_else(|| {
            let new = TraceContext::new();
            self.put(&new);
            new
        })
    }

    /// The span of this call.
    fn span(&mut self) -> Span {
        let context = self.context();
        let (service, method) = match &self.to {
            To::Static(info) => (info.service, info.name),
            To::Named(names) => (names.0.as_str(), names.1.as_str()),
        };
        let target = self.client.target();
        let service = self.client.defaults.service.as_deref().unwrap_or(service);
        span::of_client(&context, (service, method), target.protocol.name(), &target.address)
    }
}

/// A call in a span of its own. See [`Call::traced`].
#[must_use = "a call does nothing unless it is awaited"]
pub struct TracedCall<Req, Resp> {
    call: Call<Req, Resp>,
    /// From the first poll on.
    span: Option<Span>,
}

impl<Req: Put, Resp: Take> Future for TracedCall<Req, Resp> {
    type Output = Result<Resp, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let TracedCall { call, span } = self.get_mut();
        let span = span.get_or_insert_with(|| call.raw.span());
        let result = ready!(span.in_scope(|| Pin::new(&mut *call).poll(cx)));
        span::end(span, result.as_ref().err(), false);
        Poll::Ready(result)
    }
}

impl<Req, Resp> fmt::Debug for TracedCall<Req, Resp> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TracedCall")
    }
}
