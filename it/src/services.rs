//! A service with every behaviour a test needs, and servers on free ports.

use bytes::Bytes;
use farcall::{Cx, Limits, Message, Result, Server, Status};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// Two numbers.
#[derive(Message, Clone, Debug, PartialEq)]
#[message(go_names)]
pub struct Args {
    /// First.
    pub a: i64,
    /// Second.
    pub b: i64,
}

/// One number.
#[derive(Message, Clone, Debug, PartialEq)]
#[message(go_names)]
pub struct Reply {
    /// The product.
    pub c: i64,
}

/// A tree, as deep as one likes.
#[derive(Message, Clone, Debug, PartialEq)]
pub struct Tree {
    /// A name.
    pub name: String,
    /// Trees below.
    pub kids: Vec<Tree>,
    /// One more.
    pub next: Option<Box<Tree>>,
}

/// How handlers behave.
#[farcall::service]
pub trait Probe {
    /// Multiplies, at once.
    #[method(idempotent)]
    async fn mul(&self, args: Args) -> Result<Reply>;
    /// Multiplies without a future.
    fn direct(&self, args: Args) -> Result<Reply>;
    /// Adds two parameters.
    async fn add(&self, a: i64, b: i64) -> Result<i64>;
    /// Gives the bytes back.
    async fn bytes(&self, body: Bytes) -> Result<Bytes>;
    /// As many bytes as asked for.
    async fn zeros(&self, count: u64) -> Result<Bytes>;
    /// Gives the tree back.
    async fn tree(&self, tree: Tree) -> Result<Tree>;
    /// Waits, then tells how many others waited.
    async fn sleep(&self, millis: u64) -> Result<u64>;
    /// Computes for so long without waiting, in place.
    async fn spin(&self, millis: u64) -> Result<()>;
    /// Computes as a task of its own.
    #[method(spawn)]
    async fn spin_spawned(&self, millis: u64) -> Result<()>;
    /// Blocks a thread of the pool.
    #[method(blocking)]
    fn block(&self, millis: u64) -> Result<u64>;
    /// Panics, at once or after waiting.
    async fn panic(&self, millis: u64) -> Result<()>;
    /// Fails with this code and text.
    async fn fail(&self, code: i64, text: String) -> Result<()>;
    /// Fails with a plain text.
    async fn plain(&self) -> Result<(), String>;
    /// Metadata goes back.
    #[method(client = "meta_call")]
    async fn meta(&self, cx: &Cx) -> Result<()>;
    /// How much time is left, in milliseconds.
    async fn left(&self, cx: &Cx) -> Result<Option<u64>>;
    /// Counts one-way calls that finished; waits first.
    async fn count(&self, millis: u64) -> Result<u64>;
}

/// The service.
#[derive(Debug, Default)]
pub struct Prober {
    sleeping: AtomicUsize,
    most: AtomicUsize,
    counted: AtomicUsize,
}

impl Prober {
    /// The most calls of `sleep` that were ever waiting together.
    pub fn most_sleeping(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// Computes without waiting.
pub fn spin(millis: u64) {
    let until = std::time::Instant::now() + Duration::from_millis(millis);
    while std::time::Instant::now() < until {
        std::hint::spin_loop();
    }
}

impl Probe for Prober {
    async fn mul(&self, args: Args) -> Result<Reply> {
        Ok(Reply { c: args.a.wrapping_mul(args.b) })
    }
    fn direct(&self, args: Args) -> Result<Reply> {
        Ok(Reply { c: args.a.wrapping_mul(args.b) })
    }
    async fn add(&self, a: i64, b: i64) -> Result<i64> {
        Ok(a + b)
    }
    async fn bytes(&self, body: Bytes) -> Result<Bytes> {
        Ok(body)
    }
    async fn zeros(&self, count: u64) -> Result<Bytes> {
        Ok(Bytes::from(vec![0; count as usize]))
    }
    async fn tree(&self, tree: Tree) -> Result<Tree> {
        Ok(tree)
    }
    async fn sleep(&self, millis: u64) -> Result<u64> {
        struct Leave<'a>(&'a AtomicUsize);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        let now = self.sleeping.fetch_add(1, Ordering::SeqCst) + 1;
        let leave = Leave(&self.sleeping);
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        drop(leave);
        Ok(now as u64)
    }
    async fn spin(&self, millis: u64) -> Result<()> {
        spin(millis);
        Ok(())
    }
    async fn spin_spawned(&self, millis: u64) -> Result<()> {
        spin(millis);
        Ok(())
    }
    fn block(&self, millis: u64) -> Result<u64> {
        std::thread::sleep(Duration::from_millis(millis));
        Ok(millis)
    }
    async fn panic(&self, millis: u64) -> Result<()> {
        if millis > 0 {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        panic!("secret of the handler");
    }
    async fn fail(&self, code: i64, text: String) -> Result<()> {
        Err(Status::new(farcall::Code::from_number(code), text))
    }
    async fn plain(&self) -> Result<(), String> {
        Err("a plain text".to_owned())
    }
    async fn meta(&self, cx: &Cx) -> Result<()> {
        cx.meta().pairs().into_iter().for_each(|(k, v)| cx.set_meta(k, v));
        Ok(())
    }
    async fn left(&self, cx: &Cx) -> Result<Option<u64>> {
        Ok(cx.remaining().map(|left| left.as_millis() as u64))
    }
    async fn count(&self, millis: u64) -> Result<u64> {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(self.counted.fetch_add(1, Ordering::SeqCst) as u64)
    }
}

/// A server of the probe with these limits.
pub fn probe(limits: Limits) -> Server {
    Server::new().add(ProbeServer::new(Prober::default())).limits(limits)
}

/// A server that runs on a free port until it is dropped.
#[derive(Debug)]
pub struct Running {
    /// `rpcx://127.0.0.1:PORT`
    pub url: String,
    stop: farcall::ShutdownHandle,
    /// Its task.
    pub task: tokio::task::JoinHandle<Result<()>>,
}

impl Running {
    /// Starts it.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(server: Server) -> Running {
        Running::start_on(server, "tcp://127.0.0.1:0").await.expect("a free port")
    }

    /// Starts it on an address of the caller's.
    pub async fn start_on(server: Server, address: &str) -> Result<Running> {
        let bound = server.listen(address).await?;
        let url = bound.addresses()[0].replace("tcp://", "rpcx://");
        Ok(Running::over(url, bound))
    }

    /// Runs a server that is bound.
    pub fn over(url: String, bound: farcall::Bound) -> Running {
        let stop = bound.shutdown_handle();
        Running { url, stop, task: tokio::spawn(bound.run()) }
    }

    /// Tells it to drain.
    pub fn stop(&self) {
        self.stop.shutdown();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
