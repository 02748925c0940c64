//! A runtime of one thread for each core: connections are dealt out to them and never move.
//!
//! One acceptor deals for all, instead of a listening socket per core with `SO_REUSEPORT`: with
//! that a second process could bind the address unnoticed, and closing one of the listeners would
//! reset what waits in its queue.

use super::{Bound, Server, Shared};
use crate::{conn::Stop, pace::Pace};
use farcall_core::Status;
use std::{
    future::Future,
    io,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    time::{sleep, timeout},
};

/// How often it is looked whether a core may go.
const LOOK: Duration = Duration::from_millis(5);

impl Server {
    /// Serves on threads of its own, one for each core that this process may use, each with a
    /// tokio runtime of one thread. Connections are dealt out in turn and stay where they are:
    /// their calls, and the tasks that their handlers spawn, share a core without hand-overs.
    ///
    /// It pays where many connections bring calls that are short. Where few connections bring most
    /// of the work, or handlers compute for long, the caller's runtime spreads it better; that is
    /// the default. Without it everything runs on the runtime that [`Bound::run`] is awaited on.
    ///
    /// The threads live as long as [`Bound::run`]. Tasks that handlers have spawned end with them.
    /// [`Server::memory`] and [`Server::serve_stream`] stay on the caller's runtime.
    #[must_use]
    pub fn per_core(self) -> Server {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        self.per_core_of(cores)
    }

    /// The same with so many threads, at least one.
    #[must_use]
    pub fn per_core_of(mut self, threads: usize) -> Server {
        self.cores = threads.max(1);
        self
    }
}

impl Bound {
    /// The threads to serve on, if they are to be the server's own.
    pub(super) fn cores(&self) -> Result<Option<Cores>, Status> {
        let threads = self.shared.cores;
        let failed =
            |error| Status::unavailable(format!("cannot start {threads} threads: {error}"));
        match threads {
            0 => Ok(None),
            threads => Cores::start(threads, &self.shared).map(Some).map_err(failed),
        }
    }
}

/// The threads of a server that runs. They end when this is dropped and their connections have
/// ended.
pub(super) struct Cores {
    cores: Vec<Core>,
    next: AtomicUsize,
    /// Connections that were dealt and have not been let in yet.
    arriving: Arc<AtomicUsize>,
}

struct Core {
    runtime: Handle,
    /// Dropping it lets the thread go.
    _stay: oneshot::Sender<()>,
}

impl Cores {
    fn start(threads: usize, shared: &Arc<Shared>) -> io::Result<Cores> {
        let pace = Arc::new(Pace::new());
        let cores: io::Result<Vec<Core>> =
            (0..threads).map(|at| Core::start(at, shared, &pace)).collect();
        Ok(Cores { cores: cores?, next: AtomicUsize::new(0), arriving: Arc::default() })
    }

    /// Gives a connection to the next core. What is spawned has arrived once it drops the guard
    /// that it is given.
    pub(super) fn deal<F>(&self, connection: impl FnOnce(Arriving) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.cores.len();
        self.arriving.fetch_add(1, Ordering::Relaxed);
        let arriving = Arriving(Arc::clone(&self.arriving));
        drop(self.cores[at].runtime.spawn(connection(arriving)));
    }

    /// Waits until every connection that was dealt is known to the server.
    pub(super) async fn arrived(&self) {
        while self.arriving.load(Ordering::Acquire) > 0 {
            sleep(LOOK).await;
        }
    }
}

impl Core {
    fn start(at: usize, shared: &Arc<Shared>, pace: &Arc<Pace>) -> io::Result<Core> {
        let (tell, told) = mpsc::sync_channel(1);
        let (stay, go) = oneshot::channel();
        let (shared, pace) = (Arc::clone(shared), Arc::clone(pace));
        thread::Builder::new().name(format!("farcall-core-{at}")).spawn(move || {
            let runtime = match Builder::new_current_thread()
                .enable_all()
                .on_thread_park(move || pace.before_park())
                .build()
            {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(error))),
            };
            if tell.send(Ok(runtime.handle().clone())).is_ok() {
                runtime.block_on(until_done(go, &shared));
            }
            // What blocks a pool's thread holds up nobody.
            runtime.shutdown_background();
        })?;
        let runtime = told.recv().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))?;
        Ok(Core { runtime, _stay: stay })
    }
}

/// Until the server has ended, and its connections too, as far as they are given time.
async fn until_done(go: oneshot::Receiver<()>, shared: &Shared) {
    let _ = go.await;
    let ended = async {
        while !shared.conns().open.is_empty() {
            sleep(LOOK).await;
        }
    };
    if timeout(shared.limits.drain_time, ended).await.is_err() {
        shared.stop(Stop::Cut);
        tokio::task::yield_now().await;
    }
}

/// A connection on its way to its core.
pub(super) struct Arriving(Arc<AtomicUsize>);

impl Drop for Arriving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}
