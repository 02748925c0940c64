//! S7: a server that has no descriptors left waits without burning its processor, says so now and
//! then, serves those it has, and goes on when there are some.

use super::{Run, ms};
use crate::{Done, peers::crowd, process::Start, verdict::Verdict};
use farcall::{Client, json};
use std::time::{Duration, Instant};

/// S7.
pub(super) async fn descriptors(run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let watched = Duration::from_secs(run.seconds(10).max(4));
    // The hand tool: its log is what an operator sees.
    let listen = ["serve", "--listen", "tcp://127.0.0.1:0", "--listen", "tcp://127.0.0.1:0"];
    let process = Start::tool(&listen).descriptors(256).start()?;
    let call = |client: &Client| client.call("Arith.Mul", json!({"A": 6, "B": 7}));
    let mut friends = Vec::new();
    for _ in 0..10 {
        let client = Client::connect(process.url("rpcx")).await?;
        call(&client).await?;
        friends.push(client);
    }
    let flood = crowd(process.place(), 400, b"").await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    verdict.at_least("descriptors", process.descriptors()? as f64, 250.0);
    let (cpu, said, since) = (process.cpu()?, process.said().len(), Instant::now());
    let mut failed = 0;
    while since.elapsed() < watched {
        for friend in &friends {
            failed += u64::from(call(friend).await.is_err());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let seconds = since.elapsed().as_secs_f64();
    let used = (process.cpu()? - cpu) / seconds * 10.0;
    verdict.at_most("cpu_seconds_in_ten", used, 0.2);
    verdict.none("established_failed", failed);
    verdict.at_most("lines_a_second", (process.said().len() - said) as f64 / seconds, 1.0);
    let all = process.said();
    verdict.at_most("lines_in_all", all.len() as f64, seconds + 1.0);
    verdict.note("says", all.first().cloned().unwrap_or_default());
    drop(flood);
    let free = Instant::now();
    let client = Client::connect(process.url("rpcx")).await?;
    call(&client).await?;
    verdict.at_most("accepting_again_ms", ms(free.elapsed()), 1_000.0);
    Ok(verdict)
}
