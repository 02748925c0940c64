//! Calls by the clock: as many a second as are wanted, whatever becomes of those before, each in
//! the ledger.

use crate::{
    ledger::{Calls, Outcome},
    service::ProofClient,
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// One call that ended: when it was due and how long after that it ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// When it was due, from the start of the load.
    pub due: Duration,
    /// When it was made, later where this program did not come to it: deadlines begin here.
    pub made: Duration,
    /// How long it took from when it was due.
    pub took: Duration,
    /// What came of it.
    pub outcome: Outcome,
    /// It may be run twice.
    pub idempotent: bool,
}

impl Ended {
    /// How long it took from when it was made.
    pub fn lasted(&self) -> Duration {
        (self.due + self.took).saturating_sub(self.made)
    }
}

/// A load that runs.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Vec<Ended>>,
    /// When it began.
    pub began: Instant,
    late: Arc<AtomicU64>,
}

/// One call of either kind, in the ledger.
pub async fn one(client: &ProofClient, calls: &Calls, idempotent: bool) -> (u64, Outcome) {
    let id = calls.begin(idempotent);
    let result = match idempotent {
        true => client.read(id).await,
        false => client.run(id).await,
    };
    (id, calls.end(id, &result))
}

/// How many calls a second there are in a closed loop of so many callers.
pub async fn capacity(client: &ProofClient, calls: &Arc<Calls>, time: Duration) -> f64 {
    let (until, done) = (Instant::now() + time, Arc::new(AtomicU64::new(0)));
    let mut callers = JoinSet::new();
    for _ in 0..64 {
        let (client, calls, done) = (client.clone(), Arc::clone(calls), Arc::clone(&done));
        callers.spawn(async move {
            while Instant::now() < until {
                one(&client, &calls, true).await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while callers.join_next().await.is_some() {}
    done.load(Ordering::Relaxed) as f64 / time.as_secs_f64()
}

impl Load {
    /// So many calls a second, every other of them idempotent.
    pub fn start(client: &ProofClient, calls: &Arc<Calls>, rate: f64) -> Load {
        let (stop, began) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let (client, calls, over) = (client.clone(), Arc::clone(calls), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let ended = Arc::new(Mutex::new(Vec::new()));
            let mut running = JoinSet::new();
            let mut made = 0u64;
            while !over.load(Ordering::Relaxed) {
                let due = (began.elapsed().as_secs_f64() * rate) as u64;
                while made < due {
                    let due = Duration::from_secs_f64(made as f64 / rate);
                    let idempotent = made.is_multiple_of(2);
                    made += 1;
                    let (client, calls) = (client.clone(), Arc::clone(&calls));
                    let ended = Arc::clone(&ended);
                    running.spawn(async move {
                        let made = began.elapsed();
                        let (_, outcome) = one(&client, &calls, idempotent).await;
                        let took = began.elapsed().saturating_sub(due);
                        ended.lock().expect("no panic").push(Ended {
                            due,
                            made,
                            took,
                            outcome,
                            idempotent,
                        });
                    });
                }
                while running.try_join_next().is_some() {}
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            while running.join_next().await.is_some() {}
            let mut ended = ended.lock().expect("no panic");
            std::mem::take(&mut *ended)
        });
        let late = Arc::new(AtomicU64::new(0));
        let (over, worst) = (Arc::clone(&stop), Arc::clone(&late));
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let (since, nap) = (Instant::now(), Duration::from_millis(1));
                std::thread::sleep(nap);
                let late = since.elapsed().saturating_sub(nap).as_micros() as u64;
                worst.fetch_max(late, Ordering::Relaxed);
            }
        });
        Load { stop, task, began, late }
    }

    /// By how many milliseconds the machine was late, at worst, in waking a thread that does
    /// nothing else: nobody's calls can be sure to end any sooner.
    pub fn machine_late_ms(&self) -> f64 {
        self.late.load(Ordering::Relaxed) as f64 / 1000.0
    }

    /// Makes no more calls and waits for those that run.
    pub async fn end(self) -> Vec<Ended> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("no panic")
    }
}

/// The time, in milliseconds, that so many of a thousand of these calls did not take longer than.
pub fn permille<'a>(ended: impl Iterator<Item = &'a Ended>, of: usize) -> f64 {
    let mut times: Vec<_> = ended.map(|ended| ended.took).collect();
    times.sort_unstable();
    let at = (times.len() * of / 1000).min(times.len().saturating_sub(1));
    times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}
