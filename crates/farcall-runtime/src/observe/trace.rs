//! Where a call stands in a trace: W3C Trace Context, level 1 (Recommendation of 6 February 2020).
//!
//! A header that is not exactly as the specification wants it starts a new trace and never fails
//! the call: it is about the call, and not part of it.

pub(crate) mod span;
mod state;

#[cfg(test)]
mod tests;

use farcall_core::Meta;
use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hasher},
};

/// The names of both headers; over every protocol that has metadata they are called so.
pub(crate) const TRACEPARENT: &str = "traceparent";
pub(crate) const TRACESTATE: &str = "tracestate";

/// Bytes of a `traceparent` of version 00.
const BYTES: usize = 55;

/// Where a call stands in a trace (W3C Trace Context, level 1): the trace's number, the call's own,
/// that of what called, and what tracing systems want to be handed on.
///
/// On a server that is [`traced`](crate::Server::traced), [`Cx::trace`](crate::Cx::trace) is the
/// call's; [`Call::within`](crate::Call::within) sends it along with further calls.
#[derive(Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    parent: Option<u64>,
    flags: u8,
    state: Option<Box<str>>,
}

/// The caller wants the trace to be recorded.
const SAMPLED: u8 = 1;

impl TraceContext {
    /// A trace that begins here. It is marked as recorded, so that servers that are called decide
    /// for it as they do for traces of their own.
    pub fn new() -> TraceContext {
        let trace = (u128::from(random()) << 64) | u128::from(random());
        TraceContext { trace, span: random(), parent: None, flags: SAMPLED, state: None }
    }

    /// What these headers say, for the one who sent them: `span_id` is the sender's. None if
    /// `traceparent` is not as §3.2 wants it; a `tracestate` that is not as §3.3 wants it, or has
    /// more than 512 bytes or 32 members, is left out.
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<TraceContext> {
        let text = traceparent.as_bytes();
        let (head, more) = text.split_at_checked(BYTES)?;
        let dashes = [2, 35, 52].iter().all(|at| head[*at] == b'-');
        let version = hex(&head[..2])?;
        // A version that is not known may say more behind what this one says (§3.2.2.1).
        let more = more.is_empty() || version > 0 && more[0] == b'-';
        if !dashes || version == 0xff || !more {
            return None;
        }
        let (trace, span) = (hex(&head[3..35])?, hex(&head[36..52])? as u64);
        if trace == 0 || span == 0 {
            return None;
        }
        // Flags that this version does not know are not handed on (§3.2.2.3.2).
        let flags = hex(&head[53..])? as u8 & SAMPLED;
        let state = tracestate.filter(|state| !state.is_empty()).and_then(state::checked);
        Some(TraceContext { trace, span, parent: None, flags, state })
    }

    /// One step further in the same trace.
    #[must_use]
    pub fn child(&self) -> TraceContext {
        TraceContext { span: random(), parent: Some(self.span), ..self.clone() }
    }

    /// A call that came with this metadata: one step further than its caller's, or a new trace.
    pub(crate) fn of(meta: &Meta) -> TraceContext {
        if meta.is_empty() {
            return TraceContext::new();
        }
        let parent = meta.only(TRACEPARENT).and_then(|text| std::str::from_utf8(text).ok());
        let Some(parent) = parent else { return TraceContext::new() };
        let state = meta.only(TRACESTATE).and_then(|text| std::str::from_utf8(text).ok());
        let came = match state {
            Some(state) => TraceContext::parse(parent, Some(state)),
            // It may come in several fields, which belong together in their order (§3.3.1.1).
            None if meta.get_bytes(TRACESTATE).is_some() => {
                let pairs = meta.pairs().into_iter().filter(|(key, _)| key == TRACESTATE);
                let state: Vec<_> = pairs.map(|(_, state)| state).collect();
                TraceContext::parse(parent, Some(&state.join(",")))
            }
            None => TraceContext::parse(parent, None),
        };
        came.map_or_else(TraceContext::new, |came| came.child())
    }

    /// The trace's number, as 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }

    /// The call's own number, as 16 hexadecimal digits.
    pub fn span_id(&self) -> String {
        format!("{:016x}", self.span)
    }

    /// The number of what called; none where the trace began.
    pub fn parent_id(&self) -> Option<String> {
        self.parent.map(|parent| format!("{parent:016x}"))
    }

    /// Whether the trace is to be recorded.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The header that says so.
    pub fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }

    /// What tracing systems want to be handed on, if anything.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

impl Default for TraceContext {
    fn default() -> TraceContext {
        TraceContext::new()
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TraceContext").field(&self.traceparent()).finish()
    }
}

/// A number of lower-case hexadecimal digits, at most 32.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

/// A random number that is not 0. Numbers of traces must not meet by chance; nobody is kept from
/// guessing them.
fn random() -> u64 {
    RandomState::new().build_hasher().finish().max(1)
}
