//! A timer that costs nothing while it waits.
//!
//! A task's turn would otherwise register its waker with the timer every time; here that happens
//! once per setting, and a turn only looks at a flag.

use std::{
    future::Future,
    pin::Pin,
    sync::OnceLock,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{
    task::coop::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

/// This long after that moment; where time itself ends, in some thirty years.
#[inline]
pub(crate) fn after(moment: Instant, time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);
    moment.checked_add(time).unwrap_or_else(|| moment + FAR)
}

/// The next moment that all share who are in no hurry, a quarter of a second later at most: one
/// awakening is for all of them.
pub(crate) fn together(moment: Instant) -> Instant {
    const EVERY: Duration = Duration::from_millis(250);
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    let epoch = *EPOCH.get_or_init(Instant::now);
    let since = moment.saturating_duration_since(epoch).as_millis();
    let turns = u32::try_from(since / EVERY.as_millis()).unwrap_or(u32::MAX).saturating_add(1);
    after(epoch, EVERY.saturating_mul(turns)).max(moment)
}

/// At most one moment to be woken at.
#[derive(Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    set: bool,
    waker: Option<Waker>,
}

impl Alarm {
    /// When it rings, if it is set.
    pub(crate) fn at(&self) -> Option<Instant> {
        self.sleep.as_ref().filter(|_| self.set).map(|sleep| sleep.deadline())
    }

    /// Rings at this moment, and at no other.
    pub(crate) fn set(&mut self, at: Instant) {
        if self.at() == Some(at) {
            return;
        }
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(sleep_until(at))),
        }
        self.set = true;
        self.waker = None;
    }

    /// Rings no more.
    pub(crate) fn clear(&mut self) {
        self.set = false;
    }

    /// Ready once when it rings; then it is not set any more.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(sleep) = self.sleep.as_mut().filter(|_| self.set) else { return Poll::Pending };
        if !self.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
            // A task that has used up its budget would be told "pending" without being registered,
            // and nobody would ask again.
            if Pin::new(&mut unconstrained(sleep.as_mut())).poll(cx).is_pending() {
                return Poll::Pending;
            }
        } else if !sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.set = false;
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test]
    async fn it_rings_for_a_task_without_budget() {
        let mut alarm = Alarm::default();
        alarm.set(Instant::now() + Duration::from_millis(5));
        let mut spent = false;
        let rings = poll_fn(|cx| {
            while !spent {
                // Whatever takes from the budget, until there is none.
                spent = std::pin::pin!(tokio::task::coop::consume_budget()).poll(cx).is_pending();
            }
            alarm.poll(cx)
        });
        let rang = tokio::time::timeout(Duration::from_secs(5), rings).await;
        assert!(rang.is_ok(), "it never rang");
    }

    #[test]
    fn time_has_no_end_that_panics() {
        let now = Instant::now();
        assert!(after(now, Duration::MAX) > now + Duration::from_secs(86_400));
        assert_eq!(after(now, Duration::ZERO), now);
    }
}
