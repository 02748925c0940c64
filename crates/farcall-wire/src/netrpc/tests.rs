//! Conversations of Go's net/rpc, each side of them fed to ours, however they are cut, and answered
//! byte for byte; broken headers; what begins like net/rpc and what does not.

mod sniffing;

use super::{Broken, NetRpc};
use crate::format::tests::types::{field, message, omit, packed};
use crate::format::{decode, encode, json};
use crate::{
    CallHead, Control, Event, Fed, Head, Out, Protocol, Reply, ReplyHead, Side, Wire, gob,
};
use bytes::{Bytes, BytesMut};
use farcall_core::{
    Body, Bounds, Call, Code, Compress, END, Fault, Field, Format, Found, Limits, Message,
    MethodId, Put, Routes, Schema, Shape, Shaped, Sink, Source, Status, Take, Value, tables,
};
use std::io::IoSlice;

message! { Args { 1 "A" a: i64; 2 "B" b: i64; } }
message! { Quotient { 1 "Quo" quo: i64; 2 "Rem" rem: i64; } }

const METHODS: &[&str] = &[
    "Arith.Multiply",
    "Arith.Divide",
    "HelloService.Hello",
    "Echo.Ints",
    "Echo.NilInts",
    "Echo.Bytes",
    "Echo.Bool",
    "Echo.Int",
    "Echo.Empty",
    "Echo.Any",
];

struct Table;

impl Routes for Table {
    fn find(&self, service: &[u8], method: &[u8]) -> Found {
        let name = [service, b".", method].concat();
        match METHODS.iter().position(|known| known.as_bytes() == name) {
            Some(at) => Found::Method(MethodId(at as u32)),
            None if service == b"Arith" || service == b"Echo" => Found::NoMethod,
            None => Found::NoService,
        }
    }
}

fn transcripts() -> Vec<Value> {
    let text = Bytes::from_static(include_bytes!("testdata/transcripts.json"));
    match json::decode(&text, Bounds::default()) {
        Ok(Value::List(cases)) => cases,
        other => panic!("{other:?}"),
    }
}

fn text<'v>(case: &'v Value, key: &str) -> &'v str {
    case.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn unhex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// The steps of a transcript: whether the client speaks, and what.
fn steps(case: &Value) -> Vec<(bool, Vec<u8>)> {
    let Some(Value::List(steps)) = case.get("steps") else { panic!() };
    steps.iter().map(|s| (text(s, "dir") == "c2s", unhex(text(s, "hex")))).collect()
}

fn said(case: &Value, client: bool) -> Vec<u8> {
    steps(case).into_iter().filter(|s| s.0 == client).flat_map(|s| s.1).collect()
}

fn transcript(name: &str) -> Value {
    transcripts().into_iter().find(|case| text(case, "name") == name).unwrap()
}

fn flat(out: &Out) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 16];
    let count = out.slices(&mut slices);
    slices[..count].iter().flat_map(|s| s.to_vec()).collect()
}

fn open(side: Side) -> Box<dyn Wire> {
    NetRpc.open(side, &Limits::default())
}

/// The events of bytes that are fed in pieces, cut at these offsets.
fn feed(
    wire: &mut dyn Wire,
    bytes: &[u8],
    cuts: &[usize],
) -> (Vec<Event>, Result<Fed, crate::Broken>) {
    let (mut input, mut out, mut found) = (BytesMut::new(), Out::new(), Vec::new());
    let (mut end, mut from) = (Ok(Fed::Hungry { need: 0 }), 0);
    for &to in cuts.iter().chain([&bytes.len()]) {
        input.extend_from_slice(&bytes[from..to]);
        from = to;
        loop {
            // One at a time, so that `Full` has its turn.
            end = wire.feed(&mut input, &mut out, &Table, &mut found, 1);
            match &end {
                Ok(Fed::Full) => {}
                Ok(Fed::Hungry { need }) => {
                    assert!(*need > 0 || input.is_empty());
                    break;
                }
                Ok(fed) => panic!("{fed:?}"),
                Err(_) => return (found, end),
            }
        }
    }
    assert!(out.is_empty());
    (found, end)
}

#[test]
fn a_goodbye_is_a_response_that_nobody_waits_for() {
    let (mut server, mut client) = (open(Side::Server), open(Side::Client));
    // The second time the types are known.
    for _ in 0..2 {
        let mut out = Out::new();
        server.control(Control::Goodbye, &mut out);
        let (found, end) = feed(&mut *client, &flat(&out), &[3]);
        assert!(matches!(found[..], [Event::Goodbye]), "{found:?}");
        assert_eq!(end, Ok(Fed::Hungry { need: 0 }));
    }
    let mut out = Out::new();
    client.control(Control::Goodbye, &mut out);
    assert!(out.is_empty(), "clients say none");
}

fn short(event: &Event) -> String {
    match event {
        Event::Call(call) => {
            format!("{} {:?} {:?}", METHODS[call.to.0 as usize], call.ticket, call.body)
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn conversations_are_the_same_however_they_are_cut() {
    for case in transcripts() {
        for side in [Side::Server, Side::Client] {
            let bytes = said(&case, side == Side::Server);
            let run = |cuts: &[usize]| {
                let (found, end) = feed(&mut *open(side), &bytes, cuts);
                (found.iter().map(short).collect::<Vec<_>>(), end)
            };
            let whole = run(&[]);
            let single: Vec<usize> = (0..bytes.len()).collect();
            for cuts in (0..bytes.len()).map(|at| vec![at]).chain([single]) {
                assert_eq!(run(&cuts), whole, "{} {side:?} cut at {cuts:?}", text(&case, "name"));
            }
        }
    }
}

fn read<T: Take>(body: &Body) -> Result<T, Status> {
    decode(Format::Gob, &body.bytes, body.lent.as_ref(), Bounds::default())
        .map_err(|fault| Status::invalid_argument(fault.to_string()))
}

fn write<T: Put>(wire: &mut dyn Wire, head: Head<'_>, value: &T) -> Vec<u8> {
    let mut out = Out::new();
    out.tail().push(b'-');
    let mark = wire.begin(head, &mut out);
    encode(Format::Gob, value, Bounds::default(), out.tail()).unwrap();
    wire.end(mark, &mut out);
    flat(&out)[1..].to_vec()
}

/// Serves one call as the recorded Go server did.
fn serve(wire: &mut dyn Wire, event: &Event) -> Vec<u8> {
    fn answer<T: Put>(wire: &mut dyn Wire, event: &Event, result: Result<T, Status>) -> Vec<u8> {
        let (ticket, service, method) = match event {
            Event::Call(call) => {
                let (service, method) = METHODS[call.to.0 as usize].rsplit_once('.').unwrap();
                (call.ticket, service, method)
            }
            Event::Unknown(call) => (call.ticket, &*call.service, &*call.method),
            other => panic!("{other:?}"),
        };
        let (ticket, error) = (&ticket, result.as_ref().err());
        let shape = error.is_none().then_some(const { &T::SHAPE });
        let head = Head::Reply(ReplyHead { ticket, service, method, error, meta: &[], shape });
        match &result {
            Ok(value) => write(wire, head, value),
            Err(_) => {
                let mut out = Out::new();
                let mark = wire.begin(head, &mut out);
                wire.end(mark, &mut out);
                flat(&out)
            }
        }
    }
    let call = match event {
        Event::Call(call) => call,
        Event::Unknown(call) => {
            let status = wire.unknown(call.found, &call.service, &call.method);
            return answer::<()>(wire, event, Err(status));
        }
        other => panic!("{other:?}"),
    };
    let body = &call.body;
    match METHODS[call.to.0 as usize] {
        "Arith.Multiply" => {
            let product = read::<Args>(body).map(|args| args.a * args.b);
            answer(wire, event, product)
        }
        "Arith.Divide" => {
            let args: Args = read(body).unwrap();
            let quotient = match args.b {
                0 => Err(Status::new(Code::Unknown, "divide by zero")),
                b => Ok(Quotient { quo: args.a / b, rem: args.a % b }),
            };
            answer(wire, event, quotient)
        }
        "HelloService.Hello" => {
            let hello = read::<String>(body).map(|name| format!("hello:{name}"));
            answer(wire, event, hello)
        }
        "Echo.Ints" | "Echo.NilInts" => answer(wire, event, read::<Vec<i64>>(body)),
        "Echo.Bytes" => answer(wire, event, read::<Vec<u8>>(body)),
        "Echo.Bool" => answer(wire, event, read::<bool>(body)),
        "Echo.Int" => answer(wire, event, read::<i64>(body)),
        "Echo.Empty" => answer(wire, event, read::<()>(body)),
        other => panic!("{other}"),
    }
}

#[test]
fn servers_answer_as_go_does() {
    let names = [
        "gob_multiply",
        "gob_divide",
        "gob_divide_by_zero",
        "gob_ill_formed",
        "gob_hello",
        "gob_echo_bytes",
        "gob_echo_ints",
        "gob_echo_nil_ints",
        "gob_echo_bool",
        "gob_echo_neg",
        "gob_echo_empty",
        "gob_session",
        "gobraw_minimal",
        "gobraw_all_defs_first",
        "gobraw_duplicate_seq",
        "gobraw_body_for_unknown_method_undefined",
    ];
    for name in names {
        let mut server = open(Side::Server);
        let mut answers = Vec::new();
        for (client, bytes) in steps(&transcript(name)) {
            if client {
                let (found, end) = feed(&mut *server, &bytes, &[]);
                assert_eq!(end, Ok(Fed::Hungry { need: 0 }), "{name}");
                answers = found.iter().flat_map(|event| serve(&mut *server, event)).collect();
            } else {
                assert_eq!(std::mem::take(&mut answers), bytes, "{name}");
            }
        }
    }
}

fn call<'a>(seq: u64, service: &'a str, method: &'a str, shape: &'static Shape) -> CallHead<'a> {
    CallHead {
        seq,
        service,
        method,
        format: Format::Gob,
        compress: Compress::None,
        oneway: false,
        timeout: None,
        meta: &[],
        shape,
        streams: Default::default(),
    }
}

#[test]
fn clients_call_as_go_does() {
    let mut client = open(Side::Client);
    let steps = steps(&transcript("gob_session"));
    let mut said = steps.iter().filter(|s| s.0).map(|s| &s.1);
    let args = |a, b| Args { a, b };
    for (seq, (service, method, args)) in [
        ("Arith", "Multiply", args(7, 8)),
        ("Arith", "Divide", args(17, 5)),
        ("Arith", "Divide", args(17, 0)),
    ]
    .into_iter()
    .enumerate()
    {
        // What was taken back is as if it had never been said.
        let head = || Head::Call(call(seq as u64, service, method, &Args::SHAPE_HERE));
        let mut out = Out::new();
        let mark = client.begin(head(), &mut out);
        client.abandon(mark, &mut out);
        assert!(out.is_empty());
        assert_eq!(write(&mut *client, head(), &args), *said.next().unwrap(), "{method}");
    }
    // A name without a dot goes as it is.
    let bytes =
        write(&mut *client, Head::Call(call(3, "", "Multiply", &Args::SHAPE_HERE)), &args(1, 2));
    assert!(bytes.windows(9).any(|w| w == b"\x08Multiply"));
}

impl Args {
    const SHAPE_HERE: Shape = Shape::Message(|| Self::SCHEMA);
}

/// What Go's client made of the answers is what ours makes of them.
#[test]
fn clients_read_what_go_reads() {
    let mut count = 0;
    for case in transcripts() {
        let Some(Value::List(results)) = case.get("client_result") else { continue };
        let (found, end) = feed(&mut *open(Side::Client), &said(&case, false), &[]);
        let name = text(&case, "name");
        if name == "gobfake_garbage" {
            let Err(crate::Broken::NetRpc(Broken::Header { .. })) = end else { panic!("{end:?}") };
            continue;
        }
        let mut results = results.iter().filter_map(|r| r.as_str()?.split_once(" -> "));
        for event in found {
            let Event::Reply(reply) = event else { panic!() };
            // A reply to no call of Go's.
            if reply.seq == 99 {
                continue;
            }
            let Some((_, want)) = results.next() else { break };
            let special = ["gob_wrong_reply_type", "gob_discard_reply", "gobfake_wrong_body_type"];
            // The header that Go's client left in its buffer was answered.
            if name == "gob_arg_encode_error" {
                break;
            }
            match (want.strip_prefix("error rpc.ServerError "), reply.error) {
                (Some(want), Some(error)) => {
                    assert_eq!(format!("{:?}", error.text()), want, "{name}");
                    let unknown = want.contains("can't find") || want.contains("ill-formed");
                    let code = if unknown { Code::Unimplemented } else { Code::Unknown };
                    assert_eq!(error.code(), code);
                }
                (None, None) if special.contains(&name) => {}
                (None, None) => {
                    let got: Value = read(&reply.body).unwrap();
                    let mut written = Vec::new();
                    json::encode(&got, Bounds::default(), &mut written).unwrap();
                    let got = String::from_utf8(written).unwrap();
                    let nils = got.replace("\"Emails\":[]", "\"Emails\":null");
                    let nils = nils.replace("\"Blob\":\"\"", "\"Blob\":null");
                    assert!(
                        nils == want || (got == "[]" && want == "null"),
                        "{name}: {got} {want}"
                    );
                }
                other => panic!("{name}: {other:?}"),
            }
            count += 1;
        }
    }
    assert!(count > 25, "{count}");
}

#[test]
fn an_argument_that_does_not_fit_costs_its_call_alone() {
    let (mut client, mut server) = (open(Side::Client), open(Side::Server));
    let wrong = Head::Call(call(1, "Arith", "Multiply", const { &<String as Shaped>::SHAPE }));
    let mut bytes = write(&mut *client, wrong, &"x".to_owned());
    let right = Head::Call(call(2, "Arith", "Multiply", &Args::SHAPE_HERE));
    bytes.extend(write(&mut *client, right, &Args { a: 3, b: 4 }));
    let (found, _) = feed(&mut *server, &bytes, &[]);
    let answers: Vec<u8> = found.iter().flat_map(|event| serve(&mut *server, event)).collect();
    let (found, end) = feed(&mut *client, &answers, &[]);
    assert_eq!(end, Ok(Fed::Hungry { need: 0 }));
    let [Event::Reply(first), Event::Reply(second)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(first.error.as_ref().map(Status::text), Some("expected a message, found text"));
    assert_eq!(read::<i64>(&second.body).unwrap(), 12);
}

/// An error without a text would be a success.
#[test]
fn a_failure_has_a_text() {
    let mut server = open(Side::Server);
    let (found, _) = feed(&mut *server, &said(&transcript("gob_multiply"), true), &[]);
    let [Event::Call(call)] = &found[..] else { panic!() };
    let status = Status::new(Code::NotFound, "");
    let head = ReplyHead {
        ticket: &call.ticket,
        service: "Arith",
        method: "Multiply",
        error: Some(&status),
        meta: &[],
        shape: None,
    };
    let mut out = Out::new();
    let mark = server.begin(Head::Reply(head), &mut out);
    server.end(mark, &mut out);
    let (found, _) = feed(&mut *open(Side::Client), &flat(&out), &[]);
    let [Event::Reply(reply)] = &found[..] else { panic!() };
    assert_eq!(reply.error.as_ref().map(Status::text), Some(Code::NotFound.name()));
}

#[test]
fn headers_that_are_none_end_the_connection() {
    for name in ["gobraw_bad_header", "gob_arg_encode_error"] {
        let (found, end) = feed(&mut *open(Side::Server), &said(&transcript(name), true), &[]);
        assert_eq!(found.len(), usize::from(name == "gob_arg_encode_error"), "{name}");
        let Err(crate::Broken::NetRpc(Broken::Header { .. })) = end else { panic!("{end:?}") };
    }
    let mut client = open(Side::Client);
    let long = "x".repeat(1025);
    let head = Head::Call(call(0, "A", &long, const { &<i64 as Shaped>::SHAPE }));
    let bytes = write(&mut *client, head, &1_i64);
    let (_, end) = feed(&mut *open(Side::Server), &bytes, &[]);
    assert_eq!(end, Err(Broken::NameLong { length: 1025, limit: 1024 }.into()));
    let (_, end) = feed(&mut *open(Side::Server), &[0], &[]);
    assert_eq!(end, Err(Broken::Gob(gob::Broken::MessageEmpty).into()));
}

#[test]
fn mutations() {
    let mut x = 88_172_645_463_325_252_u64;
    let mut random = move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x as usize
    };
    let cases = transcripts();
    let seeds: Vec<_> = [true, false]
        .into_iter()
        .flat_map(|client| cases.iter().map(move |case| (client, said(case, client))))
        .filter(|(_, bytes)| bytes.len() > 10)
        .collect();
    let mut found = 0;
    for round in 0..20_000 {
        let (client, bytes) = &seeds[round % seeds.len()];
        let mut bad = bytes.clone();
        for _ in 0..1 + random() % 3 {
            let at = random() % bad.len();
            match random() % 4 {
                0 => bad[at] = random() as u8,
                1 => bad[at] ^= 1 << (random() % 8),
                2 => bad.insert(at, random() as u8),
                _ => bad.truncate(at.max(1)),
            }
        }
        let side = if *client { Side::Server } else { Side::Client };
        for event in feed(&mut *open(side), &bad, &[]).0 {
            found += 1;
            if let Event::Call(Call { body, .. }) | Event::Reply(Reply { body, .. }) = event {
                let _ = read::<Value>(&body);
                let _ = read::<Args>(&body);
            }
        }
    }
    assert!(found > 1000, "{found}");
}
