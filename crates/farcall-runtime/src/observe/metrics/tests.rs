//! Rows become text, and connections are in one place at a time.

use super::*;
use crate::net::Peer;
use farcall_core::Code;
use std::time::Duration;

fn key(service: &str, method: &str) -> Key {
    let (service, method) = (service.into(), method.into());
    Key { client: None, service, method, protocol: "rpcx" }
}

#[test]
fn a_row_as_text() {
    let (rows, conns) = (BTreeMap::new(), Conns::default());
    let empty = text::write(&rows, &conns, &BTreeMap::new());
    assert!(empty.lines().all(|line| line.starts_with("# ")), "{empty}");
    let row = Arc::new(Row::new(&key("A\"\\\n", "Mul")));
    row.begin(10);
    row.begin(5);
    row.end(Outcome::Done, 7, Duration::from_micros(100));
    row.begin(0);
    row.end(Outcome::Failed(&Status::not_found("no")), 0, Duration::from_secs(11));
    let rows = BTreeMap::from([(key("A\"\\\n", "Mul"), row)]);
    let text = text::write(&rows, &conns, &BTreeMap::new());
    let labels = r#"service="A\"\\\n",method="Mul",protocol="rpcx""#;
    for line in [
        format!("farcall_server_calls_started_total{{{labels}}} 3"),
        format!("farcall_server_calls_total{{{labels},code=\"ok\"}} 1"),
        format!("farcall_server_calls_total{{{labels},code=\"not_found\"}} 1"),
        format!("farcall_server_calls_in_flight{{{labels}}} 1"),
        format!("farcall_server_call_duration_seconds_bucket{{{labels},le=\"5e-05\"}} 0"),
        format!("farcall_server_call_duration_seconds_bucket{{{labels},le=\"0.0001\"}} 1"),
        format!("farcall_server_call_duration_seconds_bucket{{{labels},le=\"10.0\"}} 1"),
        format!("farcall_server_call_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 2"),
        format!("farcall_server_call_duration_seconds_sum{{{labels}}} 11.0001"),
        format!("farcall_server_call_duration_seconds_count{{{labels}}} 2"),
        format!("farcall_server_received_bytes_total{{{labels}}} 15"),
        format!("farcall_server_sent_bytes_total{{{labels}}} 7"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn every_code_has_a_place_and_a_label() {
    for number in 1..=16 {
        let code = Code::from_number(number);
        assert_eq!(code as i64, number);
        let label = rows::label(number as usize);
        assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{label}");
    }
    assert_eq!((rows::label(0), rows::label(17)), ("ok".into(), "lost".into()));
}

#[test]
fn connections_change_what_they_speak() {
    let (peer, mut conns) = (&Peer::Memory, Conns::default());
    conns.count(&Happening::Opened { peer });
    conns.count(&Happening::Opened { peer });
    conns.count(&Happening::Speaks { peer, protocol: "http", before: "" });
    conns.count(&Happening::Speaks { peer, protocol: "rpcx", before: "http" });
    conns.count(&Happening::Closed { peer, protocol: "rpcx", why: "io", text: &"" });
    conns.count(&Happening::Refused { peer, why: "full" });
    let open = |conns: &Conns| -> Vec<_> {
        conns.spoken.iter().map(|(name, spoken)| (*name, spoken.open, spoken.all)).collect()
    };
    assert_eq!(open(&conns), [("http", 0, 1), ("none", 1, 0), ("rpcx", 0, 1)]);
    assert_eq!(conns.closed.get(&("rpcx", "io")), Some(&1));
    assert_eq!(conns.refused.get("full"), Some(&1));
}
