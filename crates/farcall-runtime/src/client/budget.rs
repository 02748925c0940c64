//! What keeps retries from multiplying an outage: calls earn them, and there are few to begin with.

use farcall_core::Limits;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use tokio::time::Instant;

/// Seconds of `Limits::retry_budget_per_second` that a new client may spend at once.
const HEAD_START: f64 = 10.0;

/// How many retries a client may still make.
pub(crate) struct Budget {
    /// Calls that may be repeated and were begun.
    calls: AtomicU64,
    per_call: f64,
    per_second: f64,
    most: f64,
    saved: Mutex<Saved>,
}

struct Saved {
    retries: f64,
    /// The calls that have been counted, and when.
    calls: u64,
    at: Option<Instant>,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Budget {
        let most = f64::from(limits.retry_budget);
        let per_second = f64::from(limits.retry_budget_per_second);
        let retries = (HEAD_START * per_second).min(most);
        Budget {
            calls: AtomicU64::new(0),
            per_call: f64::from(limits.retry_budget_percent) / 100.0,
            per_second,
            most,
            saved: Mutex::new(Saved { retries, calls: 0, at: None }),
        }
    }

    /// A call begins.
    #[inline]
    pub(crate) fn earn(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether one more retry may be made; it is spent.
    pub(crate) fn spend(&self) -> bool {
        self.spend_at(Instant::now())
    }

    fn spend_at(&self, now: Instant) -> bool {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = self.calls.load(Ordering::Relaxed);
        let earned = calls.saturating_sub(saved.calls) as f64 * self.per_call;
        let since = saved.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        let retries = (saved.retries + earned + since * self.per_second).min(self.most);
        let enough = retries >= 1.0;
        *saved = Saved { retries: retries - f64::from(u8::from(enough)), calls, at: Some(now) };
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn calls_and_time_earn_retries_and_no_more_are_made() {
        let limits = Limits {
            retry_budget: 30,
            retry_budget_percent: 10,
            retry_budget_per_second: 2,
            ..Limits::default()
        };
        let budget = Budget::new(&limits);
        let start = Instant::now();
        let spent = |seconds| {
            let now = start + Duration::from_secs(seconds);
            (0..1000).take_while(|_| budget.spend_at(now)).count()
        };
        assert_eq!(spent(0), 20, "ten seconds' worth to begin with");
        (0..50).for_each(|_| budget.earn());
        assert_eq!(spent(0), 5, "a tenth of the calls");
        assert_eq!(spent(3), 6, "two a second");
        (0..10_000).for_each(|_| budget.earn());
        assert_eq!(spent(1000), 30, "no more is saved than that");
        assert_eq!(spent(1000), 0);
    }
}
