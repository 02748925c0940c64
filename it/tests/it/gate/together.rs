//! All protocols at once on one port, with values that tell every caller and call apart.

use super::ways::{Answer, Ask, Carrier, ways};
use farcall::{Client, Limits, Result, Value, json};
use farcall_it::{
    http::{Http, post},
    services::probe,
};

/// Calls of each client.
const CALLS: i64 = 300;
/// Clients of each protocol.
const CLIENTS: i64 = 3;

/// The numbers that one call carries: nobody else's product is the same.
fn numbers(who: i64, call: i64) -> (i64, i64) {
    (who * 1_000_003 + call, 7 + who)
}

async fn by_client(url: String, who: i64) -> Result<()> {
    let client = Client::connect(&url).await?;
    let calls: Vec<_> = (0..CALLS)
        .map(|call| {
            let (a, b) = numbers(who, call);
            let call = client.call("Probe.Mul", json!({"A": a, "B": b}));
            tokio::spawn(async move { (a * b, call.await) })
        })
        .collect();
    for call in calls {
        let (want, reply) = call.await.expect("no panic");
        assert_eq!(reply?.get("C").and_then(Value::as_i64), Some(want), "{url}");
    }
    Ok(())
}

async fn by_http(place: String, who: i64) -> Result<()> {
    let mut http = Http::connect(&place).await;
    for first in (0..CALLS).step_by(10) {
        // Ten requests in a row, then their answers in order.
        let requests: String = (first..first + 10)
            .map(|call| {
                let (a, b) = numbers(who, call);
                post("/Probe/Mul", "", &format!("{{\"A\":{a},\"B\":{b}}}"))
            })
            .collect();
        assert!(http.send(requests.as_bytes()).await);
        for call in first..first + 10 {
            let (a, b) = numbers(who, call);
            let answer = http.receive().await.expect("an answer");
            assert_eq!(answer.body, format!("{{\"C\":{}}}", a * b));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_protocols_share_a_port() -> Result<()> {
    let running = farcall_it::services::Running::start(probe(Limits::default())).await;
    let place = running.url.trim_start_matches("rpcx://").to_owned();
    let mut callers = Vec::new();
    for client in 0..CLIENTS {
        for (way, kind) in ways().into_iter().filter(|w| w.carrier == Carrier::Tcp).zip(0..) {
            let who = client * 100 + kind;
            let url = format!("{}://{place}{}", way.protocol, way.option);
            callers.push(match way.protocol {
                "http" => tokio::spawn(by_http(place.clone(), who)),
                _ => tokio::spawn(by_client(url, who)),
            });
        }
    }
    assert_eq!(callers.len() as i64, CLIENTS * 5, "rpcx, netrpc, http, jsonrpc twice");
    for caller in callers {
        caller.await.expect("no panic")?;
    }
    // And one after the other, each on a connection of its own.
    for way in ways().into_iter().filter(|way| way.carrier == Carrier::Tcp) {
        let served = way.serve(|| probe(Limits::default())).await;
        for call in 0..20 {
            let (a, b) = numbers(9, call);
            assert_eq!(served.ask(Ask::Mul(a, b), None).await, Answer::Is(a * b));
        }
    }
    Ok(())
}
