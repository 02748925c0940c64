//! Whether the server still lives: heartbeats where calls wait and nothing comes.
//!
//! A server that hangs keeps its connections: only silence tells. After `Limits::ping_every` of
//! it, while calls wait, a heartbeat is sent; after `Limits::ping_time` more the connection is
//! closed. The next one must answer a heartbeat before it is given calls. The clock is read a few
//! times per `ping_every` and never for a message; nothing is sent where no call waits. Protocols
//! without a heartbeat have the transport's alone: TCP finds out about a machine that is gone, not
//! about a process that hangs.

use super::link::Link;
use crate::clock::{Alarm, after};
use farcall_core::Status;
use farcall_wire::Control;
use std::{
    task::{Context, Poll},
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// Looks per `Limits::ping_every`.
const LOOKS: u32 = 4;

/// What a driver knows of its server's life.
#[derive(Default)]
pub(super) struct Pulse {
    /// Bytes have come since the last look.
    pub(super) heard: bool,
    /// The connection takes no calls before the server has said something.
    pub(super) proving: bool,
    /// Looks without a byte.
    quiet: u32,
    asked: bool,
    alarm: Alarm,
}

impl Pulse {
    /// Begins to listen. Where the server must prove itself, it is asked at once.
    pub(super) fn begin(&mut self, link: &Link, prove: bool) {
        self.proving = prove && self.ask(link);
        self.asked = self.proving;
        self.set(link);
    }

    fn set(&mut self, link: &Link) {
        let time = if self.asked { link.limits.ping_time } else { link.limits.ping_every / LOOKS };
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
        if std::mem::take(&mut self.heard) {
            (self.asked, self.quiet) = (false, 0);
        } else if self.asked {
            let text = "the server hangs: no answer to a heartbeat (Limits::ping_time)";
            return Poll::Ready(Status::unavailable(text));
        } else {
            self.quiet += 1;
            let waits = !link.lock().slots.all_free();
            if self.quiet >= LOOKS && waits {
                if !self.ask(link) {
                    // It has no heartbeats: there is nothing to look for.
                    return Poll::Pending;
                }
                self.asked = true;
            }
        }
        self.set(link);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Sends a heartbeat, if the protocol has one.
    fn ask(&self, link: &Link) -> bool {
        let mut guard = link.lock();
        let state = &mut *guard;
        // No call has this number: the answer finds nobody.
        let seq = state.slots.oneway();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let token = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
        let before = state.out.len();
        let Some(wire) = state.wire.as_deref_mut() else { return false };
        wire.control(Control::Ping { seq, token }, &mut state.out);
        let added = state.out.len() - before;
        state.appended += added as u64;
        state.flush_due |= added > 0;
        added > 0
    }
}
