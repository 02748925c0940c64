//! What begins like net/rpc and what does not.

use super::{feed, said, transcript, unhex};
use crate::netrpc::NetRpc;
use crate::{Event, Fed, Protocol, Side, Sniff, sniff};
use farcall_core::Limits;

#[test]
fn what_begins_like_net_rpc() {
    // Go 1.19, with other numbers for the type; Go 1.21 and later; the argument's type first.
    let go = said(&transcript("gob_multiply"), true);
    let mut first = vec![go];
    for digits in ["2fff83030101", "30ffff030101", "31fe0101030101", "31fe0211030101"] {
        first.push(unhex(digits));
    }
    for digits in ["2e7f030101", "1eff83030101", "0cff81020102"] {
        first.push(unhex(digits));
    }
    for bytes in &first {
        let answers: Vec<Sniff> = (0..=bytes.len()).map(|n| NetRpc.sniff(&bytes[..n])).collect();
        let decided = answers.iter().position(|s| *s == Sniff::Yes).unwrap();
        assert!(decided <= 6, "{bytes:x?}");
        assert!(answers[..decided].iter().all(|s| *s == Sniff::More));
        assert!(answers[decided..].iter().all(|s| *s == Sniff::Yes));
    }
    let text = [
        "GET / HTTP/1.1\r\n",
        "CONNECT /_goRPC_ HTTP/1.0\n\n",
        "PRI * HTTP/2.0\r\n",
        "{\"method\":",
        "[{}]",
        " \t\r\n{",
        "*1\r\n$4\r\nPING",
        "SSH-2.0-",
        "PROXY TCP4 ",
        "[1,\"a\"",
        "\u{16}\u{3}\u{1}",
        "\u{7f}ELF",
    ];
    for text in text {
        assert_eq!(NetRpc.sniff(text.as_bytes()), Sniff::No, "{text:?}");
    }
    for bytes in [&[8][..], &[0, 0, 0, 20], &[0x80, 1], &[0x82, 0x21], &[0xda, 0xbb], &[0xf1, 0xf1]]
    {
        assert_eq!(NetRpc.sniff(bytes), Sniff::No, "{bytes:x?}");
    }
    assert!(sniff::by_name("netrpc").is_some());
}

/// Over all pairs of first bytes, and what may follow: once it has answered, it stays with it; and
/// of text it never says yes.
/// Where it is not spoken, the calls that have come are told so, under their numbers.
#[test]
fn who_is_turned_away_is_told() {
    let client = || NetRpc.open(Side::Client, &Limits::default());
    let go = said(&transcript("gob_multiply"), true);
    for first in [&go[..], &[&go[..], b"\x05junk"].concat()] {
        let answer = NetRpc.turn_away(first, "netrpc is not spoken");
        let (found, end) = feed(&mut *client(), &answer, &[5]);
        assert_eq!(end, Ok(Fed::Hungry { need: 0 }));
        let [Event::Reply(reply)] = &found[..] else { panic!("{found:?}") };
        let error = reply.error.as_ref().expect("a refusal");
        assert_eq!((reply.seq, error.text()), (0, "netrpc is not spoken"));
    }
    // Cut anywhere it is said to whole headers, and to nothing else.
    for cut in 0..go.len() {
        let answer = NetRpc.turn_away(&go[..cut], "no");
        let (found, end) = feed(&mut *client(), &answer, &[]);
        assert!(found.len() <= 1 && end == Ok(Fed::Hungry { need: 0 }), "{cut}: {found:?}");
    }
    assert!(NetRpc.turn_away(b"\x2f\xff\x81\x03\x01", "no").is_empty());
}

#[test]
fn sniffing_does_not_change_its_mind() {
    let tails: [&[u8]; 6] = [
        &[1, 1, 3, 1],
        &[3, 1, 1, 2],
        &[0x81, 3, 1, 1, 1],
        &[1, 1, 1, 1, 1],
        b"\" :/12",
        &[0xff; 5],
    ];
    for pair in 0..=u16::MAX {
        for tail in tails {
            let bytes = [&pair.to_be_bytes()[..], tail].concat();
            let mut last = Sniff::More;
            for len in 0..=bytes.len() {
                let now = NetRpc.sniff(&bytes[..len]);
                assert!(last == Sniff::More || now == last, "{bytes:x?} at {len}");
                last = now;
            }
            assert!(last != Sniff::More, "{bytes:x?}");
            if std::str::from_utf8(&bytes[..2]).is_ok() && bytes[1] != 0x7f {
                assert_eq!(last, Sniff::No, "{bytes:x?}");
            }
        }
    }
}
