//! Spans of `tracing`: one for a call on the server, one on the client. Where nobody subscribes
//! they are nothing, and their fields are not made.

use super::TraceContext;
use crate::server::Cx;
use farcall_core::{Code, Status};
use tracing::{Span, field::Empty, info_span};

/// A call on a server: its number, and the span that its handler runs in.
pub(crate) struct Traced {
    pub(crate) context: TraceContext,
    pub(crate) span: Span,
}

impl Traced {
    /// Of a call that has just come.
    pub(crate) fn new(cx: &Cx) -> Traced {
        let context = TraceContext::of(&cx.meta);
        // Names of methods that do not exist are the caller's invention, and may hold anything.
        let (service, method) = match cx.unknown() {
            Some(_) => ("unknown", "unknown"),
            None => (cx.service(), cx.method()),
        };
        // The connection's task may have been spawned in a span that has nothing to do with it.
        let span = info_span!(
            parent: None,
            "call",
            otel.name = format_args!("{service}/{method}"),
            otel.kind = "server",
            otel.status_code = Empty,
            rpc.system = "farcall",
            rpc.service = service,
            rpc.method = method,
            peer = %cx.peer(),
            protocol = cx.protocol(),
            trace_id = context.trace_id(),
            span_id = context.span_id(),
            parent_id = context.parent_id(),
            status = Empty,
        );
        Traced { context, span }
    }
}

/// A call on a client, below whatever span calls.
pub(crate) fn of_client(
    context: &TraceContext,
    (service, method): (&str, &str),
    protocol: &str,
    peer: &dyn std::fmt::Display,
) -> Span {
    info_span!(
        "call",
        otel.name = format_args!("{service}/{method}"),
        otel.kind = "client",
        otel.status_code = Empty,
        rpc.system = "farcall",
        rpc.service = service,
        rpc.method = method,
        peer = %peer,
        protocol,
        trace_id = context.trace_id(),
        span_id = context.span_id(),
        parent_id = context.parent_id(),
        status = Empty,
    )
}

/// Notes how a call ended.
pub(crate) fn end(span: &Span, status: Option<&Status>, server: bool) {
    if span.is_disabled() {
        return;
    }
    let Some(status) = status else {
        span.record("status", "ok");
        return;
    };
    let code = status.code();
    span.record("status", code.name());
    // What the caller did wrong is no error of the server's (OpenTelemetry's conventions for RPC).
    let own = matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    );
    if own || !server {
        span.record("otel.status_code", "ERROR");
    }
}
