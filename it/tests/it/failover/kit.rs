//! Servers that can be killed, hang, or never answer, and what has run on them.

use farcall::{ClientBuilder, Fail, Limits, Result, Server, ShutdownHandle};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, runtime::Runtime, task::JoinHandle};

/// How often each call has run, on all servers together.
pub(super) type Runs = Arc<Mutex<HashMap<u64, usize>>>;

/// What is called.
#[farcall::service]
pub(super) trait Work {
    /// Runs again without harm.
    #[method(idempotent)]
    async fn read(&self, id: u64) -> Result<u64>;
    /// Must not run twice.
    async fn write(&self, id: u64) -> Result<u64>;
    /// Who answers.
    #[method(idempotent)]
    async fn name(&self) -> Result<u64>;
    /// Fails as a server does that has no time.
    #[method(idempotent)]
    async fn refuse(&self, id: u64) -> Result<u64>;
    /// Takes long.
    #[method(idempotent)]
    async fn sleep(&self, millis: u64) -> Result<u64>;
}

struct Worker {
    name: u64,
    runs: Runs,
}

impl Worker {
    fn ran(&self, id: u64) {
        *self.runs.lock().expect("no panic").entry(id).or_default() += 1;
    }
}

impl Work for Worker {
    async fn read(&self, id: u64) -> Result<u64> {
        self.write(id).await
    }
    async fn write(&self, id: u64) -> Result<u64> {
        self.ran(id);
        tokio::time::sleep(Duration::from_millis(id % 3)).await;
        Ok(id)
    }
    async fn name(&self) -> Result<u64> {
        Ok(self.name)
    }
    async fn refuse(&self, id: u64) -> Result<u64> {
        self.ran(id);
        Err(farcall::Status::unavailable("no time"))
    }
    async fn sleep(&self, millis: u64) -> Result<u64> {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(self.name)
    }
}

/// A server with a runtime of its own, so that it can be killed.
pub(super) struct Victim {
    runtime: Option<Runtime>,
    stop: ShutdownHandle,
    serving: JoinHandle<Result<()>>,
    pub(super) address: String,
}

impl Victim {
    pub(super) async fn start(name: u64, runs: &Runs) -> Victim {
        Victim::start_at(name, runs, "127.0.0.1:0").await
    }

    /// Starts it once the address is free.
    pub(super) async fn start_at(name: u64, runs: &Runs, address: &str) -> Victim {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().expect("threads");
        let url = format!("tcp://{address}");
        let mut bound = None;
        while bound.is_none() {
            let server = Server::new().add(WorkServer::new(Worker { name, runs: runs.clone() }));
            let url = url.clone();
            let listening = runtime.spawn(async move { server.listen(&url).await.ok() });
            bound = listening.await.expect("no panic");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let bound = bound.expect("it listens");
        let address = bound.addresses()[0].replace("tcp://", "");
        let stop = bound.shutdown_handle();
        let serving = runtime.spawn(bound.run());
        Victim { runtime: Some(runtime), stop, serving, address }
    }

    /// It says goodbye and ends.
    pub(super) async fn leave(&mut self) {
        self.stop.shutdown();
        (&mut self.serving).await.expect("no panic").expect("it ends well");
    }

    /// Its connections break, and nobody listens any more.
    pub(super) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Three of them.
pub(super) async fn three(runs: &Runs) -> Vec<Victim> {
    let mut victims = Vec::new();
    for name in 0..3 {
        victims.push(Victim::start(name, runs).await);
    }
    victims
}

/// An address where nobody listens.
pub(super) async fn nobody() -> String {
    // Bound and dropped.
    hole().await.local_addr().expect("an address").to_string()
}

/// An address where connections are opened and nobody says a word.
pub(super) async fn hole() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a port")
}

pub(super) fn quick() -> Limits {
    Limits { reconnect: (Duration::from_millis(5), Duration::from_millis(50)), ..Limits::default() }
}

pub(super) const OVER: Fail = Fail::Over { retries: 3 };

/// For these servers, over this protocol.
pub(super) fn builder(protocol: &str, addresses: &[impl AsRef<str>]) -> ClientBuilder<WorkClient> {
    ClientBuilder::new(format!("{protocol}:///Work")).addresses(addresses).limits(quick())
}

pub(super) fn addresses(victims: &[Victim]) -> Vec<&str> {
    victims.iter().map(|victim| &*victim.address).collect()
}

/// Waits until something is so.
pub(super) async fn until<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    for _ in 0..1000 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}

/// Which servers answer so many calls made one after another, and how often each.
pub(super) async fn shares(client: &WorkClient, calls: usize) -> [usize; 3] {
    let mut shares = [0; 3];
    for _ in 0..calls {
        let name = client.name().await.expect("an answer");
        shares[name as usize] += 1;
    }
    shares
}
