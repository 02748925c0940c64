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
//! The clock is read a few times per `ping_every` and never for a message; nothing is sent where no
//! call waits. Connections that carry one call at a time are judged by their address: see
//! `aside.rs`.

use super::{link::Link, state::State};
use crate::clock::{Alarm, after};
use farcall_core::{Bounds, Compress, Shaped, Status, Streams};
use farcall_wire::{CallHead, Control, Head, format};
use std::{
    task::{Context, Poll},
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// Looks per `Limits::ping_every`, while calls wait.
const LOOKS: u32 = 4;

/// A method that nobody has.
const NOBODYS: (&str, &str) = ("farcall", "alive");

/// What a driver knows of its server's life.
#[derive(Default)]
pub(super) struct Pulse {
    /// Bytes have come since the last look.
    pub(super) heard: bool,
    /// The connection takes no calls before the server has said something.
    pub(super) proving: bool,
    /// Looks without a byte.
    quiet: u32,
    /// Calls that ran into their deadlines since anything was heard.
    missed: u32,
    asked: bool,
    /// No call waited at the last look.
    idle: bool,
    alarm: Alarm,
}

impl Pulse {
    /// Begins to listen. Where the server must prove itself, it is asked at once.
    pub(super) fn begin(&mut self, link: &Link, prove: bool) {
        let elsewhere = link.joins.health.is_some();
        self.proving = prove && (ask(link, beat) || elsewhere && ask(link, call));
        self.asked = self.proving;
        self.idle = true;
        self.set(link);
    }

    fn set(&mut self, link: &Link) {
        let time = match (self.asked, self.idle) {
            (true, _) => link.limits.ping_time,
            (false, true) => link.limits.ping_every,
            (false, false) => link.limits.ping_every / LOOKS,
        };
        // A timer that always rings would never let anything else run.
        let time = time.max(Duration::from_millis(1));
        self.alarm.set(after(Instant::now(), time));
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
        } else if self.asked {
            return Poll::Ready(Status::unavailable(match self.missed {
                0 => "the server hangs: no answer to a heartbeat (Limits::ping_time)",
                _ => "the server hangs: nothing but silence (Limits::hung_calls, hung_time)",
            }));
        } else {
            self.quiet = self.quiet.saturating_add(if self.idle { LOOKS } else { 1 });
        }
        self.idle = link.lock().slots.all_free();
        if !heard && self.quiet >= LOOKS && !self.idle {
            self.asked = ask(link, beat);
        }
        self.set(link);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn hear(&mut self) {
        (self.asked, self.quiet, self.missed) = (false, 0, 0);
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
        let at = after(Instant::now(), time.max(Duration::from_millis(1)));
        let later = self.alarm.at().is_none_or(|alarm| alarm > at);
        if self.asked && later {
            self.alarm.set(at);
        } else if !self.asked && (ask(link, beat) || ask(link, call)) {
            self.asked = true;
            self.alarm.set(at);
        }
    }
}

/// Has the server say something; false where this way to ask writes nothing.
fn ask(link: &Link, by: fn(&Link, &mut State)) -> bool {
    let mut state = link.lock();
    let before = state.out.len();
    by(link, &mut state);
    let added = state.out.len() - before;
    state.appended += added as u64;
    state.flush_due |= added > 0;
    added > 0
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
