//! The load: one task per caller, in a closed loop or by the clock.
//!
//! Callers share little while they run: a flag that is read, and the counts that each adds to from
//! time to time. The clock of an open loop is a thread of its own, because tokio's timer counts in
//! whole milliseconds.

use super::{
    live::{Made, Watch},
    plot::{Plot, Progress},
    tally::Tally,
};
use crate::interrupted;
use farcall::{Client, Status};
use std::{
    io::{self, IsTerminal},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinSet};

/// Time that callers have to finish their last calls when they are interrupted.
const LAST_CALLS: Duration = Duration::from_secs(2);

/// How often what is shown is drawn anew.
const STEP: Duration = Duration::from_millis(200);

/// Why a call does not count.
pub(super) enum Failure {
    /// It failed.
    Status(Status),
    /// It was answered with something else than it should.
    Wrong,
}

/// How much to call.
#[derive(Clone, Copy)]
pub(super) struct Load {
    /// Tasks that call.
    pub(super) callers: usize,
    /// Calls in total, at most.
    pub(super) calls: Option<u64>,
    /// Time, at most.
    pub(super) until: Option<Duration>,
    /// Calls per second by the clock; none in a closed loop.
    pub(super) rate: Option<u64>,
    /// What is shown while it runs.
    pub(super) shown: Shown,
}

/// What is shown while a load runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    /// How far it is.
    Bar,
    /// How far it is, and latencies.
    Plot,
}

impl Shown {
    /// What suits the standard streams: the plot on a terminal, nothing into a file.
    pub(super) fn fitting(json: bool) -> Shown {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match (io::stderr().is_terminal() && !json && !dumb, io::stdout().is_terminal()) {
            (false, _) => Shown::Nothing,
            (true, false) => Shown::Bar,
            (true, true) => Shown::Plot,
        }
    }
}

/// What came of it.
#[derive(Default)]
pub(super) struct Measured {
    /// What was counted.
    pub(super) tally: Tally,
    /// From the first call to the end of the last.
    pub(super) elapsed: Duration,
    /// Calls that were due and could not be started before the end.
    pub(super) missed: u64,
    /// SIGINT ended it.
    pub(super) interrupted: bool,
}

/// What callers share.
struct Shared {
    start: Instant,
    end: Option<Instant>,
    stop: AtomicBool,
    /// Calls made, by caller: for whoever watches.
    made: Vec<Made>,
    clock: Option<Clock>,
}

impl Load {
    /// Calls, until it is enough.
    pub(super) async fn run<F, Fut>(self, clients: &[Client], call: F) -> Measured
    where
        F: Fn(&Client) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send,
    {
        let mut measured = Measured::default();
        // Made before the clock runs.
        let tallies: Vec<_> = (0..self.callers).map(|_| measured.tally.part()).collect();
        let start = Instant::now();
        let shared = Arc::new(Shared {
            start,
            end: self.until.map(|time| start + time),
            stop: AtomicBool::new(false),
            made: (0..self.callers).map(|_| Made::new(self.shown == Shown::Plot)).collect(),
            clock: self.rate.map(Clock::new),
        });
        let ticking = self.rate.is_some().then(|| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.tick(self.calls))
        });
        let mut callers = JoinSet::new();
        for ((i, tally), client) in tallies.into_iter().enumerate().zip(clients.iter().cycle()) {
            let (shared, client, call) = (Arc::clone(&shared), client.clone(), call.clone());
            let quota = self.quota(i as u64);
            callers.spawn(async move {
                match &shared.clock {
                    Some(clock) => shared.by_the_clock(clock, tally, i, || call(&client)).await,
                    None => shared.closed_loop(quota, tally, i, || call(&client)).await,
                }
            });
        }
        let progress = tokio::spawn(Arc::clone(&shared).show(self));
        tokio::select! {
            () = collect(&mut callers, &mut measured.tally) => {}
            () = interrupted() => measured.interrupted = true,
        }
        shared.stop.store(true, Ordering::Relaxed);
        if measured.interrupted {
            let last_calls = collect(&mut callers, &mut measured.tally);
            let _ = tokio::time::timeout(LAST_CALLS, last_calls).await;
        }
        progress.abort();
        let _ = progress.await;
        let last = measured.tally.last();
        measured.elapsed = last.map_or(start.elapsed(), |last| last - start);
        if let (Some(clock), Some(ticking)) = (&shared.clock, ticking) {
            let _ = ticking.join();
            measured.missed = clock.missed();
        }
        measured
    }

    /// A caller's part of the calls.
    fn quota(self, caller: u64) -> u64 {
        let callers = self.callers as u64;
        let quota = |calls: u64| calls / callers + u64::from(caller < calls % callers);
        self.calls.map_or(u64::MAX, quota)
    }
}

async fn collect(callers: &mut JoinSet<Tally>, into: &mut Tally) {
    while let Some(tally) = callers.join_next().await {
        if let Ok(tally) = tally {
            into.add(tally);
        }
    }
}

impl Shared {
    /// Calls again when the answer is there.
    async fn closed_loop<Fut>(
        &self,
        quota: u64,
        mut tally: Tally,
        caller: usize,
        call: impl Fn() -> Fut,
    ) -> Tally
    where
        Fut: Future<Output = Result<(), Failure>>,
    {
        let mut before = Instant::now();
        for made in 1..=quota {
            let result = call().await;
            let now = Instant::now();
            tally.note(result, before, now);
            self.made(caller, made, now - before);
            if self.end.is_some_and(|end| now >= end) || self.stop.load(Ordering::Relaxed) {
                break;
            }
            before = now;
        }
        tally
    }

    /// Calls when the clock says so. Latency counts from when a call was due: a caller that is late
    /// because the server is slow must not hide it.
    async fn by_the_clock<Fut>(
        &self,
        clock: &Clock,
        mut tally: Tally,
        caller: usize,
        call: impl Fn() -> Fut,
    ) -> Tally
    where
        Fut: Future<Output = Result<(), Failure>>,
    {
        let mut made = 0;
        while let Ok(permit) = clock.due.acquire().await {
            permit.forget();
            let due = self.start + clock.time_of(clock.taken.fetch_add(1, Ordering::Relaxed));
            let result = call().await;
            let now = Instant::now();
            tally.note(result, due, now);
            made += 1;
            self.made(caller, made, now - due);
        }
        tally
    }

    fn made(&self, caller: usize, count: u64, took: Duration) {
        if let Some(made) = self.made.get(caller) {
            made.note(count, took);
        }
    }

    /// The clock's thread: lets callers go when their calls are due, until it is over.
    fn tick(&self, calls: Option<u64>) {
        let Some(clock) = &self.clock else { return };
        let calls = calls.unwrap_or(u64::MAX);
        let mut given = 0;
        loop {
            let ended = self.end.is_some_and(|end| Instant::now() >= end);
            if ended || self.stop.load(Ordering::Relaxed) {
                break;
            }
            let due = clock.count_at(self.start.elapsed()).min(calls);
            if due > given {
                clock.due.add_permits((due - given) as usize);
                given = due;
            }
            // Permits that are given are not yet taken: closing would take them back.
            if given == calls && clock.taken.load(Ordering::Relaxed) >= calls {
                break;
            }
            // The next call, but not less than a thread can sleep nor more than an end can wait.
            let next = clock.time_of(given).saturating_sub(self.start.elapsed());
            let (least, most) = (Duration::from_micros(20), Duration::from_millis(20));
            thread::sleep(next.clamp(least, most));
        }
        clock.given.store(given, Ordering::Relaxed);
        clock.due.close();
    }

    /// Draws progress, for ever.
    async fn show(self: Arc<Self>, load: Load) {
        if load.shown == Shown::Nothing {
            return;
        }
        let mut plot = Plot::new(STEP, load.shown == Shown::Plot);
        let (mut watch, mut last) = (Watch::new(), Instant::now());
        loop {
            tokio::time::sleep(STEP).await;
            let now = Instant::now();
            let (calls, sample) = watch.look(&self.made, now - last);
            last = now;
            let of_calls = load.calls.map(|all| calls as f64 / all as f64);
            let of_time = load.until.map(|time| {
                (now - self.start).as_secs_f64() / time.as_secs_f64().max(f64::MIN_POSITIVE)
            });
            // Whatever comes first ends it.
            let part = of_calls.unwrap_or(0.0).max(of_time.unwrap_or(0.0));
            plot.draw(Progress { part, calls }, sample);
        }
    }
}

/// When calls are due.
struct Clock {
    rate: u64,
    /// Calls that are due and not started.
    due: Semaphore,
    /// Calls that were started.
    taken: AtomicU64,
    /// Calls that were due before the end.
    given: AtomicU64,
}

impl Clock {
    fn new(rate: u64) -> Clock {
        let (taken, given) = (AtomicU64::new(0), AtomicU64::new(0));
        Clock { rate, due: Semaphore::new(0), taken, given }
    }

    /// When a call is due, counted from the start.
    fn time_of(&self, call: u64) -> Duration {
        let ns = u128::from(call) * 1_000_000_000 / u128::from(self.rate);
        Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    /// How many calls are due after this time: the first at once.
    fn count_at(&self, elapsed: Duration) -> u64 {
        let count = elapsed.as_nanos() * u128::from(self.rate) / 1_000_000_000;
        u64::try_from(count).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn missed(&self) -> u64 {
        let (given, taken) = (&self.given, &self.taken);
        given.load(Ordering::Relaxed).saturating_sub(taken.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_add_up() {
        let load =
            Load { callers: 7, calls: Some(100), until: None, rate: None, shown: Shown::Nothing };
        assert_eq!((0..7).map(|i| load.quota(i)).sum::<u64>(), 100);
        let few = Load { callers: 7, calls: Some(3), ..load };
        assert_eq!((0..7).map(|i| few.quota(i)).collect::<Vec<_>>(), [1, 1, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn the_clock_counts() {
        let clock = Clock::new(1000);
        assert_eq!(clock.time_of(1500), Duration::from_millis(1500));
        for (ms, count) in [(0, 1), (1, 2), (10, 11)] {
            assert_eq!(clock.count_at(Duration::from_millis(ms)), count);
        }
        // A call is let go when it is due and not before.
        for call in [0, 1, 999, 12_345] {
            let clock = Clock::new(7777);
            let due = clock.time_of(call);
            assert!(clock.count_at(due + Duration::from_nanos(1)) > call);
        }
    }
}
