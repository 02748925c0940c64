//! The codecs of the real rpcx-go as the judge: random values go out of farcall, through Go's own
//! types, and back.

use crate::go_peer::program;
use farcall::{Format, Why, format};
use farcall_cli::kinds::{Inner, Kinds};
use farcall_it::dice::{Dice, Random, Taste};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

/// How many values each property is tried on.
const VALUES: usize = 3_000;

fn inner(dice: &mut Dice) -> Inner {
    dice.message(|dice| Inner { x: Random::random(dice), y: Random::random(dice) })
}

fn kinds(dice: &mut Dice) -> Kinds {
    let len = |dice: &mut Dice| dice.pick(&[0, 0, 1, 1, 2, 3, 16]);
    let (kids, entries) = (len(dice), len(dice));
    Kinds {
        bool: dice.value(),
        i8: dice.value(),
        i16: dice.value(),
        i32: dice.value(),
        i64: dice.value(),
        u8: dice.value(),
        u16: dice.value(),
        u32: dice.value(),
        u64: dice.value(),
        f32: dice.value(),
        f64: dice.value(),
        text: dice.value(),
        blob: dice.value(),
        arr: dice.value(),
        ints: dice.value(),
        names: dice.value(),
        map: dice.value(),
        by_id: (0..entries).map(|_| (dice.value(), inner(dice))).collect(),
        inner: inner(dice),
        ptr: dice.one_in(2).then(|| Box::new(inner(dice))),
        kids: (0..kids).map(|_| inner(dice)).collect(),
        at: dice.value(),
        span: dice.value(),
    }
}

/// Equality that tells floats apart by their bits.
fn assert_same(back: &Kinds, value: &Kinds, note: &str) {
    let split = |v: &Kinds| {
        let bits = (v.f32.to_bits(), v.f64.to_bits());
        (bits, Kinds { f32: 0.0, f64: 0.0, ..v.clone() })
    };
    assert_eq!(split(back), split(value), "{note}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).ok());
    let byte = |two: Option<&str>| two.and_then(|two| u8::from_str_radix(two, 16).ok());
    digits.map(|two| byte(two).unwrap_or_else(|| panic!("the peer says: {text}"))).collect()
}

/// What Go makes of each body; one process for all. `dir` is `encode` (written again in the same
/// codec) or `decode` (written in JSON, whatever it came in).
fn through_go(dir: &str, format: Format, bodies: Vec<Vec<u8>>) -> Vec<String> {
    let mut peer = Command::new(program())
        .args(["codec", "-dir", dir])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the peer starts");
    let (mut stdin, stdout) =
        (peer.stdin.take().expect("piped"), peer.stdout.take().expect("piped"));
    let count = bodies.len();
    // It answers while it reads: both ends must move, or both pipes fill up.
    let writer = std::thread::spawn(move || {
        for body in bodies {
            writeln!(stdin, "{format} {}", hex(&body)).expect("the peer reads");
        }
    });
    let lines: Vec<String> =
        BufReader::new(stdout).lines().map(|line| line.expect("a line of text")).collect();
    writer.join().expect("all was written");
    assert!(peer.wait().expect("it ends").success());
    assert_eq!(lines.len(), count, "a line for each");
    lines
}

fn encode(format: Format, value: &Kinds) -> Vec<u8> {
    format::encode_to_vec(format, value).expect("the format carries it")
}

fn decode(format: Format, line: &str) -> Kinds {
    format::decode_from(format, &unhex(line)).expect("Go's bytes can be read")
}

/// Out of farcall in a format, through Go in one direction, and back.
fn there_and_back(seed: u64, format: Format, dir: &str, taste: Taste) {
    let mut dice = Dice::new(seed, taste);
    let values: Vec<Kinds> = (0..VALUES).map(|_| kinds(&mut dice)).collect();
    let bodies = values.iter().map(|value| encode(format, value)).collect();
    let back_in = if dir == "decode" { Format::Json } else { format };
    for (line, value) in through_go(dir, format, bodies).iter().zip(&values) {
        assert_same(&decode(back_in, line), value, line);
    }
}

#[test]
fn codec_json_through_go() {
    there_and_back(31, Format::Json, "encode", Taste::Finite);
}

#[test]
fn codec_msgpack_through_go() {
    there_and_back(32, Format::MsgPack, "encode", Taste::Any);
}

/// What Go understood, told in the other format.
#[test]
fn codec_msgpack_to_json_by_go() {
    there_and_back(33, Format::MsgPack, "decode", Taste::Finite);
}

/// The text in front of the floats of `Kinds`, the floats, and the text behind them.
fn around_floats(text: &str) -> (&str, &str, &str, &str) {
    let (before, rest) = text.split_once("\"F32\":").expect("in order");
    let (single, rest) = rest.split_once(",\"F64\":").expect("in order");
    let (double, after) = rest.split_once(",\"Text\":").expect("in order");
    (before, single, double, after)
}

/// Byte for byte. Go sorts the keys of maps, so that those have one entry at most. Where two
/// shortest texts are equally near to a float (188367.12 and 188367.13 to 188367.125), Go takes the
/// even one and Rust the greater.
#[test]
fn codec_json_is_what_go_writes() {
    let mut dice = Dice::new(34, Taste::Finite);
    let mut values = Vec::new();
    for _ in 0..VALUES {
        let mut value = kinds(&mut dice);
        value.map = value.map.into_iter().take(1).collect();
        value.by_id = value.by_id.into_iter().take(1).collect();
        values.push(value);
    }
    let bodies: Vec<Vec<u8>> = values.iter().map(|value| encode(Format::Json, value)).collect();
    for (line, body) in through_go("encode", Format::Json, bodies.clone()).iter().zip(&bodies) {
        let theirs = String::from_utf8(unhex(line)).expect("JSON is text");
        let ours = std::str::from_utf8(body).expect("JSON is text");
        let ((a, x, v, b), (c, y, w, d)) = (around_floats(ours), around_floats(&theirs));
        assert_eq!((a, b), (c, d));
        assert!(x == y || x.len() == y.len() && x.parse::<f32>() == y.parse(), "{x} {y}");
        assert!(v == w || v.len() == w.len() && v.parse::<f64>() == w.parse(), "{v} {w}");
    }
}

/// Go has no list where farcall has an empty one, when none came.
#[test]
fn codec_nil_is_the_blank_value() {
    let blank: Kinds = format::decode_from(Format::Json, b"{}").expect("nothing is required");
    for (format, body) in [(Format::Json, &b"{}"[..]), (Format::MsgPack, b"\x80")] {
        let line = &through_go("encode", format, vec![body.to_vec()])[0];
        let nil = decode(format, line);
        // The zero of Go's clock is the year 1.
        assert_same(&nil, &Kinds { at: farcall::Timestamp::GO_ZERO, ..blank.clone() }, line);
    }
    let nil = &through_go("encode", Format::Json, vec![b"{}".to_vec()])[0];
    let text = String::from_utf8(unhex(nil)).expect("JSON is text");
    assert!(text.contains("\"Ints\":null,\"Names\":null,\"Map\":null,\"ByID\":null"), "{text}");
}

/// Bytes that are no text: Go repairs them in JSON and passes them on in MessagePack. Here text is
/// text, so both are refused when they come raw.
#[test]
fn codec_text_that_is_not_utf8() {
    let json = b"{\"Text\":\"a\xff\xc0b\"}";
    let line = &through_go("encode", Format::Json, vec![json.to_vec()])[0];
    assert_eq!(decode(Format::Json, line).text, "a\u{fffd}\u{fffd}b");
    let fault = format::decode_from::<Kinds>(Format::Json, json).expect_err("not text");
    assert_eq!(*fault.why(), Why::NotUtf8);

    let msgpack = b"\x81\xa4Text\xa4a\xff\xc0b";
    let line = &through_go("encode", Format::MsgPack, vec![msgpack.to_vec()])[0];
    let fault = format::decode_from::<Kinds>(Format::MsgPack, &unhex(line)).expect_err("not text");
    assert_eq!((fault.why(), fault.path().as_str()), (&Why::NotUtf8, "Text"));
}
