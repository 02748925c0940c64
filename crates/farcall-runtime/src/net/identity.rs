//! Who a peer has proved to be.

use std::fmt;

/// The other end of a connection, as its certificate names it. The certificate was verified before
/// anything it sent was read: it leads to an authority that is trusted here, is valid now, and the
/// peer has its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    pub(crate) dns_names: Vec<String>,
    pub(crate) uris: Vec<String>,
    pub(crate) fingerprint: [u8; 32],
    pub(crate) certificate: Vec<u8>,
}

impl Identity {
    /// The DNS names among its subject's alternative names. Wildcards come as they are.
    pub fn dns_names(&self) -> &[String] {
        &self.dns_names
    }

    /// The URIs among its subject's alternative names: SPIFFE IDs are such.
    pub fn uris(&self) -> &[String] {
        &self.uris
    }

    /// Whether a DNS name or URI of it is exactly this.
    pub fn has_name(&self, name: &str) -> bool {
        self.dns_names.iter().chain(&self.uris).any(|own| own == name)
    }

    /// The SHA-256 of the certificate.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// The certificate itself, in DER, for what is not read here: common name, addresses,
    /// extensions.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }
}

impl fmt::Display for Identity {
    /// Its names; its fingerprint where it has none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.dns_names.iter().chain(&self.uris);
        match names.next() {
            Some(name) => {
                f.write_str(name)?;
                names.try_for_each(|name| write!(f, ",{name}"))
            }
            None => {
                f.write_str("sha256:")?;
                self.fingerprint.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}
