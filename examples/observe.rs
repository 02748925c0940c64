//! What servers and clients tell, and a server holds back: a plugin made from nothing, metrics on a
//! port of their own, spans, a log of slow calls, a rate. `cargo run --example observe`.

use farcall::{
    CallInfo, CallLog, Cx, Metrics, Moments, Outcome, Plugin, Rate, RateLimit, Result, Server,
    Status, Verdict,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

#[farcall::service]
trait Shelf {
    async fn put(&self, book: String) -> Result<()>;
    async fn find(&self, cx: &Cx, book: String) -> Result<String>;
}

struct Library;

impl Shelf for Library {
    async fn put(&self, _: String) -> Result<()> {
        Ok(())
    }
    async fn find(&self, cx: &Cx, book: String) -> Result<String> {
        if let Some(trace) = cx.trace() {
            tracing::info!(trace = trace.trace_id(), "somebody looks for a book");
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        Ok(format!("{book}: third row"))
    }
}

/// Refuses what writes while it is on, and counts what failed.
#[derive(Clone, Default)]
struct Maintenance(Arc<State>);

#[derive(Default)]
struct State {
    on: AtomicBool,
    failed: AtomicU64,
}

impl Plugin for Maintenance {
    fn moments(&self) -> Moments {
        Moments::CALL | Moments::REPLY
    }

    fn on_call(&self, cx: &Cx) -> Verdict {
        match cx.method() == "Put" && self.0.on.load(Relaxed) {
            true => Verdict::Stop(Status::unavailable("the shelves are being dusted")),
            false => Verdict::Go,
        }
    }

    fn on_reply(&self, call: &CallInfo<'_>, outcome: Outcome<'_>) {
        // Names of methods that do not exist are the caller's: they are not to be counted by.
        if call.exists() && matches!(outcome, Outcome::Failed(_)) {
            self.0.failed.fetch_add(1, Relaxed);
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    // Any subscriber will do; this one writes events, and the spans they happened in.
    tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).init();

    let (metrics, maintenance) = (Metrics::new(), Maintenance::default());
    let server = Server::new()
        .add(ShelfServer::new(Library))
        .traced()
        .plug(metrics.clone())
        .plug(CallLog::new().slow(Duration::from_millis(20)))
        .plug(RateLimit::new().peer(Rate::per_second(100)).at_once(1_000))
        .plug(maintenance.clone());

    // The page has a port of its own: no port of the services shows it.
    let page = metrics.listen("http://127.0.0.1:0").await?;
    println!("metrics on {}", page.addresses()[0]);
    tokio::spawn(page.run());

    let bound = server.listen("tcp://127.0.0.1:0").await?;
    let url = bound.addresses()[0].replace("tcp://", "rpcx://");
    tokio::spawn(bound.run());
    let shelf = ShelfClient::builder(url).plug(metrics.client("shelf")).build().await?;
    println!("{}", shelf.find("Ulysses".into()).traced().await?);
    maintenance.0.on.store(true, Relaxed);
    if let Err(status) = shelf.put("Ulysses".into()).await {
        println!("{status}");
    }
    println!("{} failed", maintenance.0.failed.load(Relaxed));
    for line in metrics.text().lines().filter(|line| line.contains("calls_total{")) {
        println!("{line}");
    }
    Ok(())
}
