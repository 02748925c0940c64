//! Where a client's connections come from.

use crate::{
    net::{self, Dialer, Stream},
    server::Memory,
};
use std::{fmt, io, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};

/// Something a client can speak over: a server in this process ([`Server::memory`]), or any stream.
///
/// [`Server::memory`]: crate::Server::memory
pub trait Over: Send + 'static {
    /// Opens a connection.
    #[doc(hidden)]
    fn open(&mut self) -> io::Result<Stream>;
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
pub(crate) enum Connector {
    Address(Arc<Dialer>),
    Over(Box<dyn Over>),
}

impl Connector {
    pub(crate) async fn dial(&mut self) -> io::Result<Stream> {
        match self {
            Connector::Address(dialer) => dialer.dial().await,
            Connector::Over(over) => over.open(),
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Connector::Address(address) => write!(f, "Connector({address})"),
            Connector::Over(_) => f.write_str("Connector(given)"),
        }
    }
}
