//! TLS handshakes that stall in every way, and a client that asks to shake hands again.

use super::{
    Run,
    bombs::busy,
    ms,
    silent::{client_hello, compare},
};
use crate::{
    Done,
    neighbour::beside,
    peers::{Heard, crowd, hear},
    process::{Process, Start},
    service::ProofClient,
    verdict::Verdict,
};
use farcall_it::{certs::Authority, services::Args};
use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The criterion.
pub(super) async fn stalled(run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let limit = Duration::from_secs(run.seconds(10).max(4));
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1", "localhost"]);
    let start = Start::serve()
        .on("tls://127.0.0.1:0")
        .tls(&pair)
        .limit("handshake_time", limit.as_millis() as u64);
    let process = start.start()?;
    let url = format!("{}{}", process.url("rpcx+tls"), authority.option());
    let client = ProofClient::connect(&url).await?;
    busy(&url).await?;
    let hello = client_hello()?;
    // Each worker has buffers of its own, which it keeps: the first crowd makes them.
    drop(crowd(process.place(), 500, &hello[..250]).await?);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (live, descriptors) = (client.state().await?[0] as f64, process.descriptors()?);
    let since = Instant::now();
    let (mut all, times) = beside(&url, async {
        let mut all = Vec::new();
        // Nothing, the head of a record, half a hello, and the record before the last byte.
        for said in [0, 5, 250, 516] {
            all.extend(crowd(process.place(), 250, &hello[..said]).await?);
        }
        tokio::time::sleep(limit.saturating_sub(since.elapsed())).await;
        Ok(all)
    })
    .await?;
    let mut open = 0;
    for socket in &mut all {
        let left =
            (since + limit + Duration::from_secs(4)).saturating_duration_since(Instant::now());
        let mut heard = Heard::Bytes(Vec::new());
        while let Heard::Bytes(_) = heard {
            heard = hear(socket, left.max(Duration::from_millis(1))).await;
        }
        open += u64::from(heard != Heard::Close);
    }
    verdict.none("not_closed", open);
    let most = ms(limit) + 2_000.0;
    verdict.at_most("closed_ms", ms(since.elapsed()), most);
    drop(all);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let kept = (client.state().await?[0] as f64 - live) / 1024.0;
    verdict.at_most("in_use_after_kib", kept.max(0.0), 64.0);
    verdict.note("in_use_before", live);
    verdict.none("descriptors_left", process.descriptors()?.saturating_sub(descriptors) as u64);
    let (_, control) = beside(&url, async {
        let mut friends = Vec::new();
        for _ in 0..100 {
            friends.push(ProofClient::connect(&url).await?);
        }
        tokio::time::sleep(limit.min(Duration::from_secs(4))).await;
        Ok(friends)
    })
    .await?;
    verdict.none("neighbour.failed", times.failed);
    compare(&mut verdict, &times, &control);
    renegotiate(&process, &mut verdict)?;
    verdict.holds("alive", client.mul(Args { a: 6, b: 7 }).await?.c == 42);
    verdict.none("panics", client.state().await?[1]);
    Ok(verdict)
}

/// A client of TLS 1.2 that asks to shake hands again, a hundred times: it is refused.
fn renegotiate(process: &Process, verdict: &mut Verdict) -> Done {
    let cpu = process.cpu()?;
    let mut command = Command::new("openssl");
    command.args(["s_client", "-tls1_2", "-legacy_renegotiation", "-connect", process.place()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        verdict.note("renegotiation", "skipped: there is no openssl");
        return Ok(());
    };
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    let begun = Instant::now();
    for _ in 0..100 {
        if stdin.write_all(b"R\n").is_err() || child.try_wait()?.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(stdin);
    while child.try_wait()?.is_none() && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let said = child.wait_with_output()?;
    let text = [said.stdout, said.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    verdict.holds("renegotiation.asked", text.contains("RENEGOTIATING"));
    let refused =
        text.contains("no renegotiation") || text.contains("error") || !said.status.success();
    verdict.holds("renegotiation.refused", refused);
    let last =
        text.lines().rfind(|line| line.contains("error") || line.contains("no renegotiation"));
    verdict.note("renegotiation.says", last.unwrap_or_default());
    verdict.at_most("renegotiation.cpu_ms", (process.cpu()? - cpu) * 1000.0, 200.0);
    Ok(())
}
