//! Peers that call and never read: what is kept for them is bounded, they are closed, and their
//! neighbours are served.

use super::{Run, bombs::warm, silent::compare};
use crate::{
    Done, PROTOCOLS,
    neighbour::beside,
    peers::calls_for,
    process::{Process, Start},
    service::ProofClient,
    verdict::Verdict,
};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

const MIB: f64 = (1 << 20) as f64;
/// What each answer is asked to be.
const ANSWER: u64 = 4 << 20;
const PEERS: usize = 10;
const CALLS: usize = 50;

/// The criterion.
pub(super) async fn deaf(run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let stall = Duration::from_secs(run.seconds(30).clamp(3, 30));
    let start = Start::serve().limit("write_stall", stall.as_millis() as u64);
    let asks = calls_for(ANSWER).await?;
    for protocol in PROTOCOLS {
        let Some((_, ask)) = asks.iter().find(|(name, _)| *name == protocol) else { continue };
        let ask = repeated(protocol, ask);
        let process = warm(&start).await?;
        let client = ProofClient::connect(process.url("rpcx")).await?;
        let before = (process.resident()?, client.state().await?[0] as f64, process.descriptors()?);
        let since = Instant::now();
        let ((sockets, held), times) = beside(&process.url("rpcx"), async {
            let sockets = peers(&process, &ask, None).await?;
            let mut held = 0f64;
            while since.elapsed() < stall.min(Duration::from_secs(4)) {
                held = held.max(process.resident()? - before.0);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok((sockets, held))
        })
        .await?;
        // One answer beyond the limit of 4 MiB, and the one that is being made; JSON's are longer.
        let factor = if matches!(protocol, "jsonrpc" | "http") { 4.0 / 3.0 } else { 1.0 };
        let most = 4.0 + 3.0 * 4.0 * factor;
        verdict.at_most(format!("{protocol}.mib_each"), held / MIB / PEERS as f64, most);
        let until = Instant::now() + stall + Duration::from_secs(8);
        while process.descriptors()? > before.2 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let open = process.descriptors()?.saturating_sub(before.2) as u64;
        verdict.none(format!("{protocol}.not_closed"), open);
        let took = since.elapsed().as_secs_f64();
        verdict.at_most(format!("{protocol}.closed_s"), took, stall.as_secs_f64() + 4.0);
        drop(sockets);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let after = client.state().await?[0] as f64;
        verdict.at_most(format!("{protocol}.in_use_after_kib"), (after - before.1) / 1024.0, 256.0);
        // The same calls by those who read, as many bytes at a time.
        let (_, control) = beside(&process.url("rpcx"), async {
            peers(&process, &ask, Some(Duration::from_secs(3))).await
        })
        .await?;
        let mut part = Verdict::new();
        part.none("neighbour.failed", times.failed);
        compare(&mut part, &times, &control);
        verdict.add(protocol, part);
    }
    Ok(verdict)
}

/// Many of the same call; over net/rpc types are described once.
fn repeated(protocol: &str, call: &[u8]) -> Vec<u8> {
    if protocol != "netrpc" {
        return call.repeat(CALLS);
    }
    let messages = super::bombs::gob_messages(call);
    // The header and the argument are the values; what is before them are types, said once.
    let at = |n: usize| messages.get(n).map_or(call.len(), |message| message.0);
    let values: Vec<&[u8]> = (0..messages.len())
        .filter(|n| is_value(&call[messages[*n].1..]))
        .map(|n| &call[at(n)..at(n + 1)])
        .collect();
    let mut all = call.to_vec();
    (1..CALLS).for_each(|_| values.iter().for_each(|value| all.extend_from_slice(value)));
    all
}

/// A gob message with a value begins with a number above zero; gob folds the sign into bit 0.
fn is_value(content: &[u8]) -> bool {
    match content {
        [small @ ..128, ..] => small & 1 == 0,
        [wide, rest @ ..] => {
            let last = rest.get(usize::from(255 - wide));
            last.is_some_and(|last| last & 1 == 0)
        }
        [] => false,
    }
}

/// Peers that ask and do not read; or do, for a while.
async fn peers(process: &Process, ask: &[u8], read: Option<Duration>) -> Done<Vec<TcpStream>> {
    let mut sockets = Vec::new();
    let mut reading = JoinSet::new();
    for _ in 0..PEERS {
        let mut socket = TcpStream::connect(process.place()).await?;
        let ask = ask.to_vec();
        // What is not read is not written either, at some point.
        let _ = tokio::time::timeout(Duration::from_millis(500), socket.write_all(&ask)).await;
        match read {
            None => sockets.push(socket),
            Some(time) => drop(reading.spawn(async move {
                let mut bytes = vec![0; 256 * 1024];
                let all = async { while let Ok(1..) = socket.read(&mut bytes).await {} };
                let _ = tokio::time::timeout(time, all).await;
            })),
        }
    }
    while reading.join_next().await.is_some() {}
    Ok(sockets)
}
