//! TLS by hand, on blocking sockets; and a line that passes bytes one by one.

use crate::certs::{Authority, Pair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{net::TcpStream, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, tcp},
};

/// A connection whose handshake is not done yet.
pub type Raw = StreamOwned<ClientConnection, TcpStream>;

/// How it is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// The versions it speaks.
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// What it offers to speak inside.
    pub alpn: Vec<Vec<u8>>,
    /// What it shows.
    pub pair: Option<Pair>,
}

impl Default for Options {
    fn default() -> Options {
        Options { versions: rustls::ALL_VERSIONS.to_vec(), alpn: Vec::new(), pair: None }
    }
}

/// Settings that may be used for several connections, and so resume sessions.
///
/// # Panics
/// When a file is not what it should be.
pub fn config(authority: &Authority, options: Options) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&authority.ca).expect("PEM")).expect("an authority");
    let builder = ClientConfig::builder_with_provider(default_provider().into())
        .with_protocol_versions(&options.versions)
        .expect("versions")
        .with_root_certificates(roots);
    let mut config = match options.pair {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let cert = CertificateDer::from_pem_file(&pair.cert).expect("PEM");
            let key = PrivateKeyDer::from_pem_file(&pair.key).expect("PEM");
            builder.with_client_auth_cert(vec![cert], key).expect("a pair")
        }
    };
    config.alpn_protocols = options.alpn;
    Arc::new(config)
}

/// Connects; blocking calls on it give up after twenty seconds.
///
/// # Panics
/// When nobody listens.
pub fn connect(place: &str, config: Arc<ClientConfig>) -> Raw {
    let socket = TcpStream::connect(place).expect("the server accepts");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let name = "127.0.0.1".try_into().expect("an address");
    StreamOwned::new(ClientConnection::new(config, name).expect("a client"), socket)
}

/// Passes bytes to and from `place`, one by one; gives the address to use instead.
///
/// # Panics
/// When no port is free.
pub async fn dribble(place: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let place = place.to_owned();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = tokio::net::TcpStream::connect(&place).await else { return };
            for socket in [&near, &far] {
                socket.set_nodelay(true).expect("set");
            }
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::spawn(drip(near_in, far_out));
            tokio::spawn(drip(far_in, near_out));
        }
    });
    address
}

async fn drip(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf) {
    let mut byte = [0];
    while let Ok(1) = from.read(&mut byte).await {
        if to.write_all(&byte).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
}
