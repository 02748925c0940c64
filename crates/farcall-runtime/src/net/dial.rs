//! Opening connections: what an address needs beside itself.

use super::{Stream, Tcp};
use crate::target::Address;
use farcall_core::Status;
use std::{fmt, io};

#[cfg(feature = "tls")]
use super::tls::{ClientTls, Secure};

/// Opens connections to one address.
pub(crate) struct Dialer {
    address: Address,
    tcp: Tcp,
    #[cfg(feature = "tls")]
    secure: Option<Secure>,
}

impl Dialer {
    /// For this address, with what the builder said of its transports.
    pub(crate) fn new(address: Address, settings: Settings) -> Result<Dialer, Status> {
        #[cfg(feature = "tls")]
        let secure = match (&address, settings.tls) {
            (Address::Tls(host, options), tls) => {
                Some(tls.unwrap_or_default().options(options)?.secure(host)?)
            }
            (_, Some(_)) => {
                let text = "certificates are set, but the target does not go over TLS";
                return Err(Status::invalid_argument(text)
                    .with_hint("say so in the URL: rpcx+tls://HOST:PORT"));
            }
            (_, None) => None,
        };
        #[cfg(not(feature = "tls"))]
        if let Address::Tls(..) = address {
            return Err(Status::invalid_argument("TLS is not in this build (cargo feature `tls`)"));
        }
        Ok(Dialer {
            address,
            tcp: settings.tcp,
            #[cfg(feature = "tls")]
            secure,
        })
    }

    /// Opens one.
    pub(crate) async fn dial(&self) -> io::Result<Stream> {
        match &self.address {
            Address::Tcp(address) => super::dial_tcp(address, &self.tcp).await,
            #[cfg(feature = "tls")]
            Address::Tls(address, _) => match &self.secure {
                Some(secure) => secure.over(super::dial_tcp(address, &self.tcp).await?).await,
                None => Err(io::ErrorKind::NotConnected.into()),
            },
            #[cfg(not(feature = "tls"))]
            Address::Tls(..) => Err(io::ErrorKind::Unsupported.into()),
            #[cfg(unix)]
            Address::Unix(path) => super::dial_unix(path).await,
            #[cfg(not(unix))]
            Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
            Address::Memory(name) => super::dial_memory(name),
            // Each of several has a dialer of its own.
            Address::Inherited(_) | Address::Given | Address::Several(_) => {
                Err(io::ErrorKind::NotConnected.into())
            }
        }
    }
}

impl fmt::Display for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// What a builder says of its transports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) tcp: Tcp,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<ClientTls>,
}
