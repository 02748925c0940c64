//! What strangers may send, and what they get: a named error or a close, with memory bounded by
//! `Limits` and neighbours unharmed.

use farcall::Limits;
use farcall_it::{
    frames::{Frame, Raw},
    services::{Args, ProbeClient, Running, probe},
};
use flate2::{Compression, write::GzEncoder};
use std::{io::Write as _, time::Duration};
use tokio::{
    io::AsyncReadExt,
    time::{Instant, timeout},
};

const RAW: u8 = 0;
const JSON: u8 = 1;
const PROTOBUF: u8 = 2;
const MSGPACK: u8 = 3;
const GZIP: u8 = 0x04;

fn quick() -> Limits {
    Limits {
        silence: Duration::from_millis(300),
        head_time: Duration::from_millis(300),
        write_stall: Duration::from_millis(300),
        ..Limits::default()
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).and_then(|()| encoder.finish()).expect("memory")
}

/// The neighbour: another connection of the same server still works.
async fn unharmed(url: &str) {
    let client = ProbeClient::connect(url).await.expect("a connection");
    assert_eq!(client.mul(Args { a: 6, b: 7 }).await.expect("an answer").c, 42);
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|n| n.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

#[tokio::test]
async fn frames_that_break_the_protocol_close_the_connection() {
    let running = Running::start(probe(quick())).await;
    let good = Frame::call(1, "Probe", "Meta", JSON, b"{}");
    let mut bad: Vec<(&str, Vec<u8>)> = vec![
        ("another protocol", b"EHLO there\r\n".to_vec()),
        ("wrong magic", Frame { magic: 9, ..good.clone() }.bytes()),
        ("metadata cut", Frame { meta: b"\0\0\0\x09ab".to_vec(), ..good.clone() }.bytes()),
        ("metadata too long", Frame { meta: vec![0; 70_000], ..good.clone() }.bytes()),
        ("a long name", Frame { service: "S".repeat(2_000), ..good.clone() }.bytes()),
    ];
    for length in [0u32, 15, (16 << 20) + 1, u32::MAX / 2, u32::MAX] {
        let mut bytes = good.bytes();
        bytes[12..16].copy_from_slice(&length.to_be_bytes());
        bad.push(("total", bytes));
    }
    for section in [16, 16 + 4 + 5, 16 + 4 + 5 + 4 + 4] {
        for length in [100u32, u32::MAX / 2, u32::MAX - 3, u32::MAX] {
            let mut bytes = good.bytes();
            bytes[section..section + 4].copy_from_slice(&length.to_be_bytes());
            bad.push(("section", bytes));
        }
    }
    for (what, bytes) in bad {
        // On a fresh connection, and after a good call.
        for after_a_good_call in [false, true] {
            let mut raw = Raw::connect(&running.url).await;
            if after_a_good_call {
                assert!(raw.call(&good).await.is_some());
            }
            raw.send(&bytes).await;
            assert!(raw.receive().await.is_none(), "{what}: the connection is closed");
        }
        unharmed(&running.url).await;
    }
}

#[tokio::test]
async fn bodies_that_lie_get_an_error_and_the_connection_lives() {
    let running = Running::start(probe(quick())).await;
    let bomb = gzip(&vec![0; (16 << 20) + 1]);
    let gzipped = gzip(b"\x82\xa1A\x01\xa1B\x02");
    let deep_json = [b"{\"kids\":".to_vec(), b"[{\"kids\":".repeat(1_000_000)].concat();
    let deep_msgpack = b"\x81\xa4kids\x91".repeat(1_000_000);
    let unknown_json = [b"{\"x\":".to_vec(), b"[".repeat(1_000_000)].concat();
    let unknown_msgpack = [b"\x81\xa1x".to_vec(), b"\x91".repeat(1_000_000)].concat();
    let many = [b"\x81\xa4kids\xdd\x00\x50\x00\x00".to_vec(), b"\x80".repeat(5 << 20)].concat();
    let claims = b"\x81\xa4kids\xdd\xff\xff\xff\xff".to_vec();
    let nested_protobuf = (0..60_000).fold(Vec::new(), |inner: Vec<u8>, depth| {
        if depth > 300 {
            return inner;
        }
        let mut outer = vec![0x1a];
        let mut length = inner.len();
        while length >= 128 {
            outer.push(length as u8 | 128);
            length >>= 7;
        }
        outer.push(length as u8);
        [outer, inner].concat()
    });
    // What it is, flags, method, format, body, what the error says.
    type Case = (&'static str, u8, &'static str, u8, Vec<u8>, &'static str);
    let cases: [Case; 16] = [
        ("bomb", GZIP, "Mul", MSGPACK, bomb, "Limits::unfolded_bytes"),
        ("cut gzip", GZIP, "Mul", MSGPACK, gzipped[..12].to_vec(), "ends too early"),
        ("no gzip", GZIP, "Mul", MSGPACK, b"not gzip at all".to_vec(), "corrupt"),
        ("empty gzip", GZIP, "Mul", MSGPACK, Vec::new(), "ends too early"),
        ("unknown compressor", 0x1c, "Mul", MSGPACK, vec![0x80], "unsupported compressor"),
        ("unknown codec", 0, "Mul", 9, vec![0x80], "can not find codec for 9"),
        ("thrift", 0, "Mul", 4, vec![0], "can not find codec for 4"),
        ("raw for a struct", 0, "Mul", RAW, vec![1], "raw"),
        ("deep JSON", 0, "Tree", JSON, deep_json, "Limits::body_depth"),
        ("deep MessagePack", 0, "Tree", MSGPACK, deep_msgpack, "Limits::body_depth"),
        ("deep unknown JSON", 0, "Tree", JSON, unknown_json, "Limits::body_depth"),
        ("deep unknown MessagePack", 0, "Tree", MSGPACK, unknown_msgpack, ""),
        ("small items of a large type", 0, "Tree", MSGPACK, many, "Limits::decoded_bytes"),
        ("a claimed count", 0, "Tree", MSGPACK, claims, "past the end"),
        ("deep protobuf", 0, "Tree", PROTOBUF, nested_protobuf, "Limits::body_depth"),
        ("cut JSON", 0, "Tree", JSON, b"{\"name\":\"x".to_vec(), "cannot be read"),
    ];
    let mut raw = Raw::connect(&running.url).await;
    for (what, flags, method, format, body, text) in cases {
        let frame = Frame { flags, ..Frame::call(7, "Probe", method, format, &body) };
        let answer = raw.call(&frame).await.unwrap_or_else(|| panic!("{what}: an answer"));
        let error = answer.error().unwrap_or_else(|| panic!("{what}: an error"));
        assert!(error.contains(text), "{what}: {error}");
        // The same connection goes on.
        let good = Frame::call(8, "Probe", "Mul", MSGPACK, b"\x82\xa1A\x06\xa1B\x07");
        let answer = raw.call(&good).await.expect("an answer");
        assert_eq!((answer.error(), answer.body.last()), (None, Some(&42)), "{what}");
    }
    unharmed(&running.url).await;
}

#[tokio::test]
async fn every_cut_of_a_frame_is_waited_for_and_then_given_up() {
    let running = Running::start(probe(quick())).await;
    let frame = Frame::call(3, "Probe", "Mul", MSGPACK, b"\x82\xa1A\x06\xa1B\x07").bytes();
    let cuts = (1..frame.len()).map(|cut| {
        let (url, frame) = (running.url.clone(), frame.clone());
        tokio::spawn(async move {
            let mut raw = Raw::connect(&url).await;
            raw.send(&frame[..cut]).await;
            assert!(raw.receive().await.is_none(), "cut at {cut}: closed by Limits::head_time");
        })
    });
    let cuts: Vec<_> = cuts.collect();
    // Byte by byte, but in time, is served.
    let mut slow = Raw::connect(&running.url).await;
    for byte in &frame {
        slow.send(&[*byte]).await;
    }
    assert_eq!(slow.receive().await.expect("an answer").seq, 3);
    for cut in cuts {
        cut.await.expect("closed");
    }
    unharmed(&running.url).await;
}

#[tokio::test]
async fn the_silent_are_closed_and_the_calm_are_not() {
    let running = Running::start(probe(quick())).await;
    let mut calm = Raw::connect(&running.url).await;
    let good = Frame::call(1, "Probe", "Meta", JSON, b"{}");
    assert!(calm.call(&good).await.is_some());
    let mut silent = Raw::connect(&running.url).await;
    let since = Instant::now();
    assert!(silent.receive().await.is_none());
    assert!(since.elapsed() >= Duration::from_millis(250), "not before Limits::silence");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(calm.call(&good).await.is_some(), "one that completed a message may be idle");
}

#[tokio::test]
async fn a_claimed_length_takes_no_memory() {
    let running = Running::start(probe(quick())).await;
    let before = resident();
    let mut header = Frame::call(1, "Probe", "Meta", JSON, b"{}").bytes()[..16].to_vec();
    header[12..16].copy_from_slice(&(16u32 << 20).to_be_bytes());
    let mut claims = Vec::new();
    for _ in 0..200 {
        let mut raw = Raw::connect(&running.url).await;
        raw.send(&header).await;
        claims.push(raw);
    }
    unharmed(&running.url).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 200 * (256 << 10), "3.2 GB were claimed, {grown} bytes were taken");
}

#[tokio::test]
async fn a_peer_that_never_reads_is_not_read_and_then_closed() {
    let limits = Limits { output_bytes: 1 << 20, ..quick() };
    let running = Running::start(probe(limits)).await;
    let before = resident();
    let mut raw = Raw::connect(&running.url).await;
    // Each call asks for 256 KiB: ten thousand of them for 2.5 GB.
    let ask = Frame::call(1, "Probe", "Zeros", JSON, b"262144").bytes();
    let sending = async {
        for _ in 0..10_000 {
            if !raw.send(&ask).await {
                break;
            }
        }
    };
    let _ = timeout(Duration::from_secs(3), sending).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes are held for a peer that never reads");
    unharmed(&running.url).await;
    // Whatever was on its way comes, and then the close.
    let drained = timeout(Duration::from_secs(10), async {
        let mut sink = vec![0; 1 << 20];
        while raw.socket.read(&mut sink).await.is_ok_and(|n| n > 0) {}
    });
    assert!(drained.await.is_ok(), "closed by Limits::write_stall");
}

#[tokio::test]
async fn connections_beyond_the_cap_are_refused() {
    let running = Running::start(probe(Limits { connections: 3, ..quick() })).await;
    let good = Frame::call(1, "Probe", "Meta", JSON, b"{}");
    let mut inside = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw::connect(&running.url).await;
        assert!(raw.call(&good).await.is_some());
        inside.push(raw);
    }
    let mut outside = Raw::connect(&running.url).await;
    assert!(outside.call(&good).await.is_none());
    drop(inside.pop());
    for _ in 0..100 {
        let mut next = Raw::connect(&running.url).await;
        if next.call(&good).await.is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the place was not freed");
}

#[tokio::test]
async fn slots_are_bounded_and_nothing_is_lost() {
    let running = Running::start(probe(Limits { calls_per_connection: 4, ..quick() })).await;
    let mut raw = Raw::connect(&running.url).await;
    let frames = (0..40).map(|seq| Frame::call(seq, "Probe", "Sleep", JSON, b"5").bytes());
    raw.send(&frames.collect::<Vec<_>>().concat()).await;
    let mut seen = Vec::new();
    while seen.len() < 40 {
        let answer = raw.receive().await.expect("an answer");
        let together: u64 = String::from_utf8_lossy(&answer.body).parse().expect("a number");
        assert!((1..=4).contains(&together), "{together}");
        seen.push(answer.seq);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..40).collect::<Vec<_>>());
}

#[tokio::test]
async fn random_bytes_never_harm() {
    let running = Running::start(probe(quick())).await;
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let good = Frame::call(1, "Probe", "Tree", JSON, b"{\"name\":\"x\",\"kids\":[{}]}").bytes();
    for _ in 0..300 {
        let mut bytes = good.repeat(1 + random() % 3);
        for _ in 0..1 + random() % 6 {
            let at = random() % bytes.len();
            bytes[at] = random() as u8;
        }
        let mut raw = Raw::connect(&running.url).await;
        raw.send(&bytes).await;
    }
    unharmed(&running.url).await;
}
