//! What a server listens on: sockets and how they are set, and the certificate it shows there.

use super::{Bound, Server, Shared, accept::Listener};
use crate::{
    net::{self, Tcp},
    target::Address,
};
use farcall_core::Status;
use std::io;
use tokio::net::TcpListener;

impl Server {
    /// Sets what is asked of TCP sockets.
    #[must_use]
    pub fn tcp(mut self, settings: Tcp) -> Server {
        self.tcp = settings;
        self
    }

    /// Speaks TLS, and nothing else, on every TCP listener of this server; protocols are told apart
    /// inside of it. Unix sockets, `mem://` and streams of the caller's stay as they are.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: net::tls::Tls) -> Server {
        self.tls = Some(tls);
        self
    }
}

impl Bound {
    /// Reads the certificates anew when told to; none where the server has none. They are also
    /// looked at by themselves, see [`Tls::files`](crate::Tls::files).
    #[cfg(feature = "tls")]
    pub fn tls_handle(&self) -> Option<net::tls::TlsHandle> {
        self.shared.tls.clone()
    }
}

impl Shared {
    /// Listens on an address, which was given as this URL.
    pub(super) async fn bind(&self, address: Address, url: &str) -> Result<Listener, Status> {
        let failed = |e: io::Error| {
            let status = Status::unavailable(format!("cannot listen on {url}: {e}"));
            match e.kind() {
                io::ErrorKind::AddrInUse => status
                    .with_hint("another process may have the address; port 0 takes a free one"),
                io::ErrorKind::PermissionDenied if !url.starts_with("unix:") => {
                    status.with_hint("ports below 1024 are not for everybody")
                }
                _ => status,
            }
        };
        match address {
            Address::Tls(..) if !self.has_tls() => {
                let text = format!("cannot listen on {url}: the server has no certificate");
                Err(Status::invalid_argument(text)
                    .with_hint("Server::tls gives it one; it takes the cargo feature `tls`"))
            }
            Address::Tcp(address) | Address::Tls(address, _) => {
                let listener = net::bind_tcp(&address, &self.tcp).await.map_err(failed)?;
                Ok(self.take(listener))
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let listener = net::UnixListener::bind(&path, self.tcp.backlog);
                Ok(Listener::Unix(listener.map_err(failed)?))
            }
            #[cfg(not(unix))]
            Address::Unix(_) => Err(failed(io::ErrorKind::Unsupported.into())),
            Address::Memory(name) => {
                Ok(Listener::Memory(net::MemoryListener::bind(&name).map_err(failed)?))
            }
            // Those are taken before.
            Address::Inherited(_) | Address::Given | Address::Several(_) => {
                Err(failed(io::ErrorKind::Unsupported.into()))
            }
        }
    }

    fn has_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Takes a TCP listener, for TLS if the server has a certificate.
    pub(super) fn take(&self, listener: TcpListener) -> Listener {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Listener::Tls(listener, tls.clone());
        }
        Listener::Tcp(listener)
    }
}
