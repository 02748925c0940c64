//! What servers and clients count, and what a server tells and holds back: over every protocol, and
//! against callers who want to make it count for ever.

mod client;
mod kit;
mod metrics;
mod page;
mod rate;
mod trace;

use farcall::Client;
use farcall_it::services::{ProbeClient, Running};

/// Ways to call one port: the scheme of the target, and the protocol that a server sees.
const WAYS: [(&str, &str); 7] = [
    ("rpcx", "rpcx"),
    ("rpcx+http", "rpcx"),
    ("netrpc", "netrpc"),
    ("netrpc+http", "netrpc"),
    ("jsonrpc", "jsonrpc"),
    ("jsonrpc+http", "http"),
    ("http", "http"),
];

/// A client of a running server, this way.
async fn client(way: &str, running: &Running) -> ProbeClient {
    let url = running.url.replace("rpcx://", &format!("{way}://"));
    ProbeClient::from_client(Client::connect(&url).await.expect(&url))
}

/// Waits until this holds.
///
/// # Panics
/// When it does not for half a minute.
async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..6_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}
