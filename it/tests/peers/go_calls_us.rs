//! Go's client calls a proxy of ours.

use crate::go_peer::{GoServer, calls};
use farcall::{Client, Server, Status};
use farcall_it::services::Running;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_a_proxy_of_ours_to_go() {
    let go = GoServer::start();
    let client = Client::connect(&go.url).await.expect("a connection");
    let proxy = Server::new().fallback(move |cx, body| {
        let name = format!("{}.{}", cx.service(), cx.method());
        let call = client.call_raw(name, body).format(cx.format());
        async move {
            let pass = |status: Status| Status::new(status.code(), status.text().to_owned());
            call.await.map_err(pass)
        }
    });
    let running = Running::start(proxy).await;
    let address = running.url.trim_start_matches("rpcx://").to_owned();
    for (case, at_least) in [("mul", 12), ("divide", 3), ("concurrent", 3), ("oneway", 3)] {
        let flags = ["-case", case, "-timeout", "25s"];
        calls("rpcx-peer", &address, "-addr", &flags, &[], at_least).await;
    }
}
