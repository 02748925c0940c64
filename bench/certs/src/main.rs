//! `certs FOLDER`: writes `ca.pem`, `cert.pem` and `key.pem` for a server at 127.0.0.1, keys on the
//! curve P-256.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("certs wants a folder")?);
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let cert = CertificateParams::new(vec!["127.0.0.1".into()])?.signed_by(&key, &authority)?;
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("ca.pem"), authority.pem())?;
    fs::write(folder.join("cert.pem"), cert.pem())?;
    fs::write(folder.join("key.pem"), key.serialize_pem())?;
    Ok(())
}
