//! A wire that remembers its last head finds the same as one that has seen nothing.

use super::kit::{Seen, answer, feed, flat, wire};
use super::random::Dice;
use super::{chunked, post};
use crate::{Out, Wire};
use farcall_core::Limits;

#[test]
fn what_is_remembered_changes_nothing() {
    let long = format!("X-Long: {}\r\n", "l".repeat(2000));
    let requests = [
        post("/Arith/Mul", "", "{\"A\":6}"),
        post("/Arith/Mul", "", "{\"A\":7}"),
        post("/Arith/Mul", "", "{\"A\":77}"),
        post("/Arith/Mul", "X-Timeout-Ms: 15\r\n", "{\"A\":6}"),
        post("/Arith/Mul", "x-timeout-ms: 15\r\n", "{\"A\":6}"),
        post("/Arith/Mul", "Tenant: blue\r\n", "1"),
        post("/Arith/Mul", "Connection: keep-alive\r\n", "1"),
        post("/Arith/Mul", "Expect: 100-continue\r\n", "1"),
        post("/Arith/Mul", "Content-Encoding: gzip\r\n", "1"),
        post("/Arith/Mul", &long, "1"),
        post("/Arith/Mul", "", ""),
        post("/Arith/Nothing", "", "1"),
        chunked("/Arith/Mul", "1\r\n1\r\n0\r\n\r\n"),
        "GET /Arith/Mul HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
        format!("\r\n{}", post("/Arith/Mul", "", "{\"A\":6}")),
    ];
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let (mut last, mut server) = (0, wire(&Limits::default()));
    for _ in 0..20_000 {
        if dice.below(3) == 0 {
            last = dice.below(requests.len());
        }
        let bytes = requests[last].as_bytes();
        let cuts = match dice.below(3) {
            0 => vec![dice.below(bytes.len())],
            _ => Vec::new(),
        };
        let mut fresh = wire(&Limits::default());
        let (seen, anew) = (feed(&mut *server, bytes, &cuts), feed(&mut *fresh, bytes, &[]));
        assert_eq!(unnumbered(&seen.events()), unnumbered(&anew.events()), "{}", requests[last]);
        assert_eq!((seen.meta(), &seen.out), (anew.meta(), &anew.out), "{}", requests[last]);
        assert_eq!(
            answered(&mut *server, &seen),
            answered(&mut *fresh, &anew),
            "{}",
            requests[last]
        );
    }
}

/// What answers the one call.
fn answered(wire: &mut dyn Wire, seen: &Seen) -> Vec<u8> {
    let mut out = Out::new();
    if let Some(event) = seen.found.first() {
        answer(wire, &mut out, event, Ok("{}"), &[]);
    }
    flat(&out)
}

/// Events without the numbers of their requests.
fn unnumbered(events: &[String]) -> Vec<String> {
    let strip = |event: &String| {
        event.split(' ').filter(|word| !word.starts_with('#')).collect::<Vec<_>>().join(" ")
    };
    events.iter().map(strip).collect()
}
