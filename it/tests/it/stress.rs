//! Everything at once: many callers that leave, wait, panic and send much, over servers with room
//! for little that come and go. Every call ends, every answer is its question's, and nothing is
//! left.

use bytes::Bytes;
use farcall::{Code, Limits, Result, Sent};
use farcall_it::services::{Args, ProbeClient, Running, probe};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{runtime::Handle, task::JoinHandle, time::timeout};

/// Longer than every deadline that is set here: a call that takes so long was forgotten.
const FORGOTTEN: Duration = Duration::from_secs(20);

/// Numbers that look random and come again with the same seed.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

fn tight(dice: &mut Dice) -> Limits {
    Limits {
        calls_in_flight: 2 + dice.roll(7) as usize,
        client_output_bytes: 1 << dice.roll(16),
        output_bytes: 1 << dice.roll(16),
        turn_calls: 1,
        calls_per_connection: 1 + dice.roll(4) as usize,
        reconnect: (Duration::from_millis(1), Duration::from_millis(10)),
        connect_time: Duration::from_millis(500),
        drain_time: Duration::from_millis(200),
        call_time: Some(Duration::from_secs(3)),
        ..Limits::default()
    }
}

#[derive(Default)]
struct Tally {
    answered: AtomicUsize,
    failed: AtomicUsize,
    late: AtomicUsize,
}

/// One caller: questions that have one answer, until it is told to stop.
async fn call(client: ProbeClient, mut dice: Dice, stop: Arc<AtomicBool>, tally: Arc<Tally>) {
    while !stop.load(Ordering::Relaxed) {
        let round = one(&client, &mut dice);
        match timeout(FORGOTTEN, round).await.expect("every call ends") {
            Ok(()) => tally.answered.fetch_add(1, Ordering::Relaxed),
            Err(status) => {
                let code = status.code();
                let known = [Code::Unavailable, Code::DeadlineExceeded];
                assert!(known.contains(&code), "{status}");
                assert!(code != Code::Unavailable || status.sent() != Sent::Yes, "{status}");
                if code == Code::DeadlineExceeded {
                    tally.late.fetch_add(1, Ordering::Relaxed);
                }
                tally.failed.fetch_add(1, Ordering::Relaxed)
            }
        };
        if dice.roll(8) == 0 {
            tokio::task::yield_now().await;
        }
    }
}

async fn one(client: &ProbeClient, dice: &mut Dice) -> Result<()> {
    let (a, b) = (dice.roll(1 << 40) as i64, dice.roll(1 << 20) as i64);
    match dice.roll(10) {
        0 | 1 => assert_eq!(client.mul(Args { a, b }).await?.c, a.wrapping_mul(b)),
        2 => assert_eq!(client.add(a, b).await?, a + b),
        3 => assert_eq!(client.direct(Args { a, b }).await?.c, a.wrapping_mul(b)),
        4 => {
            let size = 1 << dice.roll(19);
            let body: Vec<u8> = (0..size).map(|i| (a + i) as u8).collect();
            let back = client.bytes(Bytes::from(body.clone())).await?;
            assert!(back == body, "the body of another call");
        }
        5 => drop(client.sleep(dice.roll(4)).await?),
        // Gives up, by dropping and by deadline.
        6 => {
            let call = client.sleep(5 + dice.roll(20));
            let _ = timeout(Duration::from_micros(dice.roll(5_000)), call).await;
        }
        7 => {
            let call = client.sleep(20).deadline(Duration::from_millis(1 + dice.roll(5)));
            match call.await {
                Err(status) if status.code() == Code::DeadlineExceeded => {}
                other => drop(other?),
            }
        }
        8 => client.count(0).oneway().await?,
        _ => {
            let status = client.panic(dice.roll(3)).await.expect_err("a panic");
            if status.code() != Code::Internal {
                return Err(status);
            }
            let text = "[service internal error]: the handler panicked";
            assert_eq!(status.text(), text, "another call's failure");
        }
    }
    Ok(())
}

async fn nobody_left(handle: &Handle, what: &str) {
    for _ in 0..2_000 {
        if handle.metrics().num_alive_tasks() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} tasks are left {what}", handle.metrics().num_alive_tasks());
}

fn callers(
    client: &ProbeClient,
    dice: &mut Dice,
    stop: &Arc<AtomicBool>,
    tally: &Arc<Tally>,
) -> Vec<JoinHandle<()>> {
    let each = |_| {
        let dice = Dice(dice.roll(u64::MAX >> 12) | 1);
        tokio::spawn(call(client.clone(), dice, Arc::clone(stop), Arc::clone(tally)))
    };
    (0..12).map(each).collect()
}

fn quiet() {
    // Handlers panic by the thousand here; what they say is expected.
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload_as_str().unwrap_or_default();
            if text != "secret of the handler" {
                hook(info);
            }
        }));
    });
}

#[test]
fn in_memory_nothing_is_lost() {
    quiet();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        let stop = Arc::new(AtomicBool::new(false));
        let tally = Arc::<Tally>::default();
        let mut running = Vec::new();
        for server in 0..6 {
            let bound = probe(tight(&mut dice)).listen(format!("mem://stress-{server}")).await;
            let bound = bound.expect("a free name");
            let stopped = bound.shutdown_handle();
            let serving = tokio::spawn(bound.run());
            let url = format!("rpcx+mem://stress-{server}");
            let client = ProbeClient::builder(url).limits(tight(&mut dice)).lazy().expect("a URL");
            running.extend(callers(&client, &mut dice, &stop, &tally));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(4)).await;
                stopped.shutdown();
                let _ = serving.await.expect("no panic");
            });
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        stop.store(true, Ordering::Relaxed);
        for caller in running {
            caller.await.expect("no panic");
        }
        let Tally { answered, failed, late } = &*tally;
        // The servers were there all the time, and had room again and again.
        let (answered, failed) = (answered.load(Ordering::Relaxed), failed.load(Ordering::Relaxed));
        println!("{answered} answered, {failed} failed, {late:?} of them late");
        assert!(answered > 500 && failed == 0, "{answered} answered, {failed} failed");
        nobody_left(&Handle::current(), "in memory").await;
    });
}

#[test]
fn over_tcp_with_servers_that_come_and_go() {
    quiet();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut dice = Dice(0x2545_f491_4f6c_dd1d);
        let stop = Arc::new(AtomicBool::new(false));
        let tally = Arc::<Tally>::default();
        let mut first = Running::start(probe(tight(&mut dice))).await;
        let url = first.url.clone();
        let mut running = Vec::new();
        let mut clients = Vec::new();
        for _ in 0..4 {
            let client = ProbeClient::builder(&url).limits(tight(&mut dice)).lazy().expect("a URL");
            running.extend(callers(&client, &mut dice, &stop, &tally));
            clients.push(client);
        }
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_millis(400)).await;
            first.stop();
            let _ = (&mut first.task).await.expect("no panic");
            first = again(&url, tight(&mut dice)).await;
        }
        stop.store(true, Ordering::Relaxed);
        for caller in running {
            caller.await.expect("no panic");
        }
        let (answered, failed) = (&tally.answered, &tally.failed);
        println!("{answered:?} answered, {failed:?} failed, {:?} of them late", tally.late);
        assert!(answered.load(Ordering::Relaxed) > 500, "{answered:?}");
        for client in &clients {
            // Back to normal: every slot and every place is free again.
            assert_eq!(client.add(1, 2).await.expect("an answer"), 3);
            client.client().close().await.expect("all is said");
            let status = client.add(1, 2).await.expect_err("closed");
            assert_eq!((status.code(), status.sent()), (Code::Cancelled, Sent::No), "{status}");
        }
        first.stop();
        let _ = (&mut first.task).await.expect("no panic");
        nobody_left(&Handle::current(), "over TCP").await;
    });
}

async fn again(url: &str, limits: Limits) -> Running {
    for _ in 0..500 {
        let address = url.replace("rpcx://", "tcp://");
        match Running::start_on(probe(limits.clone()), &address).await {
            Ok(running) => return running,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    panic!("the address stayed taken");
}
