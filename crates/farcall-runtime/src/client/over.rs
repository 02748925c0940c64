//! Where a client's connections come from.

use crate::{
    net::{self, Dialer, Stream},
    server::Memory,
    target::Target,
};
use farcall_core::Limits;
use farcall_wire::Tunnel;
use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::io::{AsyncRead, AsyncWrite};

/// Something a client can speak over: a server in this process ([`Server::memory`]), or any stream.
///
/// [`Server::memory`]: crate::Server::memory
pub trait Over: Send + 'static {
    /// Opens a connection.
    #[doc(hidden)]
    fn open(&mut self) -> io::Result<Stream>;
    /// Whether it can be opened more than once.
    #[doc(hidden)]
    fn many(&self) -> bool {
        false
    }
    /// Wraps it for the client.
    #[doc(hidden)]
    fn into_box(self) -> Box<dyn Over>
    where
        Self: Sized,
    {
        Box::new(self)
    }
}

impl Over for Memory {
    fn open(&mut self) -> io::Result<Stream> {
        self.dial()
    }
    fn many(&self) -> bool {
        true
    }
}

impl<T: AsyncRead + AsyncWrite + Send + 'static> Over for T {
    fn open(&mut self) -> io::Result<Stream> {
        // Never called: `into_box` wraps the stream, because it can be given away only once.
        Err(io::ErrorKind::Unsupported.into())
    }
    fn into_box(self) -> Box<dyn Over> {
        Box::new(Once(Some(self)))
    }
}

/// A stream that is used once; when it has ended there is no other.
struct Once<T>(Option<T>);

impl<T: AsyncRead + AsyncWrite + Send + 'static> Over for Once<T> {
    fn open(&mut self) -> io::Result<Stream> {
        match self.0.take() {
            Some(io) => Ok(net::wrap(io)),
            None => Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the stream that was handed in has ended",
            )),
        }
    }
}

/// How a client's driver opens connections.
#[derive(Clone)]
pub(crate) enum Connector {
    Address(Arc<Dialer>),
    /// An address whose server wants to be asked first, and for which path.
    Tunnel(Arc<Dialer>, Tunnel, Option<String>),
    Over(Arc<Mutex<Box<dyn Over>>>),
}

impl Connector {
    /// For the server of this target, which this dialer reaches.
    pub(crate) fn to(target: &Target, dialer: Dialer) -> Connector {
        let dialer = Arc::new(dialer);
        match target.tunnel {
            None => Connector::Address(dialer),
            Some(tunnel) => Connector::Tunnel(dialer, tunnel, target.path.clone()),
        }
    }

    /// For what was handed in.
    pub(crate) fn over(io: impl Over) -> Connector {
        Connector::Over(Arc::new(Mutex::new(io.into_box())))
    }

    /// Whether it can be opened more than once.
    pub(crate) fn many(&self) -> bool {
        match self {
            Connector::Address(_) | Connector::Tunnel(..) => true,
            Connector::Over(over) => over.lock().unwrap_or_else(PoisonError::into_inner).many(),
        }
    }

    pub(crate) async fn dial(&mut self, limits: &Limits) -> io::Result<Stream> {
        match self {
            Connector::Address(dialer) => dialer.dial().await,
            Connector::Tunnel(dialer, tunnel, path) => {
                let stream = dialer.dial().await?;
                net::tunnel(stream, *tunnel, path.as_deref(), limits.head_bytes).await
            }
            Connector::Over(over) => over.lock().unwrap_or_else(PoisonError::into_inner).open(),
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Connector::Address(dialer) | Connector::Tunnel(dialer, ..) => {
                write!(f, "Connector({dialer})")
            }
            Connector::Over(_) => f.write_str("Connector(given)"),
        }
    }
}
