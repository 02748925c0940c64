//! Servers that say goodbye: what they did not take runs elsewhere, whatever a call does when it
//! fails, and it costs nothing of what there is for failures.

use super::{
    PROTOCOLS,
    kit::{Runs, Victim, addresses, builder, quick, shares, three, until},
};
use farcall::{Client, Code, Fail, Limits, Result, Sent, Server, Status};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

/// Nothing is to be spent on failures.
fn broke() -> Limits {
    Limits { retry_budget: 0, ..quick() }
}

/// One server after another leaves under load and comes back.
async fn leaving(protocol: &str, fail: Fail) -> Result<()> {
    let runs = Runs::default();
    let mut servers = three(&runs).await;
    let client = builder(protocol, &addresses(&servers)).limits(broke()).fail(fail).build().await?;
    let all = async || shares(&client, 9).await.iter().all(|n| *n > 0);
    until("all are open", all).await;
    let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let caller = |_| {
        let (client, stop, next) = (client.clone(), stop.clone(), next.clone());
        tokio::spawn(async move {
            let mut failed = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let id = next.fetch_add(1, Ordering::Relaxed);
                failed.extend(client.write(id).await.err());
            }
            failed
        })
    };
    let callers: Vec<_> = (0..24).map(caller).collect();
    for at in [1, 0, 2] {
        let goal = next.load(Ordering::Relaxed) + 300;
        let made = || std::future::ready(next.load(Ordering::Relaxed) > goal);
        until("calls are made", made).await;
        let address = servers[at].address.clone();
        servers[at].leave().await;
        let name = at as u64;
        servers[at] = Victim::start_at(name, &runs, &address).await;
        until("it is called again", async || shares(&client, 9).await[at] > 0).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut failed: Vec<Status> = Vec::new();
    for caller in callers {
        failed.extend(caller.await.expect("no panic"));
    }
    assert!(failed.is_empty(), "{protocol}: {failed:?}");
    let runs = runs.lock().expect("no panic");
    let once = |id| runs.get(&id) == Some(&1);
    let ids = 0..next.load(Ordering::Relaxed);
    assert_eq!(ids.filter(|id| !once(*id)).count(), 0, "{protocol}: lost, or run twice");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_leave_lose_nothing() -> Result<()> {
    // The others have no word that comes before what they refuse: see below.
    for protocol in ["rpcx", "netrpc"] {
        leaving(protocol, Fail::Fast).await?;
        leaving(protocol, Fail::Over { retries: 3 }).await?;
        leaving(protocol, Fail::Try { retries: 3 }).await?;
    }
    Ok(())
}

/// A server that refuses every call, as one does that is leaving.
async fn refuses() -> String {
    let listener = super::kit::hole().await;
    let at = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (read, mut write) = socket.into_split();
                let mut lines = BufReader::new(read).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let id = line.split("\"id\":").nth(1).unwrap_or("0");
                    let id: String = id.chars().take_while(char::is_ascii_digit).collect();
                    let text = Status::leaving();
                    let error = format!("{{\"code\":-32000,\"message\":\"{}\"}}", text.text());
                    let reply = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}\n");
                    let _ = write.write_all(reply.as_bytes()).await;
                }
            });
        }
    });
    at
}

#[tokio::test]
async fn what_a_leaving_server_refuses_runs_elsewhere() -> Result<()> {
    let runs = Runs::default();
    let server = Victim::start(2, &runs).await;
    for fail in [Fail::Fast, Fail::Try { retries: 1 }, Fail::Over { retries: 1 }] {
        let at = [refuses().await, refuses().await, server.address.clone()];
        let client = builder("jsonrpc", &at).limits(broke()).fail(fail).build().await?;
        for id in 0..20 {
            assert_eq!(client.write(id).await?, id, "{fail:?}");
        }
    }
    // Where all are leaving, the call ends, and says whom it has asked.
    let at = [refuses().await, refuses().await];
    let client = builder("jsonrpc", &at).limits(broke()).build().await?;
    let status = client.write(99).await.expect_err("nobody takes it");
    assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::No), "{status}");
    let asked = at.iter().all(|at| status.to_string().contains(&**at));
    assert!(asked && status.attempts() > 2 && status.is_leaving(), "{status}");
    assert!(runs.lock().expect("no panic").get(&99).is_none());
    Ok(())
}

/// A call that is on its way to be read when the server leaves is refused, and its client asks the
/// next: over one address, the successor.
#[tokio::test]
async fn one_address_is_asked_again_when_its_server_has_left() -> Result<()> {
    for protocol in PROTOCOLS {
        let limits = Limits { goodbye: Duration::ZERO, ..quick() };
        let server = Server::new()
            .limits(limits)
            .func("Work", "Read", async |id: u64| Ok::<u64, Status>(id));
        let bound = server.listen("tcp://127.0.0.1:0").await?;
        let at = bound.addresses()[0].replace("tcp://", "");
        let stop = bound.shutdown_handle();
        let serving = tokio::spawn(bound.run());
        let client = Client::builder(format!("{protocol}://{at}")).limits(broke()).build().await?;
        assert_eq!(client.call_as::<u64, u64>("Work.Read", 1).await?, 1);
        stop.shutdown();
        serving.await.expect("no panic")?;
        let runs = Runs::default();
        let _successor = Victim::start_at(0, &runs, &at).await;
        assert_eq!(client.call_as::<u64, u64>("Work.Read", 2).await?, 2, "{protocol}");
    }
    Ok(())
}

/// The words of a server that is leaving, out of the mouth of a handler that has run: they may be
/// what another server told it. They make nobody run it again.
#[tokio::test]
async fn a_handler_cannot_say_that_it_did_not_run() -> Result<()> {
    const WORDS: &str = "the server is leaving; this call was not run";
    for protocol in PROTOCOLS {
        for status in [Status::from(WORDS), Status::unavailable(WORDS)] {
            let runs = Arc::new(AtomicU64::new(0));
            let (counted, said) = (Arc::clone(&runs), status.clone());
            let server = Server::new().func("Work", "Write", move |(): ()| {
                counted.fetch_add(1, Ordering::SeqCst);
                std::future::ready(Err::<(), _>(said.clone()))
            });
            let bound = server.listen("tcp://127.0.0.1:0").await?;
            let at = bound.addresses()[0].replace("tcp://", "");
            let serving = tokio::spawn(bound.run());
            let builder = Client::builder(format!("{protocol}://{at}"));
            let client = builder.fail(Fail::Over { retries: 3 }).build().await?;
            let failed = client.call_as::<(), ()>("Work.Write", ()).await.expect_err("it failed");
            assert_eq!(runs.load(Ordering::SeqCst), 1, "{protocol}: {failed}");
            assert_eq!(failed.sent(), Sent::Yes, "{protocol}: {failed}");
            assert!(failed.text().contains(WORDS), "{protocol}: {failed}");
            serving.abort();
        }
    }
    Ok(())
}
