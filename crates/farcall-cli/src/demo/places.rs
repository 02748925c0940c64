//! Where the demo's servers listen, and how they are called there.

use farcall::{Bound, Server, Status};
use std::path::{Path, PathBuf};

/// Where the demo's server listens in memory.
const MEMORY: &str = "mem://farcall-demo";

/// What the demo puts on the disk: a socket, and the certificate it made for itself. Gone with it.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Result<Folder, Status> {
        let path = std::env::temp_dir().join(format!("farcall-demo-{}", std::process::id()));
        let made = std::fs::create_dir_all(&path);
        made.map_err(|error| Status::internal(format!("no folder for the demo: {error}")))?;
        Ok(Folder(path))
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Binds the server everywhere that needs no certificate.
pub(super) async fn bind(server: Server, folder: &Folder) -> Result<Bound, Status> {
    let bound = server.listen("tcp://127.0.0.1:0").await?.listen(MEMORY).await?;
    if cfg!(unix) {
        return bound.listen(format!("unix://{}", folder.join("demo.sock").display())).await;
    }
    Ok(bound)
}

/// Binds the server where it has one; and the file that clients trust.
#[cfg(feature = "tls")]
pub(super) async fn bind_secure(
    server: Server,
    folder: &Folder,
) -> Result<Option<(Bound, PathBuf)>, Status> {
    let failed = |error: String| Status::internal(format!("no certificate for the demo: {error}"));
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
    let made = made.map_err(|error| failed(error.to_string()))?;
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let file = folder.join("cert.pem");
    std::fs::write(&file, &cert).map_err(|error| failed(error.to_string()))?;
    let bound = server.tls(farcall::Tls::pem(cert, key)).listen("tls://127.0.0.1:0").await?;
    Ok(Some((bound, file)))
}

/// There is none.
#[cfg(not(feature = "tls"))]
pub(super) async fn bind_secure(_: Server, _: &Folder) -> Result<Option<(Bound, PathBuf)>, Status> {
    Ok(None)
}

/// How to reach a server, by the name of the way: `rpcx+tcp`.
pub(super) fn urls(bound: &Bound, trusted: Option<&Path>) -> Vec<(String, String)> {
    let addresses = bound.addresses();
    let over = |protocol: &str, option: &str, address: &str| {
        let (transport, place) = address.split_once("://")?;
        // A path goes in the host's place.
        let place = place.replace('/', "%2F");
        let way = format!("{protocol}+{transport}");
        let mut url = format!("{way}://{place}{option}");
        if let Some(file) = trusted {
            let mark = if option.is_empty() { '?' } else { '&' };
            url += &format!("{mark}ca={}", file.display());
        }
        Some((format!("{way}{option}"), url))
    };
    let protocols =
        [("rpcx", ""), ("netrpc", ""), ("jsonrpc", ""), ("jsonrpc", "?version=1"), ("http", "")];
    let ways = protocols.iter().flat_map(|(protocol, option)| {
        addresses.iter().filter_map(move |address| over(protocol, option, address))
    });
    ways.collect()
}
