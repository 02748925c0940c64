//! The server's side: its certificate, and whose clients' it wants to see.

use super::{
    files::{Fresh, Source},
    mismatched, provider, refused, roots,
    session::{self, Role},
};
use crate::{
    net::Stream,
    server::{Clients, for_others},
};
use farcall_core::{Limits, Status};
use rustls::{ServerConfig, ServerConnection, server::WebPkiClientVerifier};
use std::{fmt, path::PathBuf, sync::Arc};

/// What may be agreed on by name. Clients that name nothing are told apart by their first bytes;
/// clients that name only others are refused.
const ALPN: [&[u8]; 1] = [b"http/1.1"];

/// How a server proves who it is, and whom it lets in.
///
/// ```no_run
/// # use farcall_runtime::{Server, Tls};
/// # async fn run() -> Result<(), farcall_core::Status> {
/// let server = Server::new().tls(Tls::files("cert.pem", "key.pem").client_ca("ca.pem"));
/// server.listen("tls://0.0.0.0:8972").await?.run().await
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "give it to Server::tls"]
pub struct Tls {
    cert: Source,
    key: Source,
    client_ca: Option<Source>,
    client_optional: bool,
}

impl Tls {
    /// The certificate with what vouches for it, the server's own first, and its key; both in PEM.
    ///
    /// The files are looked at again when somebody connects, every two seconds at most, so that a
    /// certificate is renewed by replacing them. Connections that are open keep the old one, and
    /// sessions of old certificates are not resumed. New files that cannot be used (half written, a
    /// key that does not belong to the certificate) leave the old ones in place and are warned of.
    pub fn files(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Tls {
        Tls::of(Source::File(cert.into()), Source::File(key.into()))
    }

    /// The same from memory. It stays as it is.
    pub fn pem(cert: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Tls {
        Tls::of(Source::Text(cert.into()), Source::Text(key.into()))
    }

    fn of(cert: Source, key: Source) -> Tls {
        Tls { cert, key, client_ca: None, client_optional: false }
    }

    /// Lets in only clients that have a certificate of one of the authorities in this file (PEM);
    /// it is looked at again like the others. Handlers see whose it is in
    /// [`Cx::identity`](crate::Cx::identity).
    pub fn client_ca(mut self, file: impl Into<PathBuf>) -> Tls {
        self.client_ca = Some(Source::File(file.into()));
        self
    }

    /// The same from memory.
    pub fn client_ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Tls {
        self.client_ca = Some(Source::Text(pem.into()));
        self
    }

    /// Lets in clients without a certificate too; one that they show must still be good. Says
    /// nothing without [`client_ca`](Tls::client_ca).
    pub fn client_optional(mut self) -> Tls {
        self.client_optional = true;
        self
    }

    /// Who is asked for a certificate.
    pub(crate) fn clients(&self) -> Clients {
        match (&self.client_ca, self.client_optional) {
            (None, _) => Clients::Unasked,
            (Some(_), true) => Clients::Optional,
            (Some(_), false) => Clients::Required,
        }
    }

    /// The key's file, if everybody on this machine may read it.
    pub(crate) fn open_key(&self) -> Option<String> {
        match &self.key {
            Source::File(path) if for_others(path, 0o004) => Some(path.display().to_string()),
            Source::File(_) | Source::Text(_) => None,
        }
    }

    /// Reads all files.
    pub(crate) fn handle(self) -> Result<TlsHandle, Status> {
        let sources: Vec<_> = [Some(&self.cert), Some(&self.key), self.client_ca.as_ref()]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        let fresh = Fresh::new(&sources, move || self.config().map(Arc::new))?;
        Ok(TlsHandle(Arc::new(fresh)))
    }

    fn config(&self) -> Result<ServerConfig, Status> {
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().map_err(refused)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(source) => {
                let roots = Arc::new(roots(source)?);
                let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
                if self.client_optional {
                    verifier = verifier.allow_unauthenticated();
                }
                builder.with_client_cert_verifier(verifier.build().map_err(refused)?)
            }
        };
        let (chain, key) = (self.cert.certificates()?, self.key.key()?);
        // Says so if the key is not the certificate's.
        let config = builder.with_single_cert(chain, key);
        let mut config = config.map_err(|error| mismatched(&self.cert, &self.key, error))?;
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        Ok(config)
    }
}

/// Reads a running server's certificates anew.
#[derive(Clone)]
pub struct TlsHandle(Arc<Fresh<Arc<ServerConfig>>>);

impl TlsHandle {
    /// Reads the files now. An error says what is wrong with them; then the old certificates stay.
    pub fn reload(&self) -> Result<(), Status> {
        self.0.reload()
    }

    /// Wraps a connection that was accepted. It shakes hands when it is read.
    pub(crate) fn over(&self, stream: Stream, limits: &Limits) -> Option<Stream> {
        let config = Arc::clone(&*self.0.current());
        match ServerConnection::new(config) {
            Ok(tls) => Some(session::wrap(stream, tls.into(), Role::server(limits))),
            Err(error) => {
                tracing::error!(%error, "a TLS connection cannot be made");
                None
            }
        }
    }
}

impl fmt::Debug for TlsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsHandle")
    }
}
