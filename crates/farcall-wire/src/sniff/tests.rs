//! Every prefix has one owner or none; owners stay; nothing needs more than its due.

use super::{Detected, MOST_BYTES, PROTOCOLS, Spoken, detect, foreign};
use crate::Sniff;

/// What is said of these bytes, in words.
fn owner(first: &[u8]) -> String {
    match detect(first, Spoken::all()) {
        Detected::Is(protocol) => protocol.name().to_owned(),
        Detected::More => "more".to_owned(),
        Detected::Off(protocol) => format!("{} off", protocol.name()),
        Detected::NotBuilt(name) => format!("{name} not built"),
        Detected::None => "nobody".to_owned(),
    }
}

/// Everybody who says yes.
fn owners(first: &[u8]) -> Vec<&'static str> {
    let built = PROTOCOLS.iter().map(|p| (p.name(), p.sniff(first)));
    let known = foreign::KNOWN.iter().map(|(name, sniff)| (*name, sniff(first)));
    built.chain(known).filter(|(_, said)| *said == Sniff::Yes).map(|(name, _)| name).collect()
}

/// A generator of bytes that is the same everywhere.
struct Dice(u64);

impl Dice {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u8
    }
}

/// Asks of every prefix: once told it stays, at most one owner, and told within `MOST_BYTES`.
fn walk(bytes: &[u8]) -> String {
    let mut last = "more".to_owned();
    for end in 0..=bytes.len() {
        let now = owner(&bytes[..end]);
        assert!(last == "more" || now == last, "{:x?}: {last}, then {now}", &bytes[..end]);
        let all = owners(&bytes[..end]);
        assert!(all.len() <= 1, "{:x?}: {all:?}", &bytes[..end]);
        assert!(end < MOST_BYTES || now != "more", "{:x?}: still more", &bytes[..end]);
        last = now;
    }
    last
}

/// How connections begin, and whose they are.
const OPENINGS: [(&[u8], &str); 38] = [
    (b"\x08\0\0\x30\0\0\0\0\0\0\0\x01\0\0\0\x20", "rpcx"),
    (b"\x2f\xff\x81\x03\x01\x01\x07Request\x01\xff\x82\0\x01\x02\x01\x0dS", "netrpc"),
    (b"\x30\xff\xff\x03\x01\x01\x07Request", "netrpc"),
    (b"\x31\xfe\x02\x11\x03\x01\x01\x07Request", "netrpc"),
    (b"\x2e\x7f\x03\x01\x01\x07Request", "netrpc"),
    (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "http"),
    (b"HEAD / HTTP/1.1\r\n", "http"),
    (b"POST /Arith/Mul HTTP/1.1\r\n", "http"),
    (b"PUT / HTTP/1.1\r\n", "http"),
    (b"PATCH / HTTP/1.1\r\n", "http"),
    (b"DELETE / HTTP/1.1\r\n", "http"),
    (b"OPTIONS * HTTP/1.1\r\n", "http"),
    (b"TRACE / HTTP/1.1\r\n", "http"),
    (b"CONNECT /_goRPC_ HTTP/1.0\n\n", "http"),
    (b"CONNECT h:1 HTTP/1.1\r\n", "http"),
    (b"{\"method\":\"Arith.Mul\",\"params\":[{}],\"id\":0}", "jsonrpc"),
    (b" \r\n\t{\"jsonrpc\":\"2.0\"}", "jsonrpc"),
    (b"[{\"jsonrpc\":\"2.0\"}]", "jsonrpc"),
    (b"[]", "jsonrpc"),
    (b"[1]", "jsonrpc"),
    (b"[1,2,3]", "jsonrpc"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "gRPC (HTTP/2) not built"),
    (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", "TLS not built"),
    (b"\x80\x01\0\x01\0\0\0\x0atestString", "Thrift not built"),
    (b"\0\0\0\x0atestString\x01\0\0\0\x05", "Thrift not built"),
    (b"\x82\x21\x05\x0atestString", "Thrift not built"),
    (b"[1,\"testString\",1,5,{}]", "Thrift not built"),
    (b"\0\0\0\x20\x80\x01\0\x01\0\0\0\x0atestString", "Thrift not built"),
    (b"\0\0\0\x20\x82\x81\x05\x0atestString", "Thrift not built"),
    (b"\0\0\0\x20\0\0\0\x0atestString", "Thrift not built"),
    (b"\0\0\0\x20[1,\"testString\"", "Thrift not built"),
    (b"\0\0\0\x32\x0f\xff\0\0\0\0\0\0\0\x02", "Thrift not built"),
    (b"\0\0\0\x32\x10\0\0\0\0\0\0\0\0\x02", "Thrift not built"),
    (b"\xda\xbb\xc2\0\0\0\0\0\0\0\0\x01", "Dubbo not built"),
    (b"\xf1\xf1\0\x08", "Motan not built"),
    (b"*1\r\n$4\r\nPING\r\n", "Redis not built"),
    (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "PROXY protocol not built"),
    (b"\r\n\r\n\0\r\nQUIT\n\x21\x11", "PROXY protocol not built"),
];

#[test]
fn every_opening_has_its_owner() {
    for (bytes, want) in OPENINGS {
        assert_eq!(walk(bytes), want, "{bytes:x?}");
    }
    for bytes in ["SSH-2.0-x", "EHLO h\r\n", "get / HTTP/1.1", "PROPFIND /", "null", "\u{7f}ELF"] {
        assert_eq!(walk(bytes.as_bytes()), "nobody", "{bytes}");
    }
    assert_eq!(walk(&[b' '; 64]), "nobody");
}

/// All pairs of first bytes, each with tails at random, with the tails of all openings, and alone.
#[test]
fn every_pair_of_first_bytes() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut told = std::collections::BTreeMap::new();
    for pair in 0..=u16::MAX {
        let pair = pair.to_be_bytes();
        let mut bytes = pair.to_vec();
        bytes.extend((0..6).map(|_| dice.byte()));
        *told.entry(walk(&bytes)).or_insert(0) += 1;
        let (tail, _) = OPENINGS[usize::from(dice.byte()) % OPENINGS.len()];
        walk(&[&pair[..], &tail[2..tail.len().min(12)]].concat());
    }
    assert!(told["nobody"] > 60_000 && told["rpcx"] == 256, "{told:?}");
}

/// Openings, cut anywhere and followed by anything.
#[test]
fn what_follows_changes_nothing() {
    let mut dice = Dice(7);
    for (bytes, _) in OPENINGS {
        for cut in 0..=bytes.len().min(MOST_BYTES) {
            for _ in 0..10 {
                let mut bytes = bytes[..cut].to_vec();
                bytes.extend((0..32).map(|_| dice.byte()));
                walk(&bytes);
            }
        }
    }
}

#[test]
fn what_is_off_is_still_known() {
    let only = Spoken::named(["rpcx"]).unwrap();
    for (bytes, name) in OPENINGS {
        match detect(bytes, only) {
            Detected::Is(protocol) => assert_eq!((protocol.name(), name), ("rpcx", "rpcx")),
            Detected::Off(protocol) => assert_eq!(protocol.name(), name),
            Detected::NotBuilt(known) => assert_eq!(format!("{known} not built"), name),
            Detected::More | Detected::None => panic!("{name}: {bytes:x?}"),
        }
    }
    assert_eq!(Spoken::named(["http", "smtp"]), Err("smtp".to_owned()));
    assert_eq!(format!("{only:?}"), "{\"rpcx\"}");
    assert!(only.within(Spoken::all()) && !Spoken::all().within(only));
}
