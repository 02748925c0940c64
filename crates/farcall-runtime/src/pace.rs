//! When a thread has nothing to do, how it rests: at once, or a moment later.
//!
//! Peers that write every call alone make a thread wake up for each, and waking costs more than
//! the call: for this thread, and for the peer, which pays for waking it. Under load it is cheaper
//! to let calls gather for some tens of microseconds and take them together, as network cards do
//! with interrupts. Whether that helps depends on what nobody here can see: peers that wait for
//! these very answers gather nothing. So it is tried now and then, for some milliseconds, and kept
//! as long as more calls come at once, and no fewer get through.

use std::{
    cell::Cell,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// So many calls to a read are a batch; a peer that sends such is read at once.
const BATCH: usize = 3;

/// What is asked of the clock to let calls gather. Linux adds 50 µs of slack.
const GATHER: Duration = Duration::from_micros(50);

/// About what [`GATHER`] comes to.
const GATHERED: Duration = Duration::from_micros(105);

/// Calls that a thread must expect in [`GATHERED`] for gathering to pay.
const WORTH: f64 = 4.0;

/// How often a thread says what it has done.
const TELL: Duration = Duration::from_millis(1);

/// So long one way of resting is kept before the calls that got through are counted.
const WINDOW: Duration = Duration::from_millis(4);

/// Windows between two trials of the other way: at first, and when it lost time after time.
const TRIALS: (u32, u32) = (4, 64);

/// Gathering may cost this part of the calls per second; it saves more of the time of cores.
const PART: f64 = 0.93;

/// By so much there must be more calls to a read. Where each connection has one call at a time,
/// nothing comes together, and nothing is saved.
const MORE: f64 = 1.3;

/// What has been done since some moment.
#[derive(Clone, Copy, Default)]
struct Done {
    reads: usize,
    calls: usize,
}

impl Done {
    fn add(&mut self, more: Done) {
        self.reads += more.reads;
        self.calls += more.calls;
    }

    fn in_batches(self) -> bool {
        self.calls >= self.reads * BATCH
    }

    /// Whether so much work brings enough calls while they gather.
    fn is_worth(self, elapsed: Duration) -> bool {
        self.calls as f64 * GATHERED.as_secs_f64() >= WORTH * elapsed.as_secs_f64()
    }
}

/// What a thread knows of itself.
#[derive(Clone, Copy)]
struct Mine {
    since: Instant,
    seen: Done,
    busy: bool,
}

thread_local! {
    /// Since the thread last rested.
    static DONE: Cell<Done> = const { Cell::new(Done { reads: 0, calls: 0 }) };
    static MINE: Cell<Option<Mine>> = const { Cell::new(None) };
}

/// A connection was read, and so many calls, or answers, were cut from what came.
#[inline]
pub(crate) fn cut(calls: usize) {
    let Done { reads, calls: before } = DONE.get();
    DONE.set(Done { reads: reads + 1, calls: before + calls });
}

/// To be run by threads of a tokio runtime before they rest; a server's own threads do.
///
/// Give it to [`on_thread_park`](tokio::runtime::Builder::on_thread_park) of a runtime that makes
/// or serves many small calls over few connections. Where peers write each call alone, and about
/// 50,000 calls a second come to a thread, the thread waits for about 0.1 ms if that makes them
/// come together without slowing them down; otherwise it goes to rest at once, or after others who
/// wait for its core. All threads that are given this try it together.
pub fn before_park() {
    static ALL: Pace = Pace::new();
    ALL.before_park();
}

/// How threads that work together rest.
pub(crate) struct Pace {
    gathers: AtomicBool,
    trials: Mutex<Trials>,
}

impl Pace {
    pub(crate) const fn new() -> Pace {
        Pace { gathers: AtomicBool::new(false), trials: Mutex::new(Trials::new()) }
    }

    pub(crate) fn before_park(&self) {
        let done = DONE.take();
        if done.reads == 0 {
            return;
        }
        let now = Instant::now();
        let mut mine =
            MINE.get().unwrap_or(Mine { since: now, seen: Done::default(), busy: false });
        mine.seen.add(done);
        let elapsed = now.saturating_duration_since(mine.since);
        if elapsed >= TELL {
            self.tell(mine.seen, now);
            mine = Mine { since: now, seen: Done::default(), busy: mine.seen.is_worth(elapsed) };
        }
        MINE.set(Some(mine));
        match () {
            () if done.in_batches() => {}
            () if mine.busy && self.gathers.load(Ordering::Relaxed) => thread::sleep(GATHER),
            // Lets a peer that waits for this core write more of its calls first.
            () => thread::yield_now(),
        }
    }

    fn tell(&self, seen: Done, now: Instant) {
        let mut trials = self.trials.lock().unwrap_or_else(PoisonError::into_inner);
        trials.seen.add(seen);
        let since = *trials.since.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since);
        if elapsed >= WINDOW {
            trials.turn(elapsed);
            (trials.since, trials.seen) = (Some(now), Done::default());
            self.gathers.store(trials.gathers, Ordering::Relaxed);
        }
    }
}

/// What was seen of the two ways to rest, and which one is on.
struct Trials {
    gathers: bool,
    /// The other way is on for one window only.
    trial: bool,
    /// Gathering, which is on, has lost the last trial.
    doubt: bool,
    /// Windows until the next trial, and from one to the next.
    left: u32,
    every: u32,
    /// Calls per second when it was last seen, without gathering and with.
    rates: [f64; 2],
    /// Calls per read, likewise.
    heaps: [f64; 2],
    since: Option<Instant>,
    seen: Done,
}

impl Trials {
    const fn new() -> Trials {
        Trials {
            gathers: false,
            trial: false,
            doubt: false,
            left: 0,
            every: TRIALS.0,
            rates: [0.0; 2],
            heaps: [0.0; 2],
            since: None,
            seen: Done { reads: 0, calls: 0 },
        }
    }

    /// A window has ended: what the next one is like.
    fn turn(&mut self, elapsed: Duration) {
        let Done { reads, calls } = self.seen;
        let way = usize::from(self.gathers);
        self.rates[way] = calls as f64 / elapsed.as_secs_f64();
        self.heaps[way] = calls as f64 / reads.max(1) as f64;
        if self.trial {
            let [without, with] = self.rates;
            let gathered = self.heaps[1] >= self.heaps[0] * MORE;
            let (before, better) = (!self.gathers, gathered && with >= without * PART);
            // Some milliseconds are short: gathering is given up when it loses again at once.
            self.doubt = before && !better && !self.doubt;
            self.gathers = better || self.doubt;
            self.every = match self.gathers == before {
                true => (self.every * 2).min(TRIALS.1),
                false => TRIALS.0,
            };
            self.left = if self.doubt { 0 } else { self.every };
            self.trial = false;
        } else if !self.seen.is_worth(elapsed) || !self.gathers && self.seen.in_batches() {
            // Such a window tells nothing: what is on stays on for threads that are busy.
        } else if self.left > 0 {
            self.left -= 1;
        } else {
            (self.trial, self.gathers) = (true, !self.gathers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BATCH, Done, TRIALS, Trials, WINDOW};

    /// Runs so many windows, in which so many thousand calls a second get through without
    /// gathering and with, one to a read and four; how many of the windows gathered.
    fn gathered(trials: &mut Trials, windows: usize, thousands: [usize; 2]) -> usize {
        gathered_by(trials, windows, thousands, 4)
    }

    fn gathered_by(
        trials: &mut Trials,
        windows: usize,
        thousands: [usize; 2],
        heap: usize,
    ) -> usize {
        let mut count = 0;
        for _ in 0..windows {
            count += usize::from(trials.gathers);
            let calls = thousands[usize::from(trials.gathers)] * WINDOW.as_millis() as usize;
            let reads = if trials.gathers { calls / heap } else { calls };
            trials.seen = Done { reads, calls };
            trials.turn(WINDOW);
        }
        count
    }

    #[test]
    fn it_gathers_where_calls_get_through_all_the_same() {
        let mut trials = Trials::new();
        assert!(gathered(&mut trials, 1_000, [100, 100]) > 950);
        assert_eq!(trials.every, TRIALS.1);
    }

    #[test]
    fn it_does_not_where_peers_wait_for_the_answers() {
        let mut trials = Trials::new();
        let count = gathered(&mut trials, 1_000, [100, 70]);
        assert!((1..40).contains(&count), "{count}");
        // Times change: it is found out, and so is the way back.
        assert!(gathered(&mut trials, 1_000, [100, 110]) > 850);
        assert!(gathered(&mut trials, 1_000, [100, 70]) < 150);
    }

    #[test]
    fn it_does_not_where_nothing_comes_together() {
        let mut trials = Trials::new();
        let count = gathered_by(&mut trials, 1_000, [100, 110], 1);
        assert!((1..40).contains(&count), "{count}");
    }

    #[test]
    fn one_bad_window_changes_nothing() {
        let mut trials = Trials::new();
        gathered(&mut trials, 1_000, [100, 100]);
        while !trials.trial {
            gathered(&mut trials, 1, [100, 100]);
        }
        assert_eq!(gathered(&mut trials, 1, [200, 100]), 0);
        assert!(gathered(&mut trials, 100, [100, 100]) > 90);
    }

    #[test]
    fn it_is_not_tried_for_few_calls_or_for_batches() {
        let mut trials = Trials::new();
        assert_eq!(gathered(&mut trials, 1_000, [30, 30]), 0);
        for _ in 0..1_000 {
            trials.seen = Done { reads: 400, calls: 400 * BATCH };
            trials.turn(WINDOW);
            assert!(!trials.gathers);
        }
    }
}
