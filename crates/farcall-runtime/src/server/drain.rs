//! Running and ending: serve, fail the health page, stop to accept, say goodbye, let finish, cut.

use super::{Bound, Shared, accept, review::Door};
use crate::{clock::after, conn::Stop, side::Ending};
use farcall_core::Status;
use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

/// How often the connections that are left are counted.
const COUNT: Duration = Duration::from_millis(5);
/// How often those that were cut are.
const RESETS: u32 = 100;

impl Bound {
    /// Stops the server from elsewhere.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle(Arc::clone(&self.stop))
    }

    /// Serves until SIGINT, SIGTERM or [`ShutdownHandle::shutdown`], and then ends well:
    ///
    /// 1. [`Server::health`](super::Server::health)'s page says 503, and connections are still
    ///    accepted for `Limits::drain_delay`;
    /// 2. nothing more is accepted, but what has connected already;
    /// 3. every connection is told goodbye in its protocol's way. What it sent is served, also what
    ///    has not been read yet; what it sends after `Limits::goodbye` is refused as not run. It is
    ///    closed when all is answered, and read by its peer or `Limits::linger` later;
    /// 4. transfers of files and streams that were begun are waited for, too;
    /// 5. what is left after `Limits::drain_time`, or at a second signal, is cut: an error says so.
    ///
    /// Dropping the future stops accepting at once and tells the connections goodbye.
    pub async fn run(self) -> Result<(), Status> {
        self.serve(accept::Signals::new()).await
    }

    /// The same, and hears no signals: serves until `stop` is ready, or
    /// [`ShutdownHandle::shutdown`]. For programs that have their own reasons to end.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Result<(), Status> {
        let handle = self.shutdown_handle();
        let mut serving = pin!(self.serve(accept::Signals::none()));
        tokio::select! {
            done = &mut serving => return done,
            () = stop => {}
        }
        handle.shutdown();
        serving.await
    }

    async fn serve(self, mut signals: accept::Signals) -> Result<(), Status> {
        let cores = self.cores()?.map(Arc::new);
        let Bound { shared, doors, stop } = self;
        let mut stopped = stop.subscribe();
        // A server runs once.
        let _ = shared.settings.doors.set(doors.iter().map(Door::new).collect());
        let leave = Leave(&shared);
        let (close, closing) = watch::channel(false);
        // Dropping the set stops accepting, also when this future is dropped.
        let mut accepting = JoinSet::new();
        let hall = accept::Hall { shared: Arc::clone(&shared), cores: cores.clone() };
        accepting.spawn(accept::accept(doors, hall, closing));
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => {}
            () = signals.next() => {}
        }
        shared.draining.store(true, Ordering::Relaxed);
        let delay = shared.limits.drain_delay;
        let second = !delay.is_zero()
            && tokio::select! {
                () = sleep(delay) => false,
                () = signals.next() => true,
            };
        close.send_replace(true);
        while accepting.join_next().await.is_some() {}
        if let Some(cores) = &cores {
            cores.arrived().await;
        }
        drop(leave);
        let drained = shared.drained();
        let why = if second {
            "at a second signal"
        } else {
            tokio::select! {
                drained = timeout(shared.limits.drain_time, drained) => match drained {
                    Ok(()) => return Ok(()),
                    Err(_) => "after Limits::drain_time",
                },
                () = signals.next() => "at a second signal",
            }
        };
        // Those that have said all they had to say lose nothing.
        let busy = shared.conns().open.values().filter(|late| !late.is_parting()).count();
        let transfers = shared.host.running();
        shared.stop(Stop::Cut);
        shared.resets().await;
        let what = match (busy, transfers) {
            (0, 0) => return Ok(()),
            (busy, 0) => format!("{busy} connections were"),
            (0, transfers) => format!("{transfers} transfers were"),
            (busy, transfers) => format!("{busy} connections and {transfers} transfers were"),
        };
        Err(Status::deadline_exceeded(format!("{what} still busy {why}")))
    }
}

impl Shared {
    /// Waits until nothing is left. Tokens for transfers are waited for as long as late calls are.
    async fn drained(&self) {
        let late = after(Instant::now(), self.limits.goodbye);
        while !self.conns().open.is_empty() || self.host.running() > 0 {
            sleep(COUNT).await;
        }
        while self.host.given() > 0 && Instant::now() < late || self.host.running() > 0 {
            sleep(COUNT).await;
        }
        self.host.end(Ending::Void);
        // One may have been brought in between.
        while self.host.running() > 0 {
            sleep(COUNT).await;
        }
    }

    /// Waits a moment until what was cut is: a process that ends before closes its connections as
    /// if all had been said.
    async fn resets(&self) {
        for _ in 0..RESETS {
            if self.host.running() == 0 {
                return;
            }
            sleep(COUNT).await;
        }
    }
}

/// Tells the connections goodbye when the server ends, also when its future is dropped.
struct Leave<'a>(&'a Shared);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.stop(Stop::Drain);
    }
}

/// Stops a server from elsewhere.
#[derive(Clone)]
pub struct ShutdownHandle(Arc<watch::Sender<bool>>);

impl ShutdownHandle {
    /// Tells [`Bound::run`] to drain and return. More calls change nothing.
    pub fn shutdown(&self) {
        self.0.send_replace(true);
    }
}

impl fmt::Debug for ShutdownHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShutdownHandle")
    }
}
