//! R4 and R5: one of three servers is killed, or can be reached no more and nobody says so.

use super::{
    Run,
    restart::{Fleet, load},
};
use crate::{
    Done, PROTOCOLS,
    ledger::Outcome,
    load::{Ended, permille},
    proxy::{Fault, Proxy},
    verdict::Verdict,
};
use farcall::{ClientBuilder, Fail, Limits};
use std::time::{Duration, Instant};

/// R4.
pub(super) async fn killed(run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    for protocol in PROTOCOLS {
        verdict.add(protocol, kill_one(protocol, run).await?);
    }
    Ok(verdict)
}

async fn kill_one(protocol: &str, run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let mut fleet = Fleet::start(3)?;
    let client = Fleet::client(protocol, &fleet.places).await?;
    let load = load(&client, &fleet.calls, &mut verdict).await;
    let half = Duration::from_secs(run.seconds(20).max(6) / 2);
    tokio::time::sleep(half).await;
    let killed = load.began.elapsed();
    fleet.servers[0].signal("KILL")?;
    tokio::time::sleep(half / 2).await;
    fleet.replace(0)?;
    let back = load.began.elapsed();
    tokio::time::sleep(half / 2).await;
    let ended = load.end().await;
    let settled = fleet.settle(&mut verdict)?;
    verdict.none("failed_idempotent", settled.failed_idempotent);
    let failed = |ended: &&Ended| ended.outcome != Outcome::Ok;
    // A moment passes between the signal and its delivery.
    let around = Duration::from_millis(100);
    let flying = |ended: &Ended| ended.due <= killed + around && ended.due + ended.took >= killed;
    let elsewhere = ended.iter().filter(failed).filter(|ended| !flying(ended)).count();
    verdict.none("failed_not_in_flight", elsewhere as u64);
    let in_flight = ended.iter().filter(|ended| flying(ended)).count();
    verdict.at_most("failed_others", settled.failed_others as f64, in_flight as f64);
    let between = |from: Duration, to: Duration| {
        permille(ended.iter().filter(|ended| (from..to).contains(&ended.due)), 990)
    };
    let before = between(half / 4, killed);
    let second = Duration::from_secs(1);
    let limit = (2.0 * before).max(10.0);
    verdict.at_most("p99_ms_a_second_later", between(killed + second, back), limit);
    verdict.note("p99_ms_before", (before * 1000.0).round() / 1000.0);
    Ok(verdict)
}

/// R5.
pub(super) async fn unreachable(run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    for protocol in PROTOCOLS {
        verdict.add(protocol, hole(protocol, run).await?);
    }
    Ok(verdict)
}

/// The deadline of each call where heartbeats do not tell.
const DEADLINE: Duration = Duration::from_secs(1);

async fn hole(protocol: &str, run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let fleet = Fleet::start(3)?;
    let mut proxies = Vec::new();
    for place in &fleet.places {
        proxies.push(Proxy::before(place, run.seed).await?);
    }
    let places: Vec<_> = proxies.iter().map(|proxy| proxy.place.clone()).collect();
    let url = format!("{protocol}://{}", places.join(","));
    // Heartbeats are rpcx's alone: there deadlines are as long as they are by default, and tell
    // nothing. Elsewhere nothing else tells.
    let mut limits = Limits::default();
    if protocol != "rpcx" {
        limits.call_time = Some(DEADLINE);
    }
    let deadline = limits.call_time.unwrap_or(DEADLINE);
    let builder = ClientBuilder::new(url).fail(Fail::Over { retries: 3 }).limits(limits);
    let client = builder.build().await?;
    let load = load(&client, &fleet.calls, &mut verdict).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    proxies[0].set(Fault::Hole);
    let (fallen, since) = (load.began.elapsed(), Instant::now());
    // Whoever still sends requests there has not noticed.
    let (mut last, mut noticed) = (proxies[0].passed().0, Instant::now());
    let watch = Duration::from_secs(run.seconds(15).max(12));
    let mut late = 0;
    while since.elapsed() < watch {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = proxies[0].passed().0;
        if now != last {
            (last, noticed) = (now, Instant::now());
            late += u64::from(since.elapsed() > Duration::from_secs(10));
        }
    }
    let until = load.began.elapsed();
    proxies[0].set(Fault::None);
    verdict.note("machine_late_ms", load.machine_late_ms());
    let ended = load.end().await;
    verdict.at_most("detected_s", (noticed - since).as_secs_f64(), 5.0);
    verdict.none("sent_there_after_10_s", late);
    let late = deadline + Duration::from_millis(50);
    let slow = ended.iter().filter(|ended| ended.lasted() > late).count();
    verdict.none("beyond_the_deadline", slow as u64);
    let worst = ended.iter().map(Ended::lasted).max().unwrap_or_default();
    verdict.note("slowest_ms", worst.as_millis() as u64);
    let made = ended.iter().map(|ended| ended.made.saturating_sub(ended.due)).max();
    verdict.note("made_late_ms", made.unwrap_or_default().as_millis() as u64);
    let settled = fleet.settle(&mut verdict)?;
    let failed = ended.iter().filter(|e| e.outcome != Outcome::Ok);
    let later = failed.filter(|e| e.due > fallen + Duration::from_secs(10) && e.due < until);
    verdict.none("failed_after_10_s", later.count() as u64);
    verdict.note("failed", settled.failed_idempotent + settled.failed_others);
    Ok(verdict)
}
