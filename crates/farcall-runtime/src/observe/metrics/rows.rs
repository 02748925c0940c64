//! The numbers themselves. Those of calls are atomics that nobody waits for.

use crate::server::{Happening, Outcome};
use farcall_core::Code;
use std::{
    array,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// What tells series apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Which client; none for servers.
    pub(super) client: Option<Arc<str>>,
    pub(super) service: Arc<str>,
    pub(super) method: Arc<str>,
    pub(super) protocol: &'static str,
}

/// The upper bounds of the histogram's buckets in microseconds, and as the page writes them, in
/// seconds. Behind the last one is a bucket for all that took longer.
pub(super) const BUCKETS: [(u64, &str); 17] = [
    (50, "5e-05"),
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1.0"),
    (2_500_000, "2.5"),
    (5_000_000, "5.0"),
    (10_000_000, "10.0"),
];

/// Where calls without a status are counted, around the numbers of the codes.
const OK: usize = 0;
const LOST: usize = 17;

/// How calls may end: `ok`, a code, or `lost`.
pub(super) const ENDS: usize = 18;

/// The label of an end.
pub(super) fn label(end: usize) -> String {
    match end {
        OK => "ok".to_owned(),
        LOST => "lost".to_owned(),
        code => Code::from_number(code as i64).name().replace(' ', "_"),
    }
}

/// Calls of one method over one protocol, to a server or of a client.
pub(super) struct Row {
    pub(super) started: AtomicU64,
    pub(super) ended: [AtomicU64; ENDS],
    /// How many took so long: each call is in one.
    pub(super) buckets: [AtomicU64; BUCKETS.len() + 1],
    pub(super) nanos: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
    /// Of clients only.
    pub(super) retries: AtomicU64,
    #[cfg(feature = "metrics")]
    facade: super::facade::Handles,
}

impl Row {
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "named by the facade"))]
    pub(super) fn new(key: &Key) -> Row {
        Row {
            started: AtomicU64::new(0),
            ended: array::from_fn(|_| AtomicU64::new(0)),
            buckets: array::from_fn(|_| AtomicU64::new(0)),
            nanos: AtomicU64::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            #[cfg(feature = "metrics")]
            facade: super::facade::Handles::new(key),
        }
    }

    pub(super) fn begin(&self, bytes: usize) {
        self.started.fetch_add(1, Relaxed);
        self.received.fetch_add(bytes as u64, Relaxed);
        #[cfg(feature = "metrics")]
        self.facade.begin(bytes);
    }

    pub(super) fn end(&self, outcome: Outcome<'_>, bytes: usize, took: Duration) {
        let end = match outcome {
            Outcome::Done => OK,
            Outcome::Failed(status) => status.code() as usize,
            Outcome::Lost => LOST,
        };
        let micros = took.as_nanos().div_ceil(1_000);
        let bucket = BUCKETS.iter().position(|(most, _)| micros <= u128::from(*most));
        self.buckets[bucket.unwrap_or(BUCKETS.len())].fetch_add(1, Relaxed);
        self.nanos.fetch_add(took.as_nanos() as u64, Relaxed);
        self.sent.fetch_add(bytes as u64, Relaxed);
        if let Some(ended) = self.ended.get(end) {
            ended.fetch_add(1, Relaxed);
        }
        #[cfg(feature = "metrics")]
        self.facade.end(end, bytes, took);
    }

    pub(super) fn retry(&self) {
        self.retries.fetch_add(1, Relaxed);
        #[cfg(feature = "metrics")]
        self.facade.retry();
    }

    /// Calls that began and did not end. What is counted meanwhile never makes it less than none.
    pub(super) fn in_flight(&self) -> u64 {
        let ended: u64 = self.ended.iter().map(|count| count.load(Relaxed)).sum();
        self.started.load(Relaxed).saturating_sub(ended)
    }
}

/// What happened beside calls; rare enough for a lock.
#[derive(Default)]
pub(super) struct Conns {
    /// By protocol.
    pub(super) spoken: BTreeMap<&'static str, Spoken>,
    /// By protocol and reason.
    pub(super) closed: BTreeMap<(&'static str, &'static str), u64>,
    /// By reason.
    pub(super) refused: BTreeMap<&'static str, u64>,
    /// By service and method.
    pub(super) held: BTreeMap<(String, String), u64>,
}

/// Connections of one protocol.
#[derive(Default)]
pub(super) struct Spoken {
    pub(super) open: u64,
    pub(super) all: u64,
}

/// What is spoken while nobody knows.
const NONE: &str = "none";

impl Conns {
    pub(super) fn count(&mut self, happening: &Happening<'_>) {
        let named = |name| if str::is_empty(name) { NONE } else { name };
        #[cfg(feature = "metrics")]
        super::facade::happened(happening, named);
        match happening {
            Happening::Refused { why, .. } => *self.refused.entry(why).or_default() += 1,
            Happening::Opened { .. } => self.spoken.entry(NONE).or_default().open += 1,
            Happening::Speaks { protocol, before, .. } => {
                self.leave(named(before));
                let spoken = self.spoken.entry(named(protocol)).or_default();
                (spoken.open, spoken.all) = (spoken.open + 1, spoken.all + 1);
            }
            Happening::Closed { protocol, why, .. } => {
                self.leave(named(protocol));
                *self.closed.entry((named(protocol), why)).or_default() += 1;
            }
            Happening::Held { service, method, .. } => {
                let names = ((*service).to_owned(), (*method).to_owned());
                *self.held.entry(names).or_default() += 1;
            }
        }
    }

    fn leave(&mut self, protocol: &'static str) {
        let spoken = self.spoken.entry(protocol).or_default();
        spoken.open = spoken.open.saturating_sub(1);
    }
}
