//! Several addresses: who is called, what is called again, and what never is.

mod hung;
mod kit;
mod leaving;

use farcall::{Client, Code, Fail, Limits, Result, Select, Sent, Value};
use kit::{
    OVER, Runs, Victim, WorkClient, addresses, builder, hole, nobody, quick, shares, three, until,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

const PROTOCOLS: [&str; 4] = ["rpcx", "netrpc", "jsonrpc", "http"];

#[tokio::test]
async fn addresses_take_turns() -> Result<()> {
    let servers = three(&Runs::default()).await;
    let at = addresses(&servers);
    for protocol in PROTOCOLS {
        let client = builder(protocol, &at).build().await?;
        until("all are open", async || shares(&client, 30).await == [10; 3]).await;
        let client = builder(protocol, &at).select(Select::Random).build().await?;
        until("all are open", async || shares(&client, 9).await.iter().all(|n| *n > 0)).await;
        let client = builder(protocol, &at).select(Select::First).build().await?;
        until("the first is open", async || shares(&client, 9).await == [9, 0, 0]).await;
    }
    let url = format!("rpcx://{}/Work", at.join(","));
    let client = Client::connect(&url).await?;
    assert_eq!(client.target().address.to_string(), at.join(","));
    assert_eq!(client.call("Work.Read", Value::from(7)).await?, Value::from(7));
    client.close().await?;
    let status = client.call("Work.Read", Value::from(7)).await.expect_err("it is closed");
    assert_eq!(status.code(), Code::Cancelled, "{status}");
    Ok(())
}

#[tokio::test]
async fn wrong_addresses_are_named() {
    for (url, list, why) in [
        ("rpcx:///Work", &[][..], "is empty"),
        ("rpcx:///Work", &["h"], "no port"),
        ("rpcx:///Work", &["h:1", "h:1"], "there twice"),
        ("rpcx:///Work", &["h:1/x"], "not one HOST:PORT"),
        ("rpcx", &["h:1"], "no `://`"),
    ] {
        let status = Client::builder(url).addresses(list).lazy().expect_err(why);
        assert!(status.text().contains(why), "{status}");
    }
}

/// One of three is killed in the middle of load, and comes back: what is lost, and what ran twice.
async fn killed(protocol: &str, idempotent: bool) -> Result<()> {
    const CALLERS: u64 = 24;
    let runs = Runs::default();
    let mut servers = three(&runs).await;
    let client = builder(protocol, &addresses(&servers)).fail(OVER).build().await?;
    until("all are open", async || shares(&client, 9).await.iter().all(|n| *n > 0)).await;
    let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let caller = |_| {
        let (client, stop, next) = (client.clone(), stop.clone(), next.clone());
        tokio::spawn(async move {
            let mut failed = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let id = next.fetch_add(1, Ordering::Relaxed);
                let result = match idempotent {
                    true => client.read(id).await,
                    false => client.write(id).await,
                };
                failed.extend(result.err().map(|status| (id, status)));
            }
            failed
        })
    };
    let callers: Vec<_> = (0..CALLERS).map(caller).collect();
    let done = |more: u64| {
        let (next, goal) = (next.clone(), next.load(Ordering::Relaxed) + more);
        until("calls are made", move || std::future::ready(next.load(Ordering::Relaxed) > goal))
    };
    done(300).await;
    let address = servers[1].address.clone();
    servers[1].kill();
    done(500).await;
    servers[1] = Victim::start_at(1, &runs, &address).await;
    until("it is called again", async || shares(&client, 9).await[1] > 0).await;
    stop.store(true, Ordering::Relaxed);
    let mut failed = Vec::new();
    for caller in callers {
        failed.extend(caller.await.expect("no panic"));
    }
    let runs = runs.lock().expect("no panic");
    if idempotent {
        assert!(failed.is_empty(), "{protocol}: {failed:?}");
    } else {
        assert!(failed.len() as u64 <= CALLERS, "{protocol}: {failed:?}");
        assert!(failed.iter().all(|(_, s)| s.sent() == Sent::Maybe), "{protocol}: {failed:?}");
        let twice: Vec<_> = runs.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "{protocol}: {twice:?} ran twice");
    }
    // Whatever did not fail has run.
    let failed: Vec<_> = failed.into_iter().map(|(id, _)| id).collect();
    let missing = |id: &u64| !failed.contains(id) && !runs.contains_key(id);
    assert_eq!((0..next.load(Ordering::Relaxed)).find(missing), None, "{protocol}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_killed_and_no_idempotent_call_is_lost() -> Result<()> {
    for protocol in PROTOCOLS {
        killed(protocol, true).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_killed_and_nothing_runs_twice() -> Result<()> {
    for protocol in PROTOCOLS {
        killed(protocol, false).await?;
    }
    Ok(())
}

#[tokio::test]
async fn whom_nobody_can_reach_is_not_waited_for() -> Result<()> {
    let server = Victim::start(2, &Runs::default()).await;
    for protocol in PROTOCOLS {
        let at = [nobody().await, server.address.clone(), nobody().await];
        // Nothing was sent, so picking another is no matter of `Fail`.
        let client = builder(protocol, &at).lazy()?;
        assert_eq!(shares(&client, 20).await, [0, 0, 20], "{protocol}");
    }
    Ok(())
}

#[tokio::test]
async fn all_addresses_are_named_where_none_can_be_reached() -> Result<()> {
    for protocol in PROTOCOLS {
        let at = [nobody().await, nobody().await, nobody().await];
        let status = builder(protocol, &at).build().await.expect_err("nobody is there");
        assert_eq!((status.code(), status.earlier().len()), (Code::Unavailable, 3), "{status}");
        let client = builder(protocol, &at).fail(Fail::Over { retries: 1 }).lazy()?;
        let status = client.write(1).await.expect_err("nobody is there");
        assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::No), "{status}");
        assert_eq!((status.attempts(), status.earlier().len()), (2, 6), "{status}");
        for address in &at {
            let said = format!("; {address}: cannot connect");
            assert_eq!(status.to_string().matches(&said).count(), 2, "{status}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn one_address_is_tried_again() -> Result<()> {
    for protocol in PROTOCOLS {
        let at = nobody().await;
        for fail in [Fail::Try { retries: 2 }, Fail::Over { retries: 2 }] {
            let client = builder(protocol, &[&at]).fail(fail).lazy()?;
            let status = client.write(1).await.expect_err("nobody is there");
            assert_eq!((status.attempts(), status.earlier().len()), (3, 2), "{status}");
            assert!(status.to_string().contains(", 3 attempts, not sent]"), "{status}");
        }
        let client = builder(protocol, &[&at]).lazy()?;
        let status = client.read(1).await.expect_err("nobody is there");
        assert_eq!((status.attempts(), status.earlier().len()), (1, 0), "{status}");
        // Comes up between two attempts.
        let client = builder(protocol, &[&at]).fail(Fail::Try { retries: 1000 }).lazy()?;
        let call = tokio::spawn(async move { client.write(7).await });
        let _server = Victim::start_at(0, &Runs::default(), &at).await;
        assert_eq!(call.await.expect("no panic")?, 7, "{protocol}");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_server_answers_is_the_result() -> Result<()> {
    for protocol in PROTOCOLS {
        let runs = Runs::default();
        let servers = three(&runs).await;
        let client = builder(protocol, &addresses(&servers)).fail(OVER).build().await?;
        let status = client.refuse(1).await.expect_err("it says so");
        assert_eq!((status.attempts(), status.sent()), (1, Sent::Yes), "{protocol}: {status}");
        assert_eq!(runs.lock().expect("no panic")[&1], 1, "{protocol}");
    }
    Ok(())
}

#[tokio::test]
async fn attempts_share_one_deadline() -> Result<()> {
    for protocol in PROTOCOLS {
        let at = [nobody().await, nobody().await];
        let client = builder(protocol, &at).fail(Fail::Over { retries: 1_000_000 }).lazy()?;
        let began = Instant::now();
        let call = client.write(1).deadline(Duration::from_millis(200)).await;
        let status = call.expect_err("nobody is there");
        assert!(began.elapsed() < Duration::from_secs(20), "{protocol}: {status}");
        assert!(status.attempts() > 1, "{protocol}: {status}");
        // A server that answers nothing is not left for another when the time is up.
        let silent = hole().await;
        let at = silent.local_addr().expect("an address").to_string();
        let client = builder(protocol, &[at]).fail(OVER).lazy()?;
        let status = client.read(1).deadline(Duration::from_millis(50)).await;
        let status = status.expect_err("nobody answers");
        assert_eq!((status.code(), status.attempts()), (Code::DeadlineExceeded, 1), "{status}");
    }
    Ok(())
}

#[tokio::test]
async fn a_budget_ends_retries() -> Result<()> {
    let at = [nobody().await, nobody().await];
    let limits =
        Limits { retry_budget: 50, retry_budget_percent: 0, retry_budget_per_second: 0, ..quick() };
    // A budget that is 0 from the beginning: nothing is tried again.
    let none = builder("rpcx", &at).limits(limits.clone()).fail(OVER).lazy()?;
    let status = none.write(1).await.expect_err("nobody is there");
    assert_eq!((status.attempts(), status.earlier().len()), (1, 2), "{status}");
    assert!(status.hint().is_some_and(|hint| hint.contains("Limits::retry_budget")), "{status}");
    // A hundred calls in a hundred bring one retry each.
    let limits = Limits { retry_budget_percent: 100, ..limits };
    let some = builder("rpcx", &at).limits(limits).fail(Fail::Over { retries: 9 }).lazy()?;
    let mut attempts = 0;
    for id in 0..10 {
        attempts += some.write(id).await.expect_err("nobody is there").earlier().len() / 2;
    }
    assert_eq!(attempts, 20, "ten calls, ten retries");
    Ok(())
}

#[tokio::test]
async fn a_call_by_name_says_whether_it_may_run_twice() -> Result<()> {
    for protocol in PROTOCOLS {
        let runs = Runs::default();
        let mut servers = three(&runs).await;
        let at = addresses(&servers).join(",");
        let builder = Client::builder(format!("{protocol}://{at}")).select(Select::First);
        let client = builder.limits(quick()).fail(OVER).build().await?;
        let typed = WorkClient::from_client(client.clone());
        until("the first is open", async || typed.name().await == Ok(0)).await;
        let call = || client.call_as::<u64, u64>("Work.Sleep", 400);
        let (once, twice) = (call().start(), call().idempotent().start());
        tokio::time::sleep(Duration::from_millis(100)).await;
        servers[0].kill();
        let status = once.await.expect_err("it may have run");
        assert_eq!((status.code(), status.sent()), (Code::Unavailable, Sent::Maybe), "{status}");
        assert_eq!((status.attempts(), status.peer()), (1, Some(&*servers[0].address)));
        let name = twice.await?;
        assert!(name == 1 || name == 2, "{protocol}: {name}");
    }
    Ok(())
}
