//! Addresses that are set aside: where a connection carries one call at a time and is closed with
//! it when that runs into its deadline, silence is the address' and not the connection's.
//!
//! After `Limits::hung_calls` in a row, and `Limits::hung_time` in which nothing was answered at
//! any connection, the address gets no calls. One connection at a time is opened there, in the
//! driver's own times, and must answer before the address takes part again.
//!
//! Before it comes to that, addresses are only doubted: calls go elsewhere while they can, what is
//! on its way stays, and the next byte ends it. To doubt costs nobody a call, so it is done early.

use super::{link::Link, many::Health};
use farcall_core::Limits;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// How long an address has been silent.
#[derive(Default)]
pub(super) struct Silence {
    /// What speaks against the address: the lowest bit says that it is set aside, the others
    /// count its connections that are in doubt.
    against: AtomicUsize,
    state: Mutex<Missed>,
}

/// Of what speaks against an address.
const ASIDE: usize = 1;
const DOUBT: usize = 2;

#[derive(Default)]
struct Missed {
    /// Calls in a row that ran into their deadlines.
    calls: u32,
    /// When the first of them began, or something was heard after that.
    since: Option<Instant>,
    heard: Option<Instant>,
}

impl Silence {
    fn lock(&self) -> MutexGuard<'_, Missed> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address is to get no calls.
    pub(super) fn is_aside(&self) -> bool {
        self.against.load(Ordering::Acquire) & ASIDE != 0
    }

    /// Nothing speaks against calling it.
    pub(super) fn is_sure(&self) -> bool {
        self.against.load(Ordering::Acquire) == 0
    }

    /// When it last answered something, where its connections carry one call at a time.
    pub(super) fn last(&self) -> Option<Instant> {
        self.lock().heard
    }

    /// It has answered something.
    pub(super) fn heard(&self) {
        let now = Instant::now();
        *self.lock() = Missed { calls: 0, since: None, heard: Some(now) };
        if self.is_aside() {
            self.against.fetch_and(!ASIDE, Ordering::AcqRel);
        }
    }

    /// A call that waited for so long got no answer before its deadline.
    pub(super) fn missed(&self, waited: Duration, limits: &Limits) {
        let now = Instant::now();
        let began = now.checked_sub(waited).unwrap_or(now);
        let mut state = self.lock();
        let began = state.heard.map_or(began, |heard| began.max(heard));
        let since = *state.since.get_or_insert(began);
        state.calls = state.calls.saturating_add(1);
        let enough = limits.hung_calls > 0 && state.calls >= limits.hung_calls;
        if enough && now.saturating_duration_since(since) >= limits.hung_time {
            self.against.fetch_or(ASIDE, Ordering::AcqRel);
        }
    }
}

/// A connection that may hang: while this lives, calls go to other addresses, if others are open.
pub(super) struct Doubt(Arc<Health>);

impl Doubt {
    /// Where the client has another address.
    pub(super) fn of(link: &Link) -> Option<Doubt> {
        let health = Arc::clone(link.joins.health.as_ref()?);
        health.silence.against.fetch_add(DOUBT, Ordering::AcqRel);
        Some(Doubt(health))
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        self.0.silence.against.fetch_sub(DOUBT, Ordering::AcqRel);
    }
}

impl Link {
    /// Whether its address was set aside: it must answer before it is given calls.
    pub(super) fn is_aside(&self) -> bool {
        self.joins.health.as_ref().is_some_and(|health| health.silence.is_aside())
    }

    /// Its address has answered something.
    pub(super) fn heard(&self) {
        if let Some(health) = &self.joins.health {
            health.silence.heard();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn three_in_a_row_and_a_second() {
        let (silence, limits) = (Silence::default(), Limits::default());
        let miss = |waited| {
            silence.missed(waited, &limits);
            silence.is_aside()
        };
        assert_eq!([(); 3].map(|()| miss(SECOND)), [false, false, true]);
        silence.heard();
        // What was heard while they waited breaks the silence.
        assert_eq!([(); 5].map(|()| miss(SECOND)), [false; 5]);
        tokio::time::advance(SECOND).await;
        assert!(miss(SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn short_deadlines_take_as_long() {
        let (silence, limits) = (Silence::default(), Limits::default());
        for _ in 0..99 {
            silence.missed(Duration::from_millis(1), &limits);
            assert!(!silence.is_aside());
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        tokio::time::advance(Duration::from_millis(10)).await;
        silence.missed(Duration::from_millis(1), &limits);
        assert!(silence.is_aside());
    }

    #[tokio::test(start_paused = true)]
    async fn none_is_never() {
        let (silence, limits) = (Silence::default(), Limits { hung_calls: 0, ..Limits::default() });
        (0..99).for_each(|_| silence.missed(SECOND, &limits));
        assert!(!silence.is_aside());
    }
}
