//! `codec <who> <op> <iterations>`: encodes or decodes rpcx's 581-byte benchmark message; or, as
//! `codec detect <protocol> <iterations>`, tells whose a connection's first bytes are.
//!
//! Made for counting: run it under `valgrind --tool=callgrind` with two numbers of iterations; the
//! difference divided by the difference is instructions per message, start-up excluded. Encoding
//! appends to one reused buffer; decoding makes owned strings, for everyone.

mod message;

use bytes::Bytes;
use farcall_core::{Bounds, Format};
use farcall_wire::sniff;
use prost::Message as _;
use serde::Serialize as _;
use std::hint::black_box;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [who, op, iterations] = &args[..] else {
        eprintln!(
            "usage: codec <ours-protobuf|prost|ours-json|serde_json|ours-msgpack|rmp-serde> \
             <encode|decode> <iterations>, or codec detect <protocol> <iterations>"
        );
        std::process::exit(2);
    };
    let iterations: usize = iterations.parse().expect("a number of iterations");
    check();
    match (who.as_str(), op.as_str()) {
        ("ours-protobuf", "encode") => ours_encode(Format::Protobuf, iterations),
        ("ours-protobuf", "decode") => ours_decode(Format::Protobuf, iterations),
        ("ours-json", "encode") => ours_encode(Format::Json, iterations),
        ("ours-json", "decode") => ours_decode(Format::Json, iterations),
        ("ours-msgpack", "encode") => ours_encode(Format::MsgPack, iterations),
        ("ours-msgpack", "decode") => ours_decode(Format::MsgPack, iterations),
        ("prost", "encode") => {
            let value = message::for_prost();
            encode(iterations, |out| black_box(&value).encode(out).expect("encodes"));
        }
        ("prost", "decode") => {
            let body = message::for_prost().encode_to_vec();
            decode(iterations, || {
                message::ProstBench::decode(black_box(&body[..])).expect("decodes")
            });
        }
        ("serde_json", "encode") => {
            let value = message::for_serde();
            encode(iterations, |out| {
                serde_json::to_writer(out, black_box(&value)).expect("encodes")
            });
        }
        ("serde_json", "decode") => {
            let body = serde_json::to_vec(&message::for_serde()).expect("encodes");
            decode(iterations, || {
                serde_json::from_slice::<message::SerdeBench>(black_box(&body)).expect("decodes")
            });
        }
        ("rmp-serde", "encode") => {
            let value = message::for_serde();
            encode(iterations, |out| {
                let mut to = rmp_serde::Serializer::new(out).with_struct_map();
                black_box(&value).serialize(&mut to).expect("encodes");
            });
        }
        ("rmp-serde", "decode") => {
            let body = rmp_serde::to_vec_named(&message::for_serde()).expect("encodes");
            decode(iterations, || {
                rmp_serde::from_slice::<message::SerdeBench>(black_box(&body)).expect("decodes")
            });
        }
        ("detect", protocol) => detect(protocol, iterations),
        (who, op) => panic!("no such measurement: {who} {op}"),
    }
}

fn encode(iterations: usize, mut one: impl FnMut(&mut Vec<u8>)) {
    let mut out = Vec::new();
    for _ in 0..iterations {
        out.clear();
        one(&mut out);
        black_box(&out);
    }
}

fn decode<T>(iterations: usize, mut one: impl FnMut() -> T) {
    for _ in 0..iterations {
        black_box(one());
    }
}

/// Tells whose the first bytes of a connection are, and prints what that takes in time.
fn detect(protocol: &str, iterations: usize) {
    let first: &[u8] = match protocol {
        "rpcx" => b"\x08\0\0\x30\0\0\0\0\0\0\0\x01\0\0\0\x20",
        "netrpc" => b"\x2f\xff\x81\x03\x01\x01\x07Request\x01\xff\x82\0\x01\x02",
        "http" => b"POST /Arith/Mul HTTP/1.1",
        "jsonrpc" => b"{\"method\":\"Arith.Mul\",",
        "grpc" => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        other => panic!("how does a connection of {other} begin?"),
    };
    let began = std::time::Instant::now();
    for _ in 0..iterations {
        black_box(sniff::detect(black_box(first), black_box(sniff::Spoken::all())));
    }
    let each = began.elapsed().as_nanos() as f64 / iterations.max(1) as f64;
    println!("{protocol}: {each:.1} ns a connection");
}

fn ours(format: Format) -> Bytes {
    let mut out = Vec::new();
    farcall_wire::format::encode(format, &message::ours(), Bounds::default(), &mut out)
        .expect("encodes");
    out.into()
}

fn ours_encode(format: Format, iterations: usize) {
    let value = message::ours();
    encode(iterations, |out| {
        farcall_wire::format::encode(format, black_box(&value), Bounds::default(), out)
            .expect("encodes");
    });
}

fn ours_decode(format: Format, iterations: usize) {
    let body = ours(format);
    decode(iterations, || {
        farcall_wire::format::decode::<message::Bench>(
            format,
            black_box(&body),
            None,
            Bounds::default(),
        )
        .expect("decodes")
    });
}

/// Everyone writes the same bytes; otherwise the comparison would mean nothing.
fn check() {
    assert_eq!(ours(Format::Protobuf), message::for_prost().encode_to_vec());
    assert_eq!(ours(Format::Protobuf).len(), 581);
    assert_eq!(ours(Format::Json), serde_json::to_vec(&message::for_serde()).expect("encodes"));
    let packed = rmp_serde::to_vec_named(&message::for_serde()).expect("encodes");
    assert_eq!(ours(Format::MsgPack), packed);
    for format in [Format::Protobuf, Format::Json, Format::MsgPack] {
        let back = farcall_wire::format::decode(format, &ours(format), None, Bounds::default());
        assert_eq!(back.ok(), Some(message::ours()));
    }
}
