//! The time limits of one connection, kept by a single timer that is set only while one applies.

use crate::clock::{Alarm, after};
use farcall_core::Limits;
use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Instant;

/// Since when what lasts.
pub(super) struct Timing {
    /// When the connection came, or its last message was complete.
    calm_since: Instant,
    /// When the message at hand was first seen incomplete, and how many of its bytes came since.
    begun: Option<(Instant, usize)>,
    /// When output was first seen waiting, or some of it was last taken.
    stalled: Option<Instant>,
    wrote: bool,
    done: bool,
    /// When the connection is old.
    old: Option<Instant>,
    /// How long it may be idle.
    idle: Option<Duration>,
    alarm: Alarm,
}

/// What a limit that has passed asks for.
pub(super) enum Due {
    /// To close now: the peer was too slow. The text names the limit.
    Close(&'static str),
    /// To say goodbye.
    Goodbye,
}

/// How a connection stands when it has nothing to do.
pub(super) struct State {
    /// It has not said a word.
    pub(super) silent: bool,
    /// A message has begun and is not complete.
    pub(super) begun: bool,
    /// Output waits for the peer.
    pub(super) unwritten: bool,
    /// Handlers are at work.
    pub(super) busy: bool,
    /// It was told goodbye.
    pub(super) leaving: bool,
}

/// From 0 to 1, another one for each connection.
fn chance() -> f64 {
    f64::from(RandomState::new().build_hasher().finish() as u32) / f64::from(u32::MAX)
}

/// The age give or take a tenth.
fn jittered(age: Duration) -> Duration {
    age.saturating_sub(age / 10).saturating_add(age.mul_f64(0.2 * chance()))
}

/// The time or up to a tenth longer: what was promised is kept.
fn lengthened(idle: Duration) -> Duration {
    idle.saturating_add(idle.mul_f64(0.1 * chance()))
}

impl Timing {
    pub(super) fn new(now: Instant, limits: &Limits) -> Timing {
        Timing {
            old: limits.connection_age.map(|age| after(now, jittered(age))),
            idle: limits.idle.map(lengthened),
            calm_since: now,
            begun: None,
            stalled: None,
            wrote: false,
            done: false,
            alarm: Alarm::default(),
        }
    }

    /// Whether the connection has reached its age.
    pub(super) fn is_old(&self, now: Instant) -> bool {
        self.old.is_some_and(|old| now >= old)
    }

    /// Some output was taken by the peer.
    pub(super) fn wrote(&mut self) {
        self.wrote = true;
    }

    /// Some input came.
    pub(super) fn read(&mut self, count: usize) {
        if let Some((_, bytes)) = &mut self.begun {
            *bytes += count;
        }
    }

    /// A message was complete: one that counts as activity, or a heartbeat.
    pub(super) fn message_done(&mut self, active: bool) {
        self.begun = None;
        self.done |= active;
    }

    /// Waits for the next limit that applies; ready with its name when it has passed.
    pub(super) fn rest(
        &mut self,
        cx: &mut Context<'_>,
        state: State,
        limits: &Limits,
    ) -> Poll<Due> {
        let lasting = self.idle.is_some() || self.old.is_some();
        let applies = state.silent || state.begun || state.unwritten || lasting;
        if !applies {
            // The common case: no clock is read and no timer is touched. One that still runs from
            // earlier fires once for nothing.
            (self.begun, self.stalled) = (None, None);
            return self.listen(cx);
        }
        let now = Instant::now();
        // A call that runs longer than a connection may be idle does not make it idle.
        if std::mem::take(&mut self.done) | state.busy {
            self.calm_since = now;
        }
        let mut next: Option<Instant> = None;
        let mut until = |at: Instant| next = Some(next.map_or(at, |n: Instant| n.min(at)));
        if state.silent {
            let end = after(self.calm_since, limits.silence);
            if now >= end {
                return Poll::Ready(Due::Close("Limits::silence"));
            }
            until(end);
        }
        if state.begun {
            let (since, bytes) = *self.begun.get_or_insert((now, 0));
            if now >= after(since, limits.head_time) {
                // Large bodies may take long, but not for ever: each period must bring its share.
                if bytes < limits.message_bytes / 1024 {
                    return Poll::Ready(Due::Close("Limits::head_time"));
                }
                self.begun = Some((now, 0));
            }
            until(after(self.begun.map_or(now, |b| b.0), limits.head_time));
        } else {
            self.begun = None;
        }
        if state.unwritten {
            if std::mem::take(&mut self.wrote) {
                self.stalled = Some(now);
            }
            let end = after(*self.stalled.get_or_insert(now), limits.write_stall);
            if now >= end {
                return Poll::Ready(Due::Close("Limits::write_stall"));
            }
            until(end);
        } else {
            self.stalled = None;
        }
        if let Some(idle) = self.idle
            && !state.silent
            && !state.begun
            && !state.unwritten
            && !state.busy
            && !state.leaving
        {
            let end = after(self.calm_since, idle);
            if now >= end {
                return Poll::Ready(Due::Goodbye);
            }
            until(end);
        }
        if let Some(old) = self.old.filter(|_| !state.leaving) {
            if now >= old {
                return Poll::Ready(Due::Goodbye);
            }
            until(old);
        }
        // An earlier alarm is good enough: when it rings, the connection looks again.
        if let Some(at) = next
            && self.alarm.at().is_none_or(|set| set > at)
        {
            self.alarm.set(at);
        }
        self.listen(cx)
    }

    fn listen(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        if self.alarm.poll(cx).is_ready() {
            // Look again, from the top.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_together_does_not_leave_together() {
        let hour = Duration::from_secs(3600);
        let limits = Limits { idle: Some(hour), connection_age: Some(hour), ..Limits::default() };
        let now = Instant::now();
        let all: Vec<_> = (0..100).map(|_| Timing::new(now, &limits)).collect();
        let idle: Vec<_> = all.iter().filter_map(|timing| timing.idle).collect();
        let ages: Vec<_> = all.iter().filter_map(|timing| timing.old).map(|at| at - now).collect();
        assert!(idle.iter().all(|idle| (hour..=hour + hour / 10).contains(idle)), "{idle:?}");
        let around = hour - hour / 10..=hour + hour / 10;
        assert!(ages.iter().all(|age| around.contains(age)), "{ages:?}");
        for times in [idle, ages] {
            let (first, last) = (times.iter().min(), times.iter().max());
            assert!(last.zip(first).is_some_and(|(last, first)| *last - *first > hour / 50));
        }
        let longest = Limits { idle: Some(Duration::MAX), ..limits };
        assert_eq!(Timing::new(now, &longest).idle, Some(Duration::MAX));
    }
}
