//! What is typed about TLS: certificates, keys, authorities, names.

use clap::Args;
use farcall::{Client, ClientBuilder, Server};
use std::path::PathBuf;

/// How a server proves who it is.
#[derive(Args, Debug)]
pub(crate) struct ServerFlags {
    /// Speak TLS on every TCP port, with this certificate and what vouches for it (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Let in only clients with a certificate of these authorities (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
}

/// How a client knows its server, and proves who it is itself.
#[derive(Args, Debug)]
pub(crate) struct ClientFlags {
    /// Over TLS: trust these authorities instead of the system's (PEM)
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Over TLS: the name in the server's certificate, if not the host's
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Over TLS: show this certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

/// Without TLS in the build.
#[cfg(not(feature = "tls"))]
const LEFT_OUT: &str = "TLS is not in this build (cargo feature `tls`)";

impl ServerFlags {
    /// Sets it up; an error says that it cannot be.
    #[cfg(feature = "tls")]
    pub(crate) fn apply(&self, server: Server) -> Result<Server, String> {
        let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(server) };
        let tls = farcall::Tls::files(cert, key);
        Ok(server.tls(match &self.tls_client_ca {
            Some(ca) => tls.client_ca(ca),
            None => tls,
        }))
    }

    /// Says that it cannot be.
    #[cfg(not(feature = "tls"))]
    pub(crate) fn apply(&self, server: Server) -> Result<Server, String> {
        match (&self.tls_cert, &self.tls_key, &self.tls_client_ca) {
            (None, None, None) => Ok(server),
            _ => Err(LEFT_OUT.to_owned()),
        }
    }
}

impl ClientFlags {
    fn given(&self) -> bool {
        let files = self.ca.is_some() || self.cert.is_some() || self.key.is_some();
        files || self.server_name.is_some()
    }

    /// Says what of it makes no sense for this target.
    pub(crate) fn check(&self, target: &farcall::Target) -> Result<(), String> {
        #[cfg(not(feature = "tls"))]
        if self.given() {
            return Err(LEFT_OUT.to_owned());
        }
        let address = match &target.address {
            // All of several go over the same transport.
            farcall::Address::Several(several) => several.first(),
            address => Some(address),
        };
        match (address, self.given()) {
            (Some(farcall::Address::Tls(..)), _) | (_, false) => Ok(()),
            _ => Err("certificates and names are for targets over TLS: PROTOCOL+tls://".to_owned()),
        }
    }

    /// What is known of TLS towards a target: what its URL says goes before flags.
    pub(crate) fn of(&self, target: &farcall::Target) -> farcall::TlsOptions {
        let mut all = match &target.address {
            farcall::Address::Tls(_, options) => farcall::TlsOptions::clone(options),
            _ => farcall::TlsOptions::default(),
        };
        all.ca = all.ca.or_else(|| self.ca.clone());
        all.server_name = all.server_name.or_else(|| self.server_name.clone());
        all.cert = all.cert.or_else(|| self.cert.clone());
        all.key = all.key.or_else(|| self.key.clone());
        all
    }

    /// Sets it up.
    #[cfg(feature = "tls")]
    pub(crate) fn apply(&self, builder: ClientBuilder<Client>) -> ClientBuilder<Client> {
        if !self.given() {
            return builder;
        }
        let mut tls = farcall::ClientTls::new();
        if let Some(ca) = &self.ca {
            tls = tls.ca(ca);
        }
        if let Some(name) = &self.server_name {
            tls = tls.server_name(name);
        }
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            tls = tls.identity(cert, key);
        }
        builder.tls(tls)
    }

    /// Nothing to set up.
    #[cfg(not(feature = "tls"))]
    pub(crate) fn apply(&self, builder: ClientBuilder<Client>) -> ClientBuilder<Client> {
        builder
    }
}
