//! Certificates of an authority that lives as long as a test.

use crate::who::Folder;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, SanType, date_time_ymd,
};
use std::path::PathBuf;

/// An authority, and the folder of its files.
pub struct Authority {
    folder: Folder,
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub ca: PathBuf,
}

/// A certificate and its key, in files.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// What a certificate is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Good.
    Good,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    Future,
    /// It is for clients only.
    ClientOnly,
    /// It is for servers only.
    ServerOnly,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// When the disk does not take its files.
    #[allow(clippy::new_without_default, reason = "it makes something on the disk")]
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        let folder = Folder::new();
        // Names of its own: two authorities of one name are one that signs wrongly.
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, folder.join("").to_string_lossy());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let cert = params.self_signed(&key).expect("a certificate");
        let ca = folder.join("ca.pem");
        std::fs::write(&ca, cert.pem()).expect("written");
        Authority { folder, issuer: Issuer::new(params, key), ca }
    }

    /// A certificate for these names; URIs have a colon.
    pub fn pair(&self, file: &str, names: &[&str]) -> Pair {
        self.pair_of(file, names, Kind::Good)
    }

    /// One of a certain kind.
    ///
    /// # Panics
    /// When a name is none.
    pub fn pair_of(&self, file: &str, names: &[&str], kind: Kind) -> Pair {
        let (uris, hosts): (Vec<&str>, Vec<&str>) = names.iter().partition(|n| n.contains("://"));
        let hosts: Vec<String> = hosts.into_iter().map(str::to_owned).collect();
        let mut params = CertificateParams::new(hosts).expect("names");
        let uris = uris.into_iter().map(|uri| SanType::URI(uri.try_into().expect("ASCII")));
        params.subject_alt_names.extend(uris);
        match kind {
            Kind::Good => {}
            Kind::Expired => params.not_after = date_time_ymd(2001, 1, 1),
            Kind::Future => params.not_before = date_time_ymd(3000, 1, 1),
            Kind::ClientOnly => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
            Kind::ServerOnly => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }
        }
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.issuer).expect("a certificate");
        let pair = Pair {
            cert: self.folder.join(format!("{file}.pem")),
            key: self.folder.join(format!("{file}-key.pem")),
        };
        std::fs::write(&pair.cert, cert.pem()).expect("written");
        std::fs::write(&pair.key, key.serialize_pem()).expect("written");
        pair
    }

    /// `?ca=…`, for URLs.
    pub fn option(&self) -> String {
        format!("?ca={}", self.ca.display())
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Authority").field(&self.ca).finish()
    }
}

impl Pair {
    /// `&cert=…&key=…`, for URLs.
    pub fn option(&self) -> String {
        format!("&cert={}&key={}", self.cert.display(), self.key.display())
    }

    /// For a server.
    pub fn tls(&self) -> farcall::Tls {
        farcall::Tls::files(&self.cert, &self.key)
    }
}
