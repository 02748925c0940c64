//! How a server is built, bound, and ended.

use farcall::{Client, Code, Limits, Result, Server, Status, json};
use farcall_it::services::{Args, ProbeClient, ProbeServer, Prober, Reply, Running, probe};
use std::time::Duration;

#[tokio::test]
async fn what_is_wrong_is_said_when_listening() {
    let twice = probe(Limits::default()).add(ProbeServer::new(Prober::default()));
    let status = twice.listen("tcp://127.0.0.1:0").await.expect_err("twice");
    assert!(status.text().contains("registered twice"), "{status}");
    let status = Server::new().listen("127.0.0.1:0").await.expect_err("no scheme");
    assert!(status.text().contains("://"), "{status}");
    let status = Server::new().speak(["smtp"]).listen("tcp://127.0.0.1:0").await;
    assert!(status.expect_err("unknown").text().contains("`smtp`"));
    let first = Server::new().listen("tcp://127.0.0.1:0").await.expect("a port");
    let taken = Server::new().listen(&first.addresses()[0]).await.expect_err("taken");
    assert_eq!(taken.code(), Code::Unavailable, "{taken}");
}

#[tokio::test]
async fn several_addresses_and_names() -> Result<()> {
    let bound = probe(Limits::default())
        .add(ProbeServer::new(Prober::default()).named("other.Probe"))
        .listen("tcp://127.0.0.1:0")
        .await?
        .listen("tcp://127.0.0.1:0")
        .await?;
    let addresses = bound.addresses();
    let stop = bound.shutdown_handle();
    let serving = tokio::spawn(bound.run());
    for address in addresses {
        let client = ProbeClient::connect(address.replace("tcp", "rpcx")).await?;
        assert_eq!(client.mul(Args { a: 6, b: 7 }).await?.c, 42);
        assert_eq!(client.named("other.Probe").mul(Args { a: 6, b: 7 }).await?.c, 42);
    }
    stop.shutdown();
    serving.await.expect("no panic")
}

#[tokio::test]
async fn draining_finishes_what_runs() -> Result<()> {
    let mut running = Running::start(probe(Limits::default())).await;
    let client = ProbeClient::connect(&running.url).await?;
    let idle = ProbeClient::connect(&running.url).await?;
    assert_eq!(idle.add(1, 2).await?, 3);
    let calls: Vec<_> = (0..10).map(|_| tokio::spawn(client.sleep(150))).collect();
    while client.sleep(0).await? <= 10 {}
    running.stop();
    for call in calls {
        assert!(call.await.expect("no panic")? <= 11);
    }
    (&mut running.task).await.expect("no panic")?;
    let status = client.add(1, 2).await.expect_err("the server is gone");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    Ok(())
}

#[tokio::test]
async fn draining_has_a_limit() -> Result<()> {
    let limits = Limits { drain_time: Duration::from_millis(50), ..Limits::default() };
    let mut running = Running::start(probe(limits)).await;
    let client = ProbeClient::connect(&running.url).await?;
    let call = tokio::spawn(client.sleep(60_000).no_deadline());
    while client.sleep(0).await? < 2 {}
    running.stop();
    let status = (&mut running.task).await.expect("no panic").expect_err("still busy");
    assert!(status.text().contains("Limits::drain_time"), "{status}");
    call.abort();
    Ok(())
}

#[tokio::test]
async fn functions_and_closures_are_methods() -> Result<()> {
    async fn double(n: i64) -> Result<i64> {
        n.checked_mul(2).ok_or_else(|| Status::out_of_range("too large to double"))
    }
    let factor = 5;
    let server = probe(Limits::default()).func("Probe", "Double", double).func(
        "Extra",
        "Times",
        move |args: Args| async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(Reply { c: args.a * args.b * factor })
        },
    );
    let client = Client::over(server.memory());
    assert_eq!(client.call("Probe.Double", json!(21)).await?, json!(42));
    let status = client.call("Probe.Double", json!(i64::MAX)).await.expect_err("too large");
    assert_eq!(status.text(), "too large to double");
    let reply: Reply = client.call_as("Extra.Times", Args { a: 2, b: 3 }).await?;
    assert_eq!(reply.c, 30);
    let twice = Server::new().func("A", "b", double).func("A", "b", double);
    let status = twice.listen("tcp://127.0.0.1:0").await.expect_err("twice");
    assert!(status.text().contains("A.b is registered twice"), "{status}");
    Ok(())
}
