//! The server that is put to the test: every method writes its call into the ledger before it does
//! anything else.

use crate::{
    Done,
    ledger::{Executions, answer},
    memory,
};
use bytes::Bytes;
use farcall::{Cx, Limits, Result, Server, Tls};
use farcall_it::services::{Args, Reply, Tree};
use std::{
    io::Write as _,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// What is called.
#[farcall::service]
pub trait Proof {
    /// Not to be run twice; some take a few milliseconds.
    async fn run(&self, id: u64) -> Result<u64>;
    /// May be run twice.
    #[method(idempotent)]
    async fn read(&self, id: u64) -> Result<u64>;
    /// Takes this long.
    async fn sleep(&self, id: u64, millis: u64) -> Result<u64>;
    /// Never ends.
    async fn stuck(&self, id: u64) -> Result<u64>;
    /// Multiplies.
    #[method(idempotent)]
    async fn mul(&self, args: Args) -> Result<Reply>;
    /// As many bytes as asked for.
    async fn zeros(&self, count: u64) -> Result<Bytes>;
    /// How many bytes came.
    async fn count(&self, body: Bytes) -> Result<u64>;
    /// Gives a tree back.
    async fn tree(&self, tree: Tree) -> Result<Tree>;
    /// Pushes messages to the caller, one each millisecond, for as long as it is there.
    async fn flood(&self, cx: &Cx) -> Result<()>;
    /// Bytes in use, and panics so far.
    async fn state(&self) -> Result<Vec<u64>>;
}

/// The service.
#[derive(Debug, Default)]
pub struct Prover {
    executions: Option<Executions>,
}

/// Panics of this process since [`count_panics`].
static PANICS: AtomicU64 = AtomicU64::new(0);

/// Counts panics from now on, wherever they are caught.
pub fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |about| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(about);
    }));
}

/// How many there were.
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

impl Prover {
    /// Writes what it runs into this ledger.
    pub fn new(executions: Option<Executions>) -> Prover {
        Prover { executions }
    }

    fn note(&self, id: u64) {
        if let Some(executions) = &self.executions {
            executions.note(id);
        }
    }
}

impl Proof for Prover {
    async fn run(&self, id: u64) -> Result<u64> {
        self.note(id);
        if id.is_multiple_of(3) {
            tokio::time::sleep(Duration::from_millis(id % 7)).await;
        }
        Ok(answer(id))
    }
    async fn read(&self, id: u64) -> Result<u64> {
        self.run(id).await
    }
    async fn sleep(&self, id: u64, millis: u64) -> Result<u64> {
        self.note(id);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(answer(id))
    }
    async fn stuck(&self, id: u64) -> Result<u64> {
        self.note(id);
        std::future::pending().await
    }
    async fn mul(&self, args: Args) -> Result<Reply> {
        Ok(Reply { c: args.a.wrapping_mul(args.b) })
    }
    async fn zeros(&self, count: u64) -> Result<Bytes> {
        Ok(Bytes::from(vec![0; count as usize]))
    }
    async fn count(&self, body: Bytes) -> Result<u64> {
        Ok(body.len() as u64)
    }
    async fn tree(&self, tree: Tree) -> Result<Tree> {
        Ok(tree)
    }
    async fn flood(&self, cx: &Cx) -> Result<()> {
        let pusher = cx.pusher()?;
        tokio::spawn(async move {
            while !pusher.is_closed() {
                // A client that does not read misses some, and stays.
                let _ = pusher.push("Proof", "Drop", "drop");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        Ok(())
    }
    async fn state(&self) -> Result<Vec<u64>> {
        Ok(vec![memory::live() as u64, panics()])
    }
}

/// What `serve` is told.
#[derive(Default)]
struct Options {
    listen: Vec<String>,
    inherited: bool,
    book: Option<PathBuf>,
    tls: Option<(PathBuf, PathBuf)>,
    limits: Limits,
}

/// Sets a limit by its name: a number, times in milliseconds.
fn set(limits: &mut Limits, text: &str) -> Done {
    let parsed = text.split_once('=').and_then(|(name, n)| Some((name, n.parse::<u64>().ok()?)));
    let Some((name, number)) = parsed else {
        return Err(format!("--limit wants NAME=NUMBER, not {text}").into());
    };
    let time = Duration::from_millis(number);
    match name {
        "silence" => limits.silence = time,
        "head_time" => limits.head_time = time,
        "handshake_time" => limits.handshake_time = time,
        "write_stall" => limits.write_stall = time,
        "drain_time" => limits.drain_time = time,
        "goodbye" => limits.goodbye = time,
        "linger" => limits.linger = time,
        "connections" => limits.connections = number as usize,
        _ => return Err(format!("--limit does not know {name}").into()),
    }
    Ok(())
}

fn options(args: &[String]) -> Done<Options> {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{flag} wants a value"));
        match flag.as_str() {
            "--listen" => options.listen.push(value()?.clone()),
            "--inherit" => options.inherited = true,
            "--book" => options.book = Some(value()?.into()),
            "--tls" => options.tls = Some((value()?.into(), value()?.into())),
            "--limit" => set(&mut options.limits, value()?)?,
            _ => return Err(format!("serve does not know {flag}").into()),
        }
    }
    Ok(options)
}

/// `farcall-proof serve`: says where it listens, one line each, then serves until a signal.
#[allow(clippy::print_stdout, reason = "its parent reads it")]
pub fn serve(args: &[String]) -> Done {
    let options = options(args)?;
    count_panics();
    let executions = options.book.as_deref().map(Executions::open).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let proof = ProofServer::new(Prover::new(executions));
        let mut server = Server::new().add(proof).limits(options.limits);
        if let Some((cert, key)) = &options.tls {
            server = server.tls(Tls::files(cert, key));
        }
        let mut listen = options.listen.iter();
        let mut bound = match listen.next() {
            _ if options.inherited => server.serve_inherited()?,
            Some(first) => server.listen(first).await?,
            None => server.listen("tcp://127.0.0.1:0").await?,
        };
        for url in listen {
            bound = bound.listen(url).await?;
        }
        for address in bound.addresses() {
            println!("listening on {address}");
        }
        println!("ready");
        std::io::stdout().flush()?;
        Ok(bound.run().await?)
    })
}
