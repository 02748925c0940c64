//! What a slow handler costs the calls of other connections: measured and stated, never asserted as
//! a time. The figures are printed with `cargo test -p farcall-it neighbours -- --nocapture`.

use farcall::{Limits, Result};
use farcall_it::services::{Args, ProbeClient, Running, probe};
use std::time::{Duration, Instant};

/// p50 and p99 of another connection's calls while `busy` keeps a handler at work.
async fn latency(neighbour: &ProbeClient, busy: Duration) -> Result<(Duration, Duration)> {
    let (mut times, end) = (Vec::new(), Instant::now() + busy);
    while Instant::now() < end {
        let since = Instant::now();
        neighbour.mul(Args { a: 6, b: 7 }).await?;
        times.push(since.elapsed());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    times.sort_unstable();
    Ok((times[times.len() / 2], times[times.len() * 99 / 100]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sleeps_one_spins() -> Result<()> {
    let running = Running::start(probe(Limits::default())).await;
    let second = Duration::from_millis(1_000);
    let clients: [ProbeClient; 2] =
        [ProbeClient::connect(&running.url).await?, ProbeClient::connect(&running.url).await?];
    let [slow, neighbour] = clients;
    let quiet = latency(&neighbour, second / 4).await?;
    println!("nobody at work:        p50 {:?}, p99 {:?}", quiet.0, quiet.1);
    let calls: [(&str, farcall::Call<u64, u64>); 1] = [("a handler sleeps 1 s", slow.sleep(1_000))];
    for (what, call) in calls {
        let call = tokio::spawn(call);
        let (p50, p99) = latency(&neighbour, second).await?;
        println!("{what}:  p50 {p50:?}, p99 {p99:?}");
        call.await.expect("no panic")?;
    }
    let spins = [
        ("a handler spins 1 s in place", slow.spin(1_000)),
        ("the same, marked `spawn`", slow.spin_spawned(1_000)),
    ];
    for (what, call) in spins {
        let call = tokio::spawn(call);
        let (p50, p99) = latency(&neighbour, second).await?;
        println!("{what}: p50 {p50:?}, p99 {p99:?}");
        call.await.expect("no panic")?;
    }
    Ok(())
}
