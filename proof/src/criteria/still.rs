//! A thousand clients that have called and call no more: what they and their server cost meanwhile.

use super::Run;
use crate::{
    Done, PROTOCOLS,
    process::{Process, Start},
    service::ProofClient,
    verdict::Verdict,
};
use std::time::Duration;

/// Each client has a connection of its own.
const CLIENTS: usize = 1_000;

pub(super) async fn clients(run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let still = Duration::from_secs(run.seconds(10).max(5));
    for protocol in PROTOCOLS {
        let server = Start::serve().start()?;
        let mut clients = Vec::new();
        for id in 0..CLIENTS as u64 {
            let client = ProofClient::connect(server.url(protocol)).await?;
            client.read(id).await?;
            clients.push(client);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (own, its) = (Process::own_cpu()?, server.cpu()?);
        tokio::time::sleep(still).await;
        let percent = |seconds: f64| seconds / still.as_secs_f64() * 100.0;
        let (own, its) = (Process::own_cpu()? - own, server.cpu()? - its);
        verdict.at_most(format!("{protocol}.clients_cpu_percent"), percent(own), 0.5);
        verdict.at_most(format!("{protocol}.server_cpu_percent"), percent(its), 0.5);
        // They are all there still.
        for (id, client) in clients.iter().enumerate() {
            client.read(id as u64).await?;
        }
    }
    Ok(verdict)
}
