//! The client's side: whom it trusts, whom it expects, and who it is itself.

use super::{
    files::{Fresh, Source},
    mismatched, provider, refused, roots,
    session::{self, Role},
};
use crate::{address::TlsOptions, net::Stream};
use farcall_core::Status;
use rustls::{ClientConfig, ClientConnection, RootCertStore, pki_types::ServerName};
use std::{
    io,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

/// How a client knows its server, and proves who it is itself. Servers are always verified: their
/// certificate must be vouched for by an authority that is trusted, be valid now, and be for the
/// name that was dialled.
///
/// Whatever the URL says (`?ca=`, `?server_name=`, `?cert=&key=`) goes before what is said here.
#[derive(Clone, Debug, Default)]
#[must_use = "give it to ClientBuilder::tls"]
pub struct ClientTls {
    ca: Option<Source>,
    server_name: Option<String>,
    identity: Option<(Source, Source)>,
}

impl ClientTls {
    /// Trusts the authorities of the system, expects the host of the URL, and has no certificate.
    pub fn new() -> ClientTls {
        ClientTls::default()
    }

    /// Trusts the authorities in this file (PEM), and not the system's. A server's own certificate
    /// will do, if it is not meant to vouch for others.
    pub fn ca(mut self, file: impl Into<PathBuf>) -> ClientTls {
        self.ca = Some(Source::File(file.into()));
        self
    }

    /// The same from memory.
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> ClientTls {
        self.ca = Some(Source::Text(pem.into()));
        self
    }

    /// Expects a certificate for this name (or address), and asks the server for it, instead of the
    /// URL's host.
    pub fn server_name(mut self, name: impl Into<String>) -> ClientTls {
        self.server_name = Some(name.into());
        self
    }

    /// Shows this certificate to servers that want one, with what vouches for it, and has its key;
    /// files in PEM. They are looked at again when a connection is opened.
    pub fn identity(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> ClientTls {
        self.identity = Some((Source::File(cert.into()), Source::File(key.into())));
        self
    }

    /// The same from memory.
    pub fn identity_pem(mut self, cert: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> ClientTls {
        self.identity = Some((Source::Text(cert.into()), Source::Text(key.into())));
        self
    }

    /// Adds what a URL says.
    pub(crate) fn options(mut self, options: &TlsOptions) -> Result<ClientTls, Status> {
        let TlsOptions { ca, server_name, cert, key } = options.clone();
        if let Some(ca) = ca {
            self = self.ca(ca);
        }
        if let Some(name) = server_name {
            self = self.server_name(name);
        }
        match (cert, key) {
            (None, None) => Ok(self),
            (Some(cert), Some(key)) => Ok(self.identity(cert, key)),
            (Some(_), None) => Err(Status::invalid_argument("a certificate without its `key`")),
            (None, Some(_)) => Err(Status::invalid_argument("a key without its `cert`")),
        }
    }

    /// Reads all files; `host` is what will be dialled, with its port.
    pub(crate) fn secure(self, host: &str) -> Result<Secure, Status> {
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        let name = self.server_name.as_deref().unwrap_or(host.trim_matches(['[', ']']));
        let name = ServerName::try_from(name.to_owned()).map_err(|_| {
            Status::invalid_argument(format!("`{name}` is no name that a certificate could have"))
        })?;
        let mut sources: Vec<_> = self.ca.iter().cloned().collect();
        if let Some((cert, key)) = &self.identity {
            sources.extend([cert.clone(), key.clone()]);
        }
        let shows = self.identity.is_some();
        let config = Fresh::new(&sources, move || self.config().map(Arc::new))?;
        Ok(Secure { config, name, shows })
    }

    fn config(&self) -> Result<ClientConfig, Status> {
        let roots = match &self.ca {
            Some(source) => Arc::new(roots(source)?),
            None => system_roots()?,
        };
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().map_err(refused)?;
        let builder = builder.with_root_certificates(roots);
        let Some((cert, key)) = &self.identity else { return Ok(builder.with_no_client_auth()) };
        let config = builder.with_client_auth_cert(cert.certificates()?, key.key()?);
        config.map_err(|error| mismatched(cert, key, error))
    }
}

/// Makes streams secure, towards one server.
pub(crate) struct Secure {
    config: Fresh<Arc<ClientConfig>>,
    name: ServerName<'static>,
    /// It has a certificate to show.
    shows: bool,
}

impl Secure {
    /// Shakes hands on a connection that was opened.
    pub(crate) async fn over(&self, stream: Stream) -> io::Result<Stream> {
        let config = Arc::clone(&*self.config.current());
        let tls = ClientConnection::new(config, self.name.clone()).map_err(io::Error::other)?;
        let mut stream = session::wrap(stream, tls.into(), Role::Client { shows: self.shows });
        session::shake_hands(&mut stream).await?;
        Ok(stream)
    }
}

/// The authorities that the system trusts, read once.
fn system_roots() -> Result<Arc<RootCertStore>, Status> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    if let Some(roots) = ROOTS.get() {
        return Ok(Arc::clone(roots));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems hold old certificates that nobody can read; one more or less does no harm.
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let why = found.errors.first().map_or_else(String::new, |error| format!(": {error}"));
        let text = format!("the system trusts no authority, so no server could be verified{why}");
        return Err(Status::failed_precondition(text)
            .with_hint("name the authority: ?ca=FILE, or ClientTls::ca"));
    }
    Ok(Arc::clone(ROOTS.get_or_init(|| Arc::new(roots))))
}
