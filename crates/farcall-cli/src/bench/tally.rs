//! What one caller counts, and all of them together: latencies in a histogram, failures by kind.
//!
//! A histogram is large and callers may be many, so they share one, and keep a few latencies of
//! their own in between: it is locked once for all of these.

use super::load::Failure;
use hdrhistogram::Histogram;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The longest latency that is told apart from longer ones.
const LONGEST: Duration = Duration::from_secs(600);

/// Latencies that a caller keeps before it shares them.
const FRESH: usize = 256;

/// Counts of one caller or of all.
pub(super) struct Tally {
    /// Nanoseconds of the calls that were answered, to three digits.
    latencies: Arc<Mutex<Histogram<u64>>>,
    /// Those that are not among them yet.
    fresh: Vec<u64>,
    /// By kind: how many, and the text of the first.
    errors: BTreeMap<&'static str, (u64, String)>,
    /// When the last call ended.
    last: Option<Instant>,
}

impl Default for Tally {
    fn default() -> Tally {
        let latencies = Histogram::new_with_bounds(1, LONGEST.as_nanos() as u64, 3);
        // The bounds are constants that are in order, so this cannot fail; if it did, the least
        // histogram there is would be the next best.
        let latencies = latencies.unwrap_or_else(|_| {
            let mut least = Histogram::new(3).unwrap_or_else(|_| unreachable!("3 digits are few"));
            least.auto(true);
            least
        });
        Tally::of(Arc::new(Mutex::new(latencies)))
    }
}

impl Tally {
    fn of(latencies: Arc<Mutex<Histogram<u64>>>) -> Tally {
        let fresh = Vec::with_capacity(FRESH);
        Tally { latencies, fresh, errors: BTreeMap::new(), last: None }
    }

    /// Counts for one caller, to be added to this at the end.
    pub(super) fn part(&self) -> Tally {
        Tally::of(Arc::clone(&self.latencies))
    }

    fn lock(&self) -> MutexGuard<'_, Histogram<u64>> {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn share(&mut self) {
        let fresh = std::mem::take(&mut self.fresh);
        let mut latencies = self.lock();
        fresh.iter().for_each(|ns| latencies.saturating_record(*ns));
        drop(latencies);
        self.fresh = fresh;
        self.fresh.clear();
    }

    /// Counts a call that was made, or due, at one time and answered at another.
    #[inline]
    pub(super) fn note(&mut self, result: Result<(), Failure>, from: Instant, to: Instant) {
        self.last = Some(to);
        match result {
            Ok(()) => {
                self.fresh.push((to - from).as_nanos() as u64);
                if self.fresh.len() == FRESH {
                    self.share();
                }
            }
            Err(failure) => self.fail(failure),
        }
    }

    #[cold]
    fn fail(&mut self, failure: Failure) {
        let (kind, text) = match failure {
            Failure::Wrong => ("wrong answer", "not what was to be expected".to_owned()),
            Failure::Status(status) => (status.code().name(), status.to_string()),
        };
        self.errors.entry(kind).or_insert((0, text)).0 += 1;
    }

    /// Adds what a part of this has counted.
    pub(super) fn add(&mut self, mut other: Tally) {
        other.share();
        self.last = self.last.max(other.last);
        for (kind, (count, text)) in other.errors {
            self.errors.entry(kind).or_insert((0, text)).0 += count;
        }
    }

    /// When the last call ended, if there was one.
    pub(super) fn last(&self) -> Option<Instant> {
        self.last
    }

    /// Calls that were answered as they should be.
    pub(super) fn good(&self) -> u64 {
        self.lock().len() + self.fresh.len() as u64
    }

    /// Calls that were not.
    pub(super) fn failed(&self) -> u64 {
        self.errors.values().map(|(count, _)| count).sum()
    }

    /// Kinds of failure: how many, and an example.
    pub(super) fn errors(&self) -> impl Iterator<Item = (&'static str, u64, &str)> {
        self.errors.iter().map(|(kind, (count, text))| (*kind, *count, text.as_str()))
    }

    /// The latency that this part of the calls did not exceed.
    pub(super) fn quantile(&self, part: f64) -> Duration {
        Duration::from_nanos(self.lock().value_at_quantile(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farcall::Status;

    #[test]
    fn many_callers_take_little() {
        let all = Tally::default();
        let parts: Vec<_> = (0..100_000).map(|_| all.part()).collect();
        assert!(parts.iter().all(|part| Arc::ptr_eq(&part.latencies, &all.latencies)));
    }

    #[test]
    fn counts_add_up() {
        let mut all = Tally::default();
        let mut one = all.part();
        let from = Instant::now();
        for ms in 1..=1000 {
            one.note(Ok(()), from, from + Duration::from_millis(ms).div_f64(10.0));
        }
        one.note(Err(Failure::Wrong), from, from);
        one.note(Err(Failure::Status(Status::internal("first"))), from, from);
        one.note(Err(Failure::Status(Status::internal("second"))), from, from);
        all.add(one);
        assert_eq!((all.good(), all.failed()), (1000, 3));
        let median = all.quantile(0.5).as_secs_f64();
        assert!((0.0499..0.0501).contains(&median), "{median}");
        let errors: Vec<_> = all.errors().map(|(kind, count, _)| (kind, count)).collect();
        assert_eq!(errors, [("internal", 2), ("wrong answer", 1)]);
    }

    #[test]
    fn a_latency_beyond_the_longest_is_kept_as_the_longest() {
        let mut tally = Tally::default();
        let (mut one, from) = (tally.part(), Instant::now());
        one.note(Ok(()), from, from + LONGEST * 100);
        tally.add(one);
        assert!(tally.quantile(1.0) >= LONGEST);
    }
}
