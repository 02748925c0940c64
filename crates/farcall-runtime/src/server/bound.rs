//! A server that is built: bound to addresses, running, and told to stop; or in memory.

use super::{
    Shared,
    accept::{Door, Listener},
    inherit,
};
use crate::{
    net::{self, Stream},
    target::{Address, Listen, speak},
};
use farcall_core::Status;
use farcall_wire::sniff::Spoken;
use std::{fmt, io, sync::Arc};
use tokio::sync::watch;

/// A server that is bound and can run.
pub struct Bound {
    pub(super) shared: Arc<Shared>,
    pub(super) doors: Vec<Door>,
    pub(super) stop: Arc<watch::Sender<bool>>,
}

impl Bound {
    pub(super) fn new(shared: Arc<Shared>) -> Bound {
        Bound { shared, doors: Vec::new(), stop: Arc::new(watch::Sender::new(false)) }
    }

    /// Binds one more address.
    pub async fn listen(mut self, url: impl AsRef<str>) -> Result<Bound, Status> {
        let url = url.as_ref();
        let Listen { address, spoken } = Listen::parse(url)?;
        let spoken = self.some(spoken, url)?;
        if let Address::Inherited(which) = address {
            self.inherit(inherit::named(&which)?, spoken)?;
        } else {
            let listener = self.shared.bind(address, url).await?;
            self.open(listener, spoken);
        }
        Ok(self)
    }

    /// Serves all listeners that were passed to this process, too.
    pub fn serve_inherited(mut self) -> Result<Bound, Status> {
        let passed = inherit::passed()?;
        if passed.is_empty() {
            let text = "no listeners were passed to this process (LISTEN_FDS, LISTEN_PID)";
            return Err(Status::failed_precondition(text));
        }
        for number in passed {
            self.inherit(number, self.shared.spoken)?;
        }
        Ok(self)
    }

    fn inherit(&mut self, number: i32, spoken: Spoken) -> Result<(), Status> {
        let failed =
            |error| Status::unavailable(format!("cannot listen on fd://{number}: {error}"));
        let listener = match inherit::take(number)? {
            inherit::Passed::Tcp(passed) => {
                let listener = tokio::net::TcpListener::from_std(passed);
                self.shared.take(listener.map_err(failed)?)
            }
            #[cfg(unix)]
            inherit::Passed::Unix(passed) => {
                Listener::Unix(net::UnixListener::inherited(passed).map_err(failed)?)
            }
        };
        self.doors.push(Door { listener, spoken, inherited: true });
        Ok(())
    }

    fn open(&mut self, listener: Listener, spoken: Spoken) {
        self.doors.push(Door { listener, spoken, inherited: false });
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
        self.open(listener, self.shared.spoken);
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
        self.open(listener, spoken);
        Ok(self)
    }

    /// The bound addresses, as URLs to listen on: `tcp://127.0.0.1:8972`.
    pub fn addresses(&self) -> Vec<String> {
        self.doors.iter().map(|door| door.listener.to_string()).collect()
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bound").field(&self.addresses()).finish()
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
