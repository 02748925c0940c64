//! S6: crowds that say nothing, and crowds that say a byte a second, over plain TCP and over TLS:
//! what they cost, that they are closed when `Limits` say, and that others are served meanwhile.

use super::{
    Run,
    bombs::{busy, warm},
    ms,
};
use crate::{
    Done,
    neighbour::{Times, beside},
    peers::crowd,
    process::{Process, Start},
    service::ProofClient,
    verdict::Verdict,
};
use farcall_it::{certs::Authority, services::Args};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How much of a crowd the descriptors of this process allow.
fn most(wanted: usize) -> usize {
    let text = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    let soft = line.split_whitespace().nth(3).and_then(|n| n.parse::<usize>().ok());
    wanted.min(soft.unwrap_or(1024).saturating_sub(300) * 2 / 3)
}

/// What is told of a server before and after.
struct State {
    resident: f64,
    live: f64,
    descriptors: usize,
}

impl State {
    async fn of(process: &Process, client: &ProofClient) -> Done<State> {
        let live = client.state().await?[0] as f64;
        let (resident, descriptors) = (process.resident()?, process.descriptors()?);
        Ok(State { resident, live, descriptors })
    }
}

/// S6.
pub(super) async fn crowds(run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let silence = Duration::from_secs(run.seconds(60).max(8));
    let silent = most(run.share(10_000).max(1_000));
    verdict.note("silent", silent);
    verdict.note("slow", silent / 2);
    let millis = silence.as_millis() as u64;
    let process = warm(&Start::serve().limit("silence", millis)).await?;
    let url = process.url("rpcx");
    verdict.add("plain", one(&process, &url, false, silent, silence).await?);
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1", "localhost"]);
    let start = Start::serve().on("tls://127.0.0.1:0").tls(&pair);
    let process = start.limit("silence", millis).start()?;
    let url = format!("{}{}", process.url("rpcx+tls"), authority.option());
    busy(&url).await?;
    verdict.add("tls", one(&process, &url, true, silent, silence).await?);
    Ok(verdict)
}

async fn one(
    process: &Process,
    url: &str,
    secured: bool,
    silent: usize,
    silence: Duration,
) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let place = process.place();
    let client = ProofClient::connect(url).await?;
    // Each worker has buffers of its own, which it keeps: the first crowd makes them.
    let hello = if secured { client_hello()? } else { long_request() };
    drop(crowd(place, 500, &hello[..10]).await?);
    settled(process, &client, 0).await?;
    let before = State::of(process, &client).await?;
    let since = Instant::now();
    let mut quiet = crowd(place, silent, b"").await?;
    let opened = since.elapsed();
    settled(process, &client, before.descriptors + silent).await?;
    let with = State::of(process, &client).await?;
    let each = |of: fn(&State) -> f64| (of(&with) - of(&before)) / silent as f64 / 1024.0;
    verdict.at_most("resident_kib_each", each(|s| s.resident), if secured { 10.0 } else { 8.0 });
    verdict.note("in_use_kib_each", (each(|s| s.live) * 1000.0).round() / 1000.0);
    // Nothing moves.
    let limit = if secured { Duration::from_secs(10) } else { silence };
    let still = limit.saturating_sub(since.elapsed() + Duration::from_secs(2));
    let still = still.clamp(Duration::from_secs(2), Duration::from_secs(10));
    let cpu = process.cpu()?;
    tokio::time::sleep(still).await;
    let used = (process.cpu()? - cpu) / still.as_secs_f64() * 100.0;
    verdict.at_most("cpu_percent_when_nothing_moves", used, 0.5);
    // The slow come, too, while neighbours call.
    let slow = silent / 2;
    let begun = Instant::now();
    let mut slow = crowd(place, slow, &hello[..1]).await?;
    let (fresh, times) = beside(url, async {
        let mut worst = Duration::ZERO;
        for byte in hello[1..].iter().take(5) {
            let second = Instant::now();
            for socket in &mut slow {
                // Some may be closed by now.
                let _ = socket.write_all(&[*byte]).await;
            }
            let since = Instant::now();
            let fresh = ProofClient::connect(url).await?;
            fresh.mul(Args { a: 6, b: 7 }).await?;
            worst = worst.max(since.elapsed());
            tokio::time::sleep(Duration::from_secs(1).saturating_sub(second.elapsed())).await;
        }
        Ok(worst)
    })
    .await?;
    verdict.at_most("a_new_client_is_answered_ms", ms(fresh), 100.0);
    verdict.none("neighbour.failed", times.failed);
    // All are closed, and by whom it should be.
    let slow_limit = begun - since + Duration::from_secs(10 + 10);
    let most = (opened + limit).max(slow_limit) + Duration::from_secs(2);
    let open = gone(process, before.descriptors, since + most + Duration::from_secs(10)).await?;
    verdict.none("not_closed", open as u64);
    verdict.at_most("all_closed_s", since.elapsed().as_secs_f64(), most.as_secs_f64());
    verdict.none("slow_not_told", ended(&mut slow).await);
    verdict.none("silent_not_told", ended(&mut quiet).await);
    drop((slow, quiet));
    settled(process, &client, before.descriptors).await?;
    let end = State::of(process, &client).await?;
    // A worker that had no work before has made the buffer that it keeps.
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get()) as f64;
    let kept = end.live - before.live - workers * 64.0 * 1024.0;
    let kept = kept / (with.live - before.live) * 100.0;
    verdict.at_most("in_use_after_percent_of_the_crowds", kept.max(0.0), 1.0);
    verdict.note("in_use_before", before.live);
    verdict.note("in_use_after", end.live);
    let descriptors = end.descriptors as f64 / before.descriptors as f64;
    verdict.at_most("descriptors_after_percent", (descriptors - 1.0) * 100.0, 1.0);
    let control = control(process, url, secured, silent, hello.len()).await?;
    compare(&mut verdict, &times, &control);
    verdict.none("panics", client.state().await?[1]);
    Ok(verdict)
}

/// The neighbour's time while others misbehave, against its time while as many behave.
pub(super) fn compare(verdict: &mut Verdict, times: &Times, control: &Times) {
    // Below a few milliseconds this is the scheduler's chance, on a machine of two cores.
    let limit = (2.0 * control.permille(990)).max(5.0);
    verdict.at_most("neighbour.p99_ms", times.permille(990), limit);
    verdict.note("neighbour.control_p99_ms", (control.permille(990) * 1000.0).round() / 1000.0);
    verdict.note("neighbour.calls", times.calls());
}

/// As many connections, whose calls come by as many bytes a second.
async fn control(
    process: &Process,
    url: &str,
    secured: bool,
    silent: usize,
    call_bytes: usize,
) -> Done<Times> {
    if secured {
        // Handshakes of so many would be most of the work: a tenth of them stands for all.
        let mut friends = Vec::new();
        for _ in 0..silent / 10 {
            friends.push(ProofClient::connect(url).await?);
        }
        let idle = tokio::time::sleep(Duration::from_secs(5));
        let ((), times) = beside(url, async {
            idle.await;
            Ok(())
        })
        .await?;
        return Ok(times);
    }
    let call = farcall_it::frames::Frame::call(1, "Proof", "Mul", 3, b"\x82\xa1A\x06\xa1B\x07");
    let call = call.bytes();
    let mut all = crowd(process.place(), silent + silent / 2, &call).await?;
    let each_second = (silent / 2).div_ceil(call_bytes.min(call.len()));
    let ((), times) = beside(url, async {
        let mut bytes = vec![0; 1024];
        for _ in 0..5 {
            let second = Instant::now();
            for socket in all.iter_mut().take(each_second) {
                socket.write_all(&call).await?;
                let _ = socket.try_read(&mut bytes);
            }
            let fresh = ProofClient::connect(url).await?;
            fresh.mul(Args { a: 6, b: 7 }).await?;
            tokio::time::sleep(Duration::from_secs(1).saturating_sub(second.elapsed())).await;
        }
        Ok(())
    })
    .await?;
    Ok(times)
}

/// Waits until the server has so few descriptors again, until then at most; how many it has beyond.
async fn gone(process: &Process, descriptors: usize, until: Instant) -> Done<usize> {
    loop {
        let open = process.descriptors()?.saturating_sub(descriptors);
        if open == 0 || Instant::now() > until {
            return Ok(open);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How many have not heard that they were closed, although they were.
async fn ended(sockets: &mut [TcpStream]) -> u64 {
    let (mut open, mut bytes) = (0, [0; 4096]);
    for socket in sockets {
        let closed = async {
            loop {
                match socket.read(&mut bytes).await {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return,
                }
            }
        };
        open += u64::from(timeout(Duration::from_secs(5), closed).await.is_err());
    }
    open
}

/// Waits until the server has accepted what it should, and is quiet.
async fn settled(process: &Process, client: &ProofClient, descriptors: usize) -> Done {
    let until = Instant::now() + Duration::from_secs(15);
    let mut last = usize::MAX;
    while Instant::now() < until {
        let now = process.descriptors()?;
        if now == last && (descriptors == 0 || now == descriptors) {
            break;
        }
        last = now;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    client.mul(Args { a: 6, b: 7 }).await?;
    Ok(())
}

/// A request that is long enough to be said slowly.
fn long_request() -> Vec<u8> {
    b"POST /Proof/Mul HTTP/1.1\r\nHost: h\r\nContent-Length: 13\r\n\r\n{\"A\":6,\"B\":7}".to_vec()
}

/// The first words of a TLS client, as far as they matter: a record that claims 512 bytes.
pub(super) fn client_hello() -> Done<Vec<u8>> {
    let mut hello = vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    hello.resize(517, 0x5a);
    Ok(hello)
}
