//! A server with threads of its own: connections are dealt out and stay, and nothing is lost when
//! it ends.

use farcall::{Client, Limits, Moments, Peer, Plugin, Result, Server, Status, Verdict};
use std::{
    collections::HashSet,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    runtime::Builder,
    time::{sleep, timeout},
};

const SOON: Duration = Duration::from_secs(60);

/// Says on which thread it ran, before and after a wait of so many milliseconds.
fn server() -> (Server, Weak<()>) {
    let alive = Arc::new(());
    let weak = Arc::downgrade(&alive);
    let server = Server::new().per_core_of(2).func("Where", "Am", move |wait: u64| {
        let alive = Arc::clone(&alive);
        async move {
            let before = here();
            if wait > 0 {
                sleep(Duration::from_millis(wait)).await;
            }
            // A task of the handler's stays on its core, too.
            let task = tokio::spawn(async { here() }).await;
            let task = task.map_err(|error| Status::internal(error.to_string()))?;
            drop(alive);
            Ok::<_, Status>(format!("{before} {} {task}", here()))
        }
    });
    (server, weak)
}

fn here() -> String {
    std::thread::current().name().unwrap_or("?").to_owned()
}

async fn freed(weak: &Weak<()>) {
    let gone = async {
        while weak.upgrade().is_some() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, gone).await.expect("the server's threads have gone");
}

async fn ask(client: &Client, wait: u64) -> Result<String> {
    client.call_as::<u64, String>("Where.Am", wait).await
}

#[tokio::test]
async fn a_connection_stays_on_the_core_that_it_was_dealt_to() {
    let (server, weak) = server();
    let bound = server.listen("tcp://127.0.0.1:0").await.expect("it listens");
    let bound = bound.listen("mem://cores-stay").await.expect("it listens");
    let place = bound.addresses()[0].strip_prefix("tcp://").expect("tcp").to_owned();
    let stop = bound.shutdown_handle();
    let running = tokio::spawn(bound.run());
    let mut seen = HashSet::new();
    for scheme in ["rpcx", "netrpc", "jsonrpc"] {
        for _ in 0..2 {
            let url = format!("{scheme}://{place}");
            let client = Client::connect(&url).await.expect("it connects");
            let first = ask(&client, 0).await.expect("an answer");
            let names: Vec<&str> = first.split(' ').collect();
            assert!(names.iter().all(|name| *name == names[0]), "{first}");
            assert!(names[0].starts_with("farcall-core-"), "{first}");
            for wait in [3, 0, 1] {
                assert_eq!(ask(&client, wait).await.expect("an answer"), first, "{url}");
            }
            seen.insert(first);
        }
    }
    assert_eq!(seen.len(), 2, "both were dealt connections: {seen:?}");
    let memory = Client::connect("rpcx+mem://cores-stay").await.expect("it connects");
    let said = ask(&memory, 1).await.expect("an answer");
    assert!(said.starts_with("farcall-core-"), "{said}");
    stop.shutdown();
    running.await.expect("no panic").expect("it drains");
    freed(&weak).await;
}

#[tokio::test]
async fn what_runs_when_it_is_stopped_is_answered() {
    for _ in 0..5 {
        let (server, weak) = server();
        let bound = server.listen("tcp://127.0.0.1:0").await.expect("it listens");
        let url = bound.addresses()[0].replace("tcp://", "rpcx://");
        let stop = bound.shutdown_handle();
        let running = tokio::spawn(bound.run());
        let mut calls = Vec::new();
        for at in 0..40 {
            let client = Client::connect(&url).await.expect("it connects");
            calls.push(tokio::spawn(async move { ask(&client, at % 8 * 5).await }));
        }
        stop.shutdown();
        for call in calls {
            match call.await.expect("no panic") {
                Ok(_) => {}
                // It came too late, and was told so.
                Err(status) => assert_eq!(status.sent(), farcall::Sent::No, "{status}"),
            }
        }
        running.await.expect("no panic").expect("it drains");
        freed(&weak).await;
    }
}

#[tokio::test]
async fn one_that_is_dropped_tells_its_connections_and_frees_its_threads() {
    let (server, weak) = server();
    let limits = Limits { drain_time: Duration::from_millis(300), ..Limits::default() };
    let bound = server.limits(limits).listen("tcp://127.0.0.1:0").await.expect("it listens");
    let url = bound.addresses()[0].replace("tcp://", "rpcx://");
    let running = tokio::spawn(bound.run());
    let client = Client::connect(&url).await.expect("it connects");
    ask(&client, 0).await.expect("an answer");
    let waits = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, 100_000).await }
    });
    sleep(Duration::from_millis(20)).await;
    running.abort();
    let status = timeout(SOON, waits).await.expect("it ends").expect("no panic");
    status.expect_err("nobody finishes it");
    freed(&weak).await;
}

#[cfg(unix)]
#[tokio::test]
async fn unix_sockets_are_dealt_out_too() {
    let (server, weak) = server();
    let folder = std::env::temp_dir().join(format!("farcall-cores-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("socket");
    let bound = server.listen(format!("unix://{}", path.display())).await.expect("it listens");
    let stop = bound.shutdown_handle();
    let running = tokio::spawn(bound.run());
    let client =
        Client::connect(format!("rpcx+unix://{}", path.display().to_string().replace('/', "%2F")))
            .await;
    let said = ask(&client.expect("it connects"), 1).await.expect("an answer");
    assert!(said.starts_with("farcall-core-"), "{said}");
    stop.shutdown();
    running.await.expect("no panic").expect("it drains");
    freed(&weak).await;
    let _ = std::fs::remove_dir_all(folder);
}

/// How many connections came.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Plugin for Count {
    fn moments(&self) -> Moments {
        Moments::CONNECT
    }
    fn on_connect(&self, _: &Peer) -> Verdict {
        self.0.fetch_add(1, Ordering::Relaxed);
        Verdict::Go
    }
}

#[test]
fn a_client_keeps_the_connections_of_each_runtime_apart() {
    let runtime = || Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (serving, count) = (runtime(), Count::default());
    let bound = serving.block_on(server().0.plug(count.clone()).listen("tcp://127.0.0.1:0"));
    let bound = bound.expect("it listens");
    let url = bound.addresses()[0].replace("tcp://", "rpcx://");
    let stop = bound.shutdown_handle();
    let client = Client::builder(url).per_core().connections(2).lazy().expect("a client");
    std::thread::scope(|scope| {
        let running = scope.spawn(|| serving.block_on(bound.run()));
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let client = client.clone();
                scope.spawn(move || {
                    runtime().block_on(async {
                        for _ in 0..6 {
                            ask(&client, 0).await.expect("an answer");
                        }
                        client.ready().await.expect("it is open");
                    });
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().expect("no panic"));
        assert_eq!(count.0.load(Ordering::Relaxed), 6, "two for each of three runtimes");
        // Another takes what there is, until it is closed.
        let alone = runtime();
        alone.block_on(async {
            ask(&client, 0).await.expect("an answer");
            client.close().await.expect("it closes");
            let status = ask(&client, 0).await.expect_err("it is closed");
            assert_eq!(status.sent(), farcall::Sent::No, "{status}");
        });
        stop.shutdown();
        running.join().expect("no panic").expect("it drains");
    });
}
