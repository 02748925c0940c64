//! A token bucket in one number: the time at which it would be full again. A call moves it by the
//! time that one call takes; who would move it further ahead than a full bucket is refused. (The
//! generic cell rate algorithm, ITU-T I.371.)

use super::Rate;
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

pub(super) struct Bucket {
    full_at: AtomicU64,
    step: Step,
}

/// What a call does to a bucket, in nanoseconds.
#[derive(Clone, Copy)]
pub(super) struct Step {
    interval: u64,
    /// The time that a bucket takes to fill.
    depth: u64,
}

impl Step {
    pub(super) fn new(rate: Rate) -> Step {
        let burst = u64::from(rate.burst);
        // What takes longer than a century is not told apart: sums stay far from the end.
        let interval = rate.interval().min(u64::MAX / 4 / burst);
        Step { interval, depth: interval * burst }
    }

    /// When a bucket is full again after one more call now, or how long to wait until there may be
    /// one.
    pub(super) fn after(self, full_at: u64, now: u64) -> Result<u64, Duration> {
        let next = full_at.max(now).saturating_add(self.interval);
        match (next - now).checked_sub(self.depth) {
            None | Some(0) => Ok(next),
            Some(wait) => Err(Duration::from_nanos(wait)),
        }
    }
}

impl Bucket {
    /// A full one.
    pub(super) fn new(rate: Rate) -> Bucket {
        Bucket { full_at: AtomicU64::new(0), step: Step::new(rate) }
    }

    /// Takes one call out, at this time in nanoseconds, or says how long to wait.
    pub(super) fn take(&self, now: u64) -> Result<(), Duration> {
        let mut full_at = self.full_at.load(Relaxed);
        loop {
            let next = self.step.after(full_at, now)?;
            match self.full_at.compare_exchange_weak(full_at, next, Relaxed, Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => full_at = other,
            }
        }
    }
}
