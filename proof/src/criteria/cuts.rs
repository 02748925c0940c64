//! R7: a connection cut at every byte of a request and of its answer. What was answered was run
//! once; what is not to be run twice is not.

use super::{Run, restart::Fleet};
use crate::{
    Done, PROTOCOLS,
    load::one,
    proxy::{Fault, Proxy},
    service::ProofClient,
    verdict::Verdict,
};
use farcall::{ClientBuilder, Fail, Limits};
use std::time::Duration;

/// R7.
pub(super) async fn everywhere(run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    for protocol in PROTOCOLS {
        verdict.add(protocol, cuts(protocol, run).await?);
    }
    Ok(verdict)
}

async fn cuts(protocol: &str, run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let fleet = Fleet::start(1)?;
    let proxy = Proxy::before(&fleet.places[0], run.seed).await?;
    let client = || async {
        let builder = ClientBuilder::<ProofClient>::new(proxy.url(protocol));
        // Thousands of connections are cut: pauses would be most of the time.
        let reconnect = (Duration::from_millis(1), Duration::from_millis(5));
        let limits = Limits { reconnect, ..Limits::default() };
        builder.limits(limits).fail(Fail::Try { retries: 2 }).build().await
    };
    // How long they are.
    let whole = client().await?;
    for idempotent in [false, true] {
        one(&whole, &fleet.calls, idempotent).await;
    }
    let (requests, answers, _) = proxy.passed();
    let step = if run.seconds.is_some() { 7 } else { 1 };
    let (mut tried, mut failed) = (0u64, 0u64);
    for at in (0..=requests as usize).step_by(step) {
        for fault in [Fault::CutRequest(at), Fault::CutAnswer(at.min(answers as usize))] {
            for idempotent in [false, true] {
                proxy.set(fault);
                let Ok(client) = client().await else { continue };
                let (_, outcome) = one(&client, &fleet.calls, idempotent).await;
                tried += 1;
                failed += u64::from(outcome != crate::ledger::Outcome::Ok);
                proxy.set(Fault::None);
                // The same client goes on.
                let (_, outcome) = one(&client, &fleet.calls, true).await;
                verdict_if_bad(&mut verdict, &outcome, at);
            }
        }
    }
    verdict.note("cuts", tried);
    verdict.at_least("cuts_that_failed_a_call", failed as f64, 1.0);
    fleet.settle(&mut verdict)?;
    Ok(verdict)
}

/// After a cut, a client that can reach its server again is answered.
fn verdict_if_bad(verdict: &mut Verdict, outcome: &crate::ledger::Outcome, at: usize) {
    if *outcome != crate::ledger::Outcome::Ok {
        verdict.holds(format!("usable_after_a_cut_at_{at}"), false);
        verdict.note(format!("after_a_cut_at_{at}"), format!("{outcome:?}"));
    }
}
