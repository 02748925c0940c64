//! Whether the server still lives: it is asked where calls wait and nothing comes.
//!
//! A server that hangs keeps its connections: only silence tells. Where calls wait, a heartbeat is
//! sent after `Limits::ping_every` of it; where `Limits::hung_calls` have run into their deadlines
//! in it, one is sent at once. Protocols without heartbeats are asked in the second case alone, by
//! a call of a method that nobody has: whoever answers that it is not there, answers. So a server
//! whose methods are slow is not taken for one that hangs.
//!
//! Who says nothing to that either has its connection closed. Before the next one is given calls it
//! is asked once more; without heartbeats only where another address can take them meanwhile.
//!
//! Where the client has other addresses, they are given the calls long before that: a heartbeat is
//! sent at the first look without a byte, and where there is no answer at the next one either, or
//! calls have run into their deadlines, the connection is in doubt until something comes. Calls on
//! it stay and are waited for as ever.
//!
//! The clock is read a few times per `ping_every` and never for a message; nothing is sent where no
//! call waits. Connections that carry one call at a time are judged by their address: see
//! `aside.rs`.

use super::{aside::Doubt, link::Link, state::State};
use crate::clock::{Alarm, after, together};
use farcall_core::{Bounds, Compress, Limits, Shaped, Status, Streams};
use farcall_wire::{CallHead, Control, Head, format};
use std::{
    task::{Context, Poll},
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// Looks per `Limits::ping_every`, while calls wait.
const LOOKS: u32 = 4;

/// An idle connection is looked at after so many times `Limits::ping_every` at most.
const IDLE: u32 = 3;

/// A method that nobody has.
const NOBODYS: (&str, &str) = ("farcall", "alive");

/// The time between two looks.
pub(super) fn look(limits: &Limits) -> Duration {
    limits.ping_every / LOOKS
}

/// What a driver knows of its server's life.
#[derive(Default)]
pub(super) struct Pulse {
    /// Bytes have come since the last look.
    pub(super) heard: bool,
    /// The next bytes are waited for: see [`spoke`](Pulse::spoke).
    pub(super) waited_for: bool,
    /// The connection takes no calls before the server has said something.
    pub(super) proving: bool,
    /// While the connection is in doubt.
    doubt: Option<Doubt>,
    /// Looks without a byte.
    quiet: u32,
    /// Calls that ran into their deadlines since anything was heard.
    missed: u32,
    asked: Option<Asked>,
    /// Looks in a row at which no call waited.
    idle: u32,
    alarm: Alarm,
}

/// The server was asked whether it lives.
#[derive(Clone, Copy)]
struct Asked {
    /// Where in the output the question ends, and how much was written when it was looked at.
    end: u64,
    written: u64,
    /// When a server that said nothing hangs.
    until: Instant,
}

impl Pulse {
    /// Begins to listen. Where the server must prove itself, it is asked at once.
    pub(super) fn begin(&mut self, link: &Link, prove: bool) {
        let elsewhere = link.joins.health.is_some();
        let time = link.limits.ping_time;
        self.proving =
            prove && (self.ask(link, time, beat) || elsewhere && self.ask(link, time, call));
        self.waited_for = self.proving;
        self.idle = 1;
        self.set(link);
    }

    /// Asks the server, and gives it this long; false where this way to ask writes nothing.
    fn ask(&mut self, link: &Link, time: Duration, by: fn(&Link, &mut State)) -> bool {
        let Some((written, end)) = ask(link, by) else { return false };
        self.asked = Some(Asked { end, written, until: after(Instant::now(), time) });
        true
    }

    fn set(&mut self, link: &Link) {
        let now = Instant::now();
        let next = match self.idle {
            0 => after(now, look(&link.limits)),
            // Who has nothing to wait for looks seldom, and with all others who have: thousands of
            // idle connections wake nobody thousands of times.
            looks => together(after(now, link.limits.ping_every.saturating_mul(looks.min(IDLE)))),
        };
        let at = match self.asked {
            Some(asked) if self.may_doubt(link) => asked.until.min(next),
            Some(asked) => asked.until,
            None => next,
        };
        // A timer that always rings would never let anything else run.
        self.alarm.set(at.max(after(now, Duration::from_millis(1))));
    }

    /// Ready when the server does not answer.
    #[inline]
    pub(super) fn poll(&mut self, link: &Link, cx: &mut Context<'_>) -> Poll<Status> {
        match self.alarm.poll(cx) {
            Poll::Ready(()) => self.look(link, cx),
            Poll::Pending => Poll::Pending,
        }
    }

    #[cold]
    fn look(&mut self, link: &Link, cx: &mut Context<'_>) -> Poll<Status> {
        let heard = std::mem::take(&mut self.heard);
        if heard {
            self.hear();
        } else if self.asked.is_some() {
            if self.hangs(link) {
                return Poll::Ready(Status::unavailable(match self.missed {
                    0 => "the server hangs: no answer to a heartbeat (Limits::ping_time)",
                    _ => "the server hangs: nothing but silence (Limits::hung_calls, hung_time)",
                }));
            }
            self.doubt(link);
        } else {
            self.quiet = self.quiet.saturating_add(if self.idle > 0 { LOOKS } else { 1 });
        }
        let idle = link.lock().slots.all_free();
        self.idle = if idle { self.idle.saturating_add(1) } else { 0 };
        let early = link.joins.health.is_some();
        let enough = if early { 1 } else { LOOKS };
        if !heard && self.asked.is_none() && self.quiet >= enough && !idle {
            // Who is asked early is not taken for dead any earlier.
            let left = LOOKS.saturating_sub(self.quiet);
            let time = link.limits.ping_time.saturating_add(look(&link.limits) * left);
            self.ask(link, time, beat);
        }
        self.set(link);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether the server has had its time. It has not as long as output moves that comes before
    /// the question.
    fn hangs(&mut self, link: &Link) -> bool {
        let Some(asked) = &mut self.asked else { return false };
        let now = Instant::now();
        let written = link.lock().written;
        if written < asked.end && written > asked.written {
            asked.until = asked.until.max(after(now, link.limits.ping_time));
        }
        asked.written = written;
        now >= asked.until
    }

    fn may_doubt(&self, link: &Link) -> bool {
        link.joins.health.is_some() && self.doubt.is_none() && !self.proving
    }

    fn doubt(&mut self, link: &Link) {
        if self.may_doubt(link) {
            self.doubt = Doubt::of(link);
            self.waited_for = self.doubt.is_some();
        }
    }

    fn hear(&mut self) {
        (self.asked, self.quiet, self.missed, self.doubt) = (None, 0, 0, None);
    }

    /// Bytes that were waited for have come.
    #[cold]
    pub(super) fn spoke(&mut self, link: &Link) {
        self.waited_for = false;
        self.hear();
        self.set(link);
        if std::mem::take(&mut self.proving) {
            link.heard();
            link.open();
        }
    }

    /// Calls of this connection have run into their deadlines: the server is asked, if there were
    /// enough of them.
    #[cold]
    pub(super) fn missed(&mut self, calls: u32, link: &Link) {
        if link.ordered {
            return;
        }
        if std::mem::take(&mut self.heard) {
            // While they waited, other answers came.
            return self.hear();
        }
        self.missed = self.missed.saturating_add(calls);
        let enough = link.limits.hung_calls > 0 && self.missed >= link.limits.hung_calls;
        if !enough {
            return;
        }
        let time = link.limits.hung_time.min(link.limits.ping_time);
        if let Some(asked) = &mut self.asked {
            asked.until = asked.until.min(after(Instant::now(), time));
        } else if !self.ask(link, time, beat) && !self.ask(link, time, call) {
            return;
        }
        self.doubt(link);
        self.set(link);
    }
}

/// Has the server say something: how much was written, and where the question ends. `None` where
/// this way to ask writes nothing.
fn ask(link: &Link, by: fn(&Link, &mut State)) -> Option<(u64, u64)> {
    let mut state = link.lock();
    let before = state.out.len();
    by(link, &mut state);
    let added = state.out.len() - before;
    state.appended += added as u64;
    state.flush_due |= added > 0;
    (added > 0).then_some((state.written, state.appended))
}

/// Writes a heartbeat, if the protocol has one.
fn beat(_: &Link, state: &mut State) {
    // No call has this number: the answer finds nobody.
    let seq = state.slots.oneway();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let token = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
    if let Some(wire) = state.wire.as_deref_mut() {
        wire.control(Control::Ping { seq, token }, &mut state.out);
    }
}

/// Writes a call that any server answers, and none runs.
fn call(link: &Link, state: &mut State) {
    let seq = state.slots.oneway();
    let Some(wire) = state.wire.as_deref_mut() else { return };
    let (service, method) = NOBODYS;
    let format = link.target.protocol.default_format();
    let head = CallHead {
        seq,
        service,
        method,
        format,
        compress: Compress::None,
        oneway: false,
        timeout: None,
        meta: &[],
        shape: &<()>::SHAPE,
        streams: Streams::default(),
    };
    let mark = wire.begin(Head::Call(head), &mut state.out);
    let bounds: Bounds = link.bounds;
    match format::encode(format, &(), bounds, state.out.tail()) {
        Ok(()) => wire.end(mark, &mut state.out),
        Err(_) => wire.abandon(mark, &mut state.out),
    }
}
