//! `codec <who> <op> <iterations>`: encodes or decodes rpcx's 581-byte benchmark message, or with
//! `-tiny` behind `who` two small numbers. `codec sizes` prints how many bytes each takes.
//!
//! Made for counting: run it under `valgrind --tool=callgrind` with two numbers of iterations; the
//! difference divided by the difference is instructions per message, start-up excluded. Encoding
//! appends to one reused buffer; decoding makes owned strings, for everyone. gob is measured on a
//! stream whose types are known, with the length and the type in front of each value; raw is the
//! protobuf, handed through. `codec detect <protocol> <iterations>` tells whose a connection's
//! first bytes are.

mod gob;
mod message;

use bytes::Bytes;
use farcall_core::{Bounds, Format, Put, Take};
use farcall_wire::sniff;
use prost::Message as _;
use serde::Serialize as _;
use std::hint::black_box;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args == ["sizes"] {
        return sizes();
    }
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
        ("detect", protocol) => detect(protocol, iterations),
        (who, op) if who.starts_with("ours-") => {
            let name = who.trim_start_matches("ours-");
            match name.strip_suffix("-tiny") {
                Some(name) => ours_on(&message::tiny(), name, op, iterations),
                None => ours_on(&message::ours(), name, op, iterations),
            }
        }
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

/// Tells whose the first bytes of a connection are.
fn detect(protocol: &str, iterations: usize) {
    let first: &[u8] = match protocol {
        "rpcx" => b"\x08\0\0\x30\0\0\0\0\0\0\0\x01\0\0\0\x20",
        "netrpc" => b"\x2f\xff\x81\x03\x01\x01\x07Request\x01\xff\x82\0\x01\x02",
        "http" => b"POST /Arith/Mul HTTP/1.1",
        "jsonrpc" => b"{\"method\":\"Arith.Mul\",",
        "grpc" => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        other => panic!("how does a connection of {other} begin?"),
    };
    for _ in 0..iterations {
        black_box(sniff::detect(black_box(first), black_box(sniff::Spoken::all())));
    }
}

fn body(format: Format, value: &impl Put) -> Bytes {
    let mut out = Vec::new();
    farcall_wire::format::encode(format, value, Bounds::default(), &mut out).expect("encodes");
    out.into()
}

fn ours(format: Format) -> Bytes {
    body(format, &message::ours())
}

fn ours_on<T: Put + Take>(value: &T, name: &str, op: &str, iterations: usize) {
    let format = Format::from_name(name).expect("a format");
    match (format, op) {
        (Format::Gob, "encode") => gob::encode(value, |one| encode(iterations, one)),
        (Format::Gob, "decode") => gob::decode::<T>(value, |one| decode(iterations, one)),
        (Format::Raw, "encode") => ours_encode(format, &body(Format::Protobuf, value), iterations),
        (Format::Raw, "decode") => {
            ours_decode::<Bytes>(format, &body(Format::Protobuf, value), iterations)
        }
        (_, "encode") => ours_encode(format, value, iterations),
        (_, "decode") => ours_decode::<T>(format, &body(format, value), iterations),
        (_, op) => panic!("no such measurement: {op}"),
    }
}

fn ours_encode(format: Format, value: &impl Put, iterations: usize) {
    encode(iterations, |out| {
        farcall_wire::format::encode(format, black_box(value), Bounds::default(), out)
            .expect("encodes");
    });
}

fn ours_decode<T: Take>(format: Format, body: &Bytes, iterations: usize) {
    decode(iterations, || {
        farcall_wire::format::decode::<T>(format, black_box(body), None, Bounds::default())
            .expect("decodes")
    });
}

/// One line for each format: its name, the bytes of the big message and of the small one. For gob
/// two more: what the first message of a stream takes on top.
fn sizes() {
    for format in [Format::Protobuf, Format::MsgPack, Format::Json] {
        let (big, tiny) = (body(format, &message::ours()), body(format, &message::tiny()));
        println!("{format} {} {}", big.len(), tiny.len());
    }
    let (big, tiny) = (gob::sizes(&message::ours()), gob::sizes(&message::tiny()));
    println!("gob {} {} {} {}", big.0, tiny.0, big.1, tiny.1);
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
