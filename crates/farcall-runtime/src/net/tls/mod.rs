//! TLS, on rustls: it wraps a stream into a stream, so that all above is the same.
//!
//! Versions 1.2 and 1.3; whatever else is decided here: no early data (it can be replayed), no
//! compressed certificates, no renegotiation, and no way to switch verification off.

mod client;
mod files;
mod server;
mod session;
mod words;

pub use client::ClientTls;
pub(crate) use client::Secure;
pub use server::{Tls, TlsHandle};

use super::Identity;
use farcall_core::Status;
use rustls::{
    RootCertStore,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::CertificateDer,
};
use std::{fmt, sync::Arc};

/// The one provider of this build. Never the process's default: another library may have set it.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// What a certificate says of its owner.
fn identity(certificate: &CertificateDer<'_>) -> Identity {
    let own = |name: &str| name.to_owned();
    let (mut dns_names, mut uris) = (Vec::new(), Vec::new());
    if let Ok(parsed) = webpki::EndEntityCert::try_from(certificate) {
        dns_names = parsed.valid_dns_names().map(own).collect();
        uris = parsed.valid_uri_names().map(own).collect();
    }
    let mut fingerprint = [0; 32];
    if let Some(suite) = aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13() {
        let hash = suite.common.hash_provider.hash(certificate);
        fingerprint.copy_from_slice(hash.as_ref());
    }
    Identity { dns_names, uris, fingerprint, certificate: certificate.to_vec() }
}

/// The authorities in a file.
fn roots(source: &files::Source) -> Result<RootCertStore, Status> {
    let mut roots = RootCertStore::empty();
    for certificate in source.certificates()? {
        roots.add(certificate).map_err(|error| source.bad(error))?;
    }
    Ok(roots)
}

/// A certificate and a key that rustls does not take.
fn mismatched(cert: &files::Source, key: &files::Source, error: rustls::Error) -> Status {
    Status::invalid_argument(match error {
        rustls::Error::InconsistentKeys(_) => {
            format!("the key in {key} is not that of the certificate in {cert}")
        }
        error => format!("{cert} and {key}: {error}"),
    })
}

/// What rustls does not take from settings.
fn refused(error: impl fmt::Display) -> Status {
    Status::invalid_argument(format!("TLS cannot be set up: {error}"))
}
