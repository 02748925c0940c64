//! Servers that hang: connections stay open, and nothing comes.

use super::{
    OVER, PROTOCOLS, Runs, Victim, WorkClient, builder, hole, quick, shares, three, until,
};
use farcall::{Code, Limits, Result, Sent, Status};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Relays to a server until it is told to hang: then it takes connections and says nothing.
async fn relay(to: String, hangs: Arc<AtomicBool>) -> String {
    let listener = hole().await;
    let at = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (to, hangs) = (to.clone(), hangs.clone());
            tokio::spawn(async move {
                let Ok(mut far) = tokio::net::TcpStream::connect(to).await else { return };
                let hung = async {
                    while !hangs.load(Ordering::Relaxed) {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                };
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
                    () = hung => {}
                }
                while hangs.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    at
}

fn watchful() -> Limits {
    Limits {
        ping_every: Duration::from_millis(40),
        ping_time: Duration::from_millis(400),
        ..quick()
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_left() -> Result<()> {
    let runs = Runs::default();
    let servers = three(&runs).await;
    let hangs = Arc::new(AtomicBool::new(false));
    let at = [
        servers[0].address.clone(),
        relay(servers[1].address.clone(), hangs.clone()).await,
        servers[2].address.clone(),
    ];
    let client = builder("rpcx", &at).limits(watchful()).fail(OVER).build().await?;
    until("all are open", async || shares(&client, 9).await.iter().all(|n| *n > 0)).await;
    // Calls that take long are waited for as long as the server answers heartbeats.
    assert!(client.sleep(1500).await.is_ok());
    hangs.store(true, Ordering::Relaxed);
    // Idempotent calls move on; all others fail as perhaps sent.
    let (reads, writes): (Vec<_>, Vec<_>) =
        (0..12).map(|id| (client.read(id).start(), client.write(100 + id).start())).unzip();
    for read in reads {
        read.await?;
    }
    for write in writes {
        if let Err(status) = write.await {
            assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::Maybe));
            assert!(status.text().contains("Limits::ping_time"), "{status}");
        }
    }
    // It takes connections, and gets no calls: it would have to answer first.
    for _ in 0..5 {
        let [one, hung, three] = shares(&client, 30).await;
        assert_eq!((hung, one + three), (0, 30));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    hangs.store(false, Ordering::Relaxed);
    until("it is back", async || shares(&client, 30).await[1] > 0).await;
    Ok(())
}

/// Waits until calls go to the two others.
async fn left(client: &WorkClient) {
    until("it is left", async || {
        let some = tokio::time::timeout(Duration::from_millis(300), shares(client, 9));
        some.await.is_ok_and(|[_, hung, _]| hung == 0)
    })
    .await;
}

#[tokio::test]
async fn a_server_in_doubt_gets_no_calls_and_loses_none() -> Result<()> {
    let servers = three(&Runs::default()).await;
    let hangs = Arc::new(AtomicBool::new(false));
    let hung = relay(servers[1].address.clone(), hangs.clone()).await;
    let at = [&*servers[0].address, &hung, &servers[2].address];
    // Nobody is taken for dead, and no call ends before it is answered.
    let limits = Limits {
        ping_every: Duration::from_millis(40),
        ping_time: Duration::from_secs(3600),
        call_time: None,
        ..quick()
    };
    let client = builder("rpcx", &at).limits(limits).build().await?;
    until("all are open", async || shares(&client, 9).await.iter().all(|n| *n > 0)).await;
    hangs.store(true, Ordering::Relaxed);
    let waiting: Vec<_> = (0..12).map(|id| client.write(id).start()).collect();
    left(&client).await;
    assert_eq!(shares(&client, 90).await[1], 0, "it is in doubt");
    hangs.store(false, Ordering::Relaxed);
    until("it is called again", async || shares(&client, 9).await[1] > 0).await;
    for waiting in waiting {
        waiting.await?;
    }
    Ok(())
}

#[tokio::test]
async fn nobody_lines_up_where_one_hangs() -> Result<()> {
    let servers = three(&Runs::default()).await;
    let hangs = Arc::new(AtomicBool::new(false));
    let hung = relay(servers[1].address.clone(), hangs.clone()).await;
    let at = [&*servers[0].address, &hung, &servers[2].address];
    let limits = Limits { connections_per_client: 2, call_time: None, ..quick() };
    let client = builder("http", &at).limits(limits).build().await?;
    until("all are open", async || shares(&client, 9).await.iter().all(|n| *n > 0)).await;
    hangs.store(true, Ordering::Relaxed);
    let waiting: Vec<_> = (0..6).map(|id| client.write(id).start()).collect();
    left(&client).await;
    assert_eq!(shares(&client, 90).await[1], 0, "its connections are taken");
    hangs.store(false, Ordering::Relaxed);
    until("it is called again", async || shares(&client, 9).await[1] > 0).await;
    for waiting in waiting {
        waiting.await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_hole_is_found_by_heartbeats_and_never_without_calls() -> Result<()> {
    let silent = hole().await;
    let at = silent.local_addr().expect("an address").to_string();
    let client = builder("rpcx", &[&at]).limits(watchful()).build().await?;
    let (mut taken, _) = silent.accept().await.expect("a connection");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut bytes = [0; 64];
    assert!(taken.try_read(&mut bytes).is_err(), "nobody calls, nothing is sent");
    let status = client.write(1).await.expect_err("nobody answers");
    assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::Maybe), "{status}");
    // The next connection has to prove itself before anything is sent on it.
    let status = client.write(2).await.expect_err("nobody answers");
    assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::No), "{status}");
    let mut all = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut taken, &mut all).await.expect("it was closed");
    // Two frames: the call, and one heartbeat.
    assert_eq!(all.iter().filter(|byte| **byte == 0x08).count().min(2), 2);
    Ok(())
}

/// Deadlines tell, before any heartbeat does.
fn by_deadlines() -> Limits {
    Limits {
        ping_every: Duration::from_secs(3600),
        hung_time: Duration::from_millis(500),
        call_time: Some(Duration::from_secs(1)),
        ..quick()
    }
}

/// So many calls at once: who answered them, and what they failed with.
async fn crowd(client: &WorkClient, calls: usize) -> (Vec<u64>, Vec<Status>) {
    let calls: Vec<_> = (0..calls).map(|_| client.name().start()).collect();
    let (mut names, mut failed) = (Vec::new(), Vec::new());
    for call in calls {
        match call.await {
            Ok(name) => names.push(name),
            Err(status) => failed.push(status),
        }
    }
    (names, failed)
}

/// One of three hangs: after a few calls that ran into their deadlines it gets no more, until it
/// answers again.
async fn one_hangs(protocol: &str) -> Result<()> {
    let servers = three(&Runs::default()).await;
    let hangs = Arc::new(AtomicBool::new(false));
    let hung = relay(servers[1].address.clone(), hangs.clone()).await;
    let at = [&*servers[0].address, &hung, &servers[2].address];
    let client = builder(protocol, &at).limits(by_deadlines()).build().await?;
    let called = async || crowd(&client, 12).await.0.contains(&1);
    until("it is called", called).await;
    hangs.store(true, Ordering::Relaxed);
    let lost = |failed: &[Status]| failed.iter().any(|status| status.peer() == Some(&hung));
    let (mut losses, mut left) = (0, 0);
    while left < 30 {
        let lost = lost(&crowd(&client, 12).await.1);
        left = if lost { 0 } else { left + 1 };
        losses += usize::from(lost);
        assert!(losses < 100, "{protocol}: never left");
    }
    assert!(losses > 0, "{protocol}: somebody has to notice");
    assert!(!lost(&crowd(&client, 100).await.1), "{protocol}: it is called all the same");
    hangs.store(false, Ordering::Relaxed);
    until("it is called again", called).await;
    Ok(())
}

#[tokio::test]
async fn one_of_three_is_left_over_rpcx() -> Result<()> {
    one_hangs("rpcx").await
}

#[tokio::test]
async fn one_of_three_is_left_over_netrpc() -> Result<()> {
    one_hangs("netrpc").await
}

#[tokio::test]
async fn one_of_three_is_left_over_jsonrpc() -> Result<()> {
    one_hangs("jsonrpc").await
}

#[tokio::test]
async fn one_of_three_is_left_over_http() -> Result<()> {
    one_hangs("http").await
}

#[tokio::test]
async fn deadlines_end_the_only_connection() -> Result<()> {
    let server = Victim::start(0, &Runs::default()).await;
    for protocol in ["rpcx", "netrpc", "jsonrpc"] {
        let hangs = Arc::new(AtomicBool::new(false));
        let at = relay(server.address.clone(), hangs.clone()).await;
        let client = builder(protocol, &[at]).limits(by_deadlines()).build().await?;
        until("it answers", async || client.name().await.is_ok()).await;
        hangs.store(true, Ordering::Relaxed);
        until("it hangs", async || client.name().await.is_err()).await;
        let waits = client.name().no_deadline().start();
        let others = async {
            loop {
                crowd(&client, 3).await;
            }
        };
        let waits = tokio::select! {
            result = waits => result,
            () = others => Ok(0),
        };
        let status = waits.expect_err("nobody answers");
        assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::Maybe), "{status}");
        assert!(status.text().contains("Limits::hung_calls"), "{status}");
        hangs.store(false, Ordering::Relaxed);
        until("it answers again", async || client.name().await.is_ok()).await;
    }
    Ok(())
}

#[tokio::test]
async fn slow_methods_are_waited_for() -> Result<()> {
    let server = Victim::start(0, &Runs::default()).await;
    let limits = Limits { hung_time: Duration::from_secs(2), ..by_deadlines() };
    let mut clients = Vec::new();
    for protocol in PROTOCOLS {
        let client = builder(protocol, &[&server.address]).limits(limits.clone()).build().await?;
        let long = client.sleep(5000).deadline(Duration::from_secs(60)).start();
        let late = |_| client.sleep(60_000).deadline(Duration::from_millis(100)).start();
        let late: Vec<_> = (0..6).map(late).collect();
        clients.push((protocol, client, long, late));
    }
    // The server answers whoever asks, so it lives.
    for (protocol, _client, long, late) in clients {
        for late in late {
            let status = late.await.expect_err("it takes longer");
            assert_eq!(status.code(), Code::DeadlineExceeded, "{protocol}: {status}");
        }
        assert!(long.await.is_ok(), "{protocol}");
    }
    Ok(())
}
