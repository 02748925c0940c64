//! Latencies while they are measured, for whoever watches: coarse, and nothing that callers share.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

/// Parts of a doubling that are told apart: a latency is known to a quarter.
const PARTS: usize = 4;
/// Up to 2⁴⁰ ns, eighteen minutes.
const BUCKETS: usize = 41 * PARTS;

/// What one caller has done so far, on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Made {
    calls: AtomicU64,
    /// Calls by latency; none where nobody watches.
    latencies: Option<Box<[AtomicU32]>>,
}

impl Made {
    /// With latencies, if they are watched.
    pub(super) fn new(watched: bool) -> Made {
        let buckets = || (0..BUCKETS).map(|_| AtomicU32::new(0)).collect();
        Made { calls: AtomicU64::new(0), latencies: watched.then(buckets) }
    }

    /// So many calls were made; the last took this long.
    #[inline]
    pub(super) fn note(&self, calls: u64, took: Duration) {
        self.calls.store(calls, Ordering::Relaxed);
        if let Some(bucket) = self.latencies.as_ref().and_then(|all| all.get(bucket(took))) {
            // Only this caller writes it. It may go round; differences stay right.
            let count = bucket.load(Ordering::Relaxed);
            bucket.store(count.wrapping_add(1), Ordering::Relaxed);
        }
    }
}

/// The last bits say which part of its doubling a latency is in.
fn bucket(took: Duration) -> usize {
    let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(PARTS as u64);
    let log = ns.ilog2() as usize;
    let part = (ns >> (log - 2)) as usize % PARTS;
    (log * PARTS + part).min(BUCKETS - 1)
}

/// The end of a bucket.
fn end(bucket: usize) -> Duration {
    let (log, part) = (bucket / PARTS, bucket % PARTS);
    Duration::from_nanos(((PARTS + part + 1) as u64) << log.saturating_sub(2))
}

/// What was done between two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    /// Calls per second.
    pub(super) speed: f64,
    /// Half of the calls, and all but a hundredth, took at most so long; none without calls.
    pub(super) latency: Option<(Duration, Duration)>,
}

/// Looks at all callers from time to time.
pub(super) struct Watch {
    calls: u64,
    latencies: Vec<u32>,
}

impl Watch {
    pub(super) fn new() -> Watch {
        Watch { calls: 0, latencies: vec![0; BUCKETS] }
    }

    /// Calls so far, and what has happened since the last look.
    pub(super) fn look(&mut self, made: &[Made], since: Duration) -> (u64, Sample) {
        let calls: u64 = made.iter().map(|made| made.calls.load(Ordering::Relaxed)).sum();
        let mut now = vec![0u32; BUCKETS];
        for buckets in made.iter().filter_map(|made| made.latencies.as_ref()) {
            for (sum, bucket) in now.iter_mut().zip(buckets) {
                *sum = sum.wrapping_add(bucket.load(Ordering::Relaxed));
            }
        }
        let fresh = now.iter().zip(&self.latencies).map(|(now, was)| now.wrapping_sub(*was));
        let fresh: Vec<u64> = fresh.map(u64::from).collect();
        let speed = calls.saturating_sub(self.calls) as f64 / since.as_secs_f64().max(1e-9);
        (self.calls, self.latencies) = (calls, now);
        let latency = quantile(&fresh, 50).zip(quantile(&fresh, 99));
        (calls, Sample { speed, latency })
    }
}

/// What this many of a hundred calls did not exceed.
fn quantile(buckets: &[u64], percent: u64) -> Option<Duration> {
    let all: u64 = buckets.iter().sum();
    let rank = (all * percent).div_ceil(100).max(1);
    let mut seen = 0;
    let found = buckets.iter().position(|count| {
        seen += count;
        seen >= rank
    });
    found.map(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_known_to_a_quarter() {
        for ns in [4, 5, 7, 8, 100, 1000, 1023, 1024, 123_456, 999_999_999, 1 << 39] {
            let took = Duration::from_nanos(ns);
            let end = end(bucket(took));
            assert!(end > took && end <= took + took / 4 + Duration::from_nanos(1), "{ns} {end:?}");
        }
        assert_eq!(bucket(Duration::ZERO), bucket(Duration::from_nanos(4)));
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn looks_tell_what_is_new() {
        let made = [Made::new(true), Made::new(true)];
        let mut watch = Watch::new();
        let second = Duration::from_secs(1);
        assert_eq!(watch.look(&made, second), (0, Sample::default()));
        for calls in 1..=99 {
            made[0].note(calls, Duration::from_micros(10));
        }
        made[1].note(1, Duration::from_millis(10));
        let (calls, sample) = watch.look(&made, second);
        let (half, most) = sample.latency.expect("calls");
        assert_eq!((calls, sample.speed), (100, 100.0));
        assert!(half < Duration::from_micros(13) && most < Duration::from_micros(13));
        made[1].note(2, Duration::from_millis(10));
        let (calls, sample) = watch.look(&made, second);
        let (half, most) = sample.latency.expect("calls");
        assert_eq!((calls, sample.speed), (101, 1.0));
        assert!(half == most && most > Duration::from_millis(10));
        assert_eq!(watch.look(&made, second).1, Sample::default());
    }

    #[test]
    fn unwatched_callers_count_only() {
        let made = [Made::new(false)];
        made[0].note(7, Duration::from_micros(10));
        let (calls, sample) = Watch::new().look(&made, Duration::from_secs(1));
        assert_eq!((calls, sample.latency), (7, None));
    }
}
