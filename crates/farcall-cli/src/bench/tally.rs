//! What one caller counts, and all of them together: latencies in a histogram, failures by kind.

use super::load::Failure;
use hdrhistogram::Histogram;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The longest latency that is told apart from longer ones.
const LONGEST: Duration = Duration::from_secs(600);

/// Counts of one caller or of all.
pub(super) struct Tally {
    /// Nanoseconds of the calls that were answered, to three digits.
    latencies: Histogram<u64>,
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
        Tally { latencies, errors: BTreeMap::new(), last: None }
    }
}

impl Tally {
    /// Counts a call that was made, or due, at one time and answered at another.
    #[inline]
    pub(super) fn note(&mut self, result: Result<(), Failure>, from: Instant, to: Instant) {
        self.last = Some(to);
        match result {
            Ok(()) => self.latencies.saturating_record((to - from).as_nanos() as u64),
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

    /// Adds what another has counted.
    pub(super) fn add(&mut self, other: Tally) {
        // All have the same bounds, so nothing can be out of them.
        let _ = self.latencies.add(&other.latencies);
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
        self.latencies.len()
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
        Duration::from_nanos(self.latencies.value_at_quantile(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farcall::Status;

    #[test]
    fn counts_add_up() {
        let (mut all, mut one) = (Tally::default(), Tally::default());
        let from = Instant::now();
        for ms in 1..=100 {
            one.note(Ok(()), from, from + Duration::from_millis(ms));
        }
        one.note(Err(Failure::Wrong), from, from);
        one.note(Err(Failure::Status(Status::internal("first"))), from, from);
        one.note(Err(Failure::Status(Status::internal("second"))), from, from);
        all.add(one);
        assert_eq!((all.good(), all.failed()), (100, 3));
        let median = all.quantile(0.5).as_secs_f64();
        assert!((0.0499..0.0501).contains(&median), "{median}");
        let errors: Vec<_> = all.errors().map(|(kind, count, _)| (kind, count)).collect();
        assert_eq!(errors, [("internal", 2), ("wrong answer", 1)]);
    }

    #[test]
    fn a_latency_beyond_the_longest_is_kept_as_the_longest() {
        let mut tally = Tally::default();
        let from = Instant::now();
        tally.note(Ok(()), from, from + LONGEST * 100);
        assert!(tally.quantile(1.0) >= LONGEST);
    }
}
