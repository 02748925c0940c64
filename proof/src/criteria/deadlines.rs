//! R6: deadlines over three hops. Callers get their answer or their deadline in time, and no
//! handler works on for a caller who has gone.

use super::{Run, ms};
use crate::{Done, proxy::Dice, verdict::Verdict};
use farcall::{Code, Cx, Result, Server, Status};
use farcall_it::services::Running;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinSet};

const HOPS: usize = 3;

/// What a hop says whose next one did not answer in time.
const LATER: &str = "no answer from the next hop in time";

/// Calls at once: enough to meet each other, few enough for timers to ring when they should. Over
/// HTTP each deadline that passes costs three connections.
fn together(protocol: &str) -> usize {
    if protocol == "http" { 16 } else { 100 }
}

#[farcall::service(name = "Hop")]
trait Hop {
    async fn go(&self, cx: &Cx, id: u64, millis: u64) -> Result<u64>;
}

/// When the handlers of a call ended, and what time they were given.
#[derive(Default)]
struct Log {
    ended: Mutex<HashMap<u64, Instant>>,
    left: Mutex<HashMap<u64, [Option<Duration>; HOPS]>>,
    without: AtomicU64,
}

/// A call that is over: its number, when that was, its deadline, and how long it took.
type Over = (u64, Instant, Duration, Duration);

struct Hopper {
    hop: usize,
    next: Option<HopClient>,
    log: Arc<Log>,
}

/// Notes the end of a handler, however it ends.
struct AtWork<'l>(&'l Log, u64);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.ended.lock().expect("no panic").insert(self.1, Instant::now());
    }
}

impl Hop for Hopper {
    async fn go(&self, cx: &Cx, id: u64, millis: u64) -> Result<u64> {
        let _at_work = AtWork(&self.log, id);
        let Some(left) = cx.remaining() else {
            self.log.without.fetch_add(1, Ordering::Relaxed);
            return Err(Status::internal("no deadline came along"));
        };
        self.log.left.lock().expect("no panic").entry(id).or_default()[self.hop] = Some(left);
        match &self.next {
            None => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok(id)
            }
            Some(next) => match next.go(id, millis).deadline(left).await {
                Err(status) => match status.code() {
                    Code::DeadlineExceeded => Err(Status::deadline_exceeded(LATER)),
                    // What it was told by the next, or what goes wrong here.
                    _ if status.text() == LATER => Err(Status::deadline_exceeded(LATER)),
                    _ => Err(status),
                },
                done => done,
            },
        }
    }
}

/// R6.
pub(super) async fn hops(run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    // The others have no place for a deadline on the wire.
    for protocol in ["rpcx", "http"] {
        verdict.add(protocol, chain(protocol, run).await?);
    }
    Ok(verdict)
}

async fn chain(protocol: &str, run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let log: Arc<Log> = Arc::default();
    let (mut servers, mut next): (Vec<Running>, Option<HopClient>) = (Vec::new(), None);
    for hop in (0..HOPS).rev() {
        let hopper = Hopper { hop, next: next.take(), log: Arc::clone(&log) };
        let running = Running::start(Server::new().add(HopServer::new(hopper))).await;
        let builder =
            farcall::ClientBuilder::<HopClient>::new(running.url.replace("rpcx", protocol));
        let builder = if protocol == "http" { builder.connections(64) } else { builder };
        next = Some(builder.build().await?);
        servers.push(running);
    }
    let client = next.ok_or("there are hops")?;
    let count = run.seconds.map_or(100_000, |seconds| (seconds * 200).min(100_000));
    let dice = Mutex::new(Dice(run.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1));
    let room = Arc::new(Semaphore::new(together(protocol)));
    let over: Arc<Mutex<Vec<Over>>> = Arc::default();
    let (mut calls, answered) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
    let odd = Arc::new(Mutex::new(Vec::new()));
    for id in 0..count {
        let place = Arc::clone(&room).acquire_owned().await?;
        let (deadline, millis) = {
            let mut dice = dice.lock().expect("no panic");
            (Duration::from_millis(1 + dice.below(200)), dice.below(400))
        };
        let (client, over, odd) = (client.clone(), Arc::clone(&over), Arc::clone(&odd));
        let answered = Arc::clone(&answered);
        calls.spawn(async move {
            let since = Instant::now();
            let result = client.go(id, millis).deadline(deadline).await;
            let took = since.elapsed();
            over.lock().expect("no panic").push((id, Instant::now(), deadline, took));
            match result {
                Ok(_) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                Err(status) if status.code() == Code::DeadlineExceeded => {}
                // The deadline passed at a later hop first; rpcx carries no codes.
                Err(status) if status.text() == LATER => {}
                Err(status) => odd.lock().expect("no panic").push(status.to_string()),
            }
            drop(place);
        });
        while calls.try_join_next().is_some() {}
    }
    while calls.join_next().await.is_some() {}
    tokio::time::sleep(Duration::from_millis(600)).await;
    let over = over.lock().expect("no panic");
    let mut late: Vec<f64> =
        over.iter().map(|(_, _, deadline, took)| ms(took.saturating_sub(*deadline))).collect();
    late.sort_by(f64::total_cmp);
    let at = late.len() * 999 / 1000;
    verdict.at_most("late_p999_ms", late.get(at).copied().unwrap_or(0.0), 20.0);
    verdict.note("late_worst_ms", late.last().copied().unwrap_or(0.0).round());
    let ended = log.ended.lock().expect("no panic");
    let grace = Duration::from_millis(100);
    let at_work =
        over.iter().filter(|(id, gone, ..)| ended.get(id).is_some_and(|e| *e > *gone + grace));
    verdict.none("at_work_100_ms_later", at_work.count() as u64);
    let (mut grown, mut equal, mut compared) = (0, 0, 0);
    for left in log.left.lock().expect("no panic").values() {
        for pair in left.windows(2) {
            if let [Some(before), Some(after)] = pair {
                compared += 1;
                // Wires carry whole milliseconds, rounded up.
                equal += u64::from(after >= before);
                grown += u64::from(*after > *before + Duration::from_millis(1));
            }
        }
    }
    verdict.at_least("hops_compared", f64::from(compared), 1.0);
    verdict.none("deadline_longer_by_a_millisecond_at_next_hop", grown);
    verdict.note("deadline_not_smaller_at_next_hop", equal);
    verdict.none("without_a_deadline", log.without.load(Ordering::Relaxed));
    verdict.at_least("answered", answered.load(Ordering::Relaxed) as f64, 1.0);
    let odd = odd.lock().expect("no panic");
    verdict.none("other_failures", odd.len() as u64);
    if let Some(one) = odd.first() {
        verdict.note("example", one.clone());
    }
    verdict.note("calls", count);
    Ok(verdict)
}
