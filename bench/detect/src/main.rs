//! `detect [ROUNDS]`: nanoseconds that it takes to tell a protocol by the first bytes of a
//! connection, for every protocol, as one line of JSON each.

use farcall_wire::sniff::{Detected, Spoken, detect};
use std::{hint::black_box, time::Instant};

/// How connections begin. net/rpc's client defines its `Request` first; the last is nobody's.
const OPENINGS: [(&str, &[u8]); 7] = [
    ("rpcx", &[8, 0, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x1f, 0, 0, 0, 5, b'A', b'r']),
    ("netrpc", &[0x32, 0x7f, 3, 1, 1, 7, b'R', b'e', b'q', b'u', b'e', b's', b't', 1, 0xff]),
    ("http POST", b"POST /Arith/Mul HTTP/1.1\r\nHost: 127.0.0.1\r\n"),
    ("http OPTIONS", b"OPTIONS /Arith/Mul HTTP/1.1\r\nHost: 127.0.0.1\r\n"),
    ("jsonrpc", b"{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\",\"id\":1}\n"),
    ("jsonrpc, spaces", b"\r\n    [{\"jsonrpc\":\"2.0\",\"method\":\"Arith.Mul\",\"id\":1}]\n"),
    ("nobody's", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
];

fn main() {
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(50_000_u32);
    for (name, first) in OPENINGS {
        let tell = || match detect(black_box(first), black_box(Spoken::all())) {
            Detected::Is(protocol) => protocol.name(),
            Detected::Off(protocol) => protocol.name(),
            Detected::NotBuilt(name) => name,
            Detected::More => "more",
            Detected::None => "none",
        };
        let told = tell();
        let mut best = f64::MAX;
        // The shortest of many short ones: what else the machine does only adds.
        for _ in 0..200 {
            let began = Instant::now();
            for _ in 0..rounds {
                black_box(tell());
            }
            best = best.min(began.elapsed().as_nanos() as f64 / f64::from(rounds));
        }
        println!(r#"{{"opening":"{name}","told":"{told}","ns":{best:.2}}}"#);
    }
}
