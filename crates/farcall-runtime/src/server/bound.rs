//! A server that is built: bound to addresses, running, and told to stop; or in memory.

use super::{
    Shared,
    accept::{self, Listener},
};
use crate::{
    conn::Stop,
    net::{self, Stream},
    target::{Listen, speak},
};
use farcall_core::Status;
use farcall_wire::sniff::Spoken;
use std::{fmt, io, sync::Arc, time::Duration};
use tokio::sync::watch;

/// A server that is bound and can run.
pub struct Bound {
    pub(super) shared: Arc<Shared>,
    listeners: Vec<(Listener, Spoken)>,
    stop: Arc<watch::Sender<bool>>,
}

impl Bound {
    pub(super) fn new(shared: Arc<Shared>) -> Bound {
        Bound { shared, listeners: Vec::new(), stop: Arc::new(watch::Sender::new(false)) }
    }

    /// Binds one more address.
    pub async fn listen(mut self, url: impl AsRef<str>) -> Result<Bound, Status> {
        let url = url.as_ref();
        let Listen { address, spoken } = Listen::parse(url)?;
        let spoken = self.some(spoken, url)?;
        let listener = self.shared.bind(address, url).await?;
        self.listeners.push((listener, spoken));
        Ok(self)
    }

    /// What a listener speaks: some of what the server does.
    fn some(&self, spoken: Option<Spoken>, listener: &str) -> Result<Spoken, Status> {
        let spoken = spoken.unwrap_or(self.shared.spoken);
        match spoken.within(self.shared.spoken) {
            true => Ok(spoken),
            false => Err(Status::invalid_argument(format!(
                "{listener} is to speak {spoken:?}; the server speaks {:?}",
                self.shared.spoken
            ))),
        }
    }

    /// Serves one more listener that was bound elsewhere.
    pub fn serve_listener(mut self, listener: tokio::net::TcpListener) -> Result<Bound, Status> {
        let listener = self.shared.take(listener);
        self.listeners.push((listener, self.shared.spoken));
        Ok(self)
    }

    /// The same, speaking only these of the server's protocols there.
    pub fn serve_listener_as<N: AsRef<str>>(
        mut self,
        protocols: impl IntoIterator<Item = N>,
        listener: tokio::net::TcpListener,
    ) -> Result<Bound, Status> {
        let spoken = speak(protocols).map_err(Status::invalid_argument)?;
        let spoken = self.some(Some(spoken), "the listener")?;
        let listener = self.shared.take(listener);
        self.listeners.push((listener, spoken));
        Ok(self)
    }

    /// The bound addresses, as URLs to listen on: `tcp://127.0.0.1:8972`.
    pub fn addresses(&self) -> Vec<String> {
        self.listeners.iter().map(|(listener, _)| listener.to_string()).collect()
    }

    /// Stops the server from elsewhere.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle(Arc::clone(&self.stop))
    }

    /// Serves until SIGINT, SIGTERM or [`ShutdownHandle::shutdown`]; then stops accepting, lets
    /// running calls finish for at most `Limits::drain_time`, cuts what is left, and returns.
    pub async fn run(self) -> Result<(), Status> {
        let mut stopped = self.stop.subscribe();
        // Dropping the set stops accepting, also when this future is dropped.
        let leave = Leave(&self.shared);
        let mut accepting = tokio::task::JoinSet::new();
        accepting.spawn(accept::accept(self.listeners, Arc::clone(&self.shared)));
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => {}
            () = accept::signalled() => {}
        }
        drop(accepting);
        drop(leave);
        let drained = async {
            while !self.shared.conns().open.is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(self.shared.limits.drain_time, drained).await {
            Ok(()) => Ok(()),
            Err(_) => {
                let busy = self.shared.conns().open.len();
                self.shared.stop(Stop::Cut);
                Err(Status::deadline_exceeded(format!(
                    "{busy} connections were still busy after Limits::drain_time"
                )))
            }
        }
    }
}

/// Tells the connections to finish when the server ends, also when its future is dropped.
struct Leave<'a>(&'a Shared);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.stop(Stop::Drain);
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bound").field(&self.addresses()).finish()
    }
}

/// Stops a server from elsewhere.
#[derive(Clone, Debug)]
pub struct ShutdownHandle(Arc<watch::Sender<bool>>);

impl ShutdownHandle {
    /// Tells [`Bound::run`] to drain and return. More calls change nothing.
    pub fn shutdown(&self) {
        self.0.send_replace(true);
    }
}

/// A server in this process, reached without a port; give it to a client's `over`.
#[derive(Clone)]
pub struct Memory {
    pub(super) shared: Arc<Shared>,
}

impl Memory {
    /// A new connection to the server; its task runs on the current tokio runtime.
    pub(crate) fn dial(&self) -> io::Result<Stream> {
        let (ours, theirs) = net::pair();
        match self.shared.admit(theirs, self.shared.spoken) {
            Ok(conn) => drop(tokio::spawn(conn)),
            Err(_) => return Err(io::ErrorKind::ConnectionRefused.into()),
        }
        Ok(ours)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}
