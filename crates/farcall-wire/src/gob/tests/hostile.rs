//! Input that was made to harm: nested and counted without end, floods of types, values in very
//! many pieces, mutations.

use super::kit::{cases, check, first, read, text, unhex, values, write};
use super::vectors::vector;
use crate::gob::ints::{put_blob, put_int, put_uint};
use crate::gob::types::{Describe, describe};
use crate::gob::{Broken, Decoder, Step, decode};
use bytes::{Bytes, BytesMut};
use farcall_core::{Bounds, Limits, Value, Why};

fn numbers() -> impl FnMut() -> usize {
    let mut x = 88_172_645_463_325_252_u64;
    move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x as usize
    }
}

fn message(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_blob(&mut out, content);
    out
}

fn define(id: i32, what: &Describe<'_>) -> Vec<u8> {
    let mut content = Vec::new();
    put_int(&mut content, -i64::from(id));
    describe(&mut content, id, what);
    message(&content)
}

fn value(id: i32, content: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    put_int(&mut whole, id.into());
    whole.extend_from_slice(content);
    message(&whole)
}

fn broken(stream: &[u8]) -> Broken {
    match values(stream, &[]) {
        Err(broken) => broken,
        Ok(found) => panic!("{found:?}"),
    }
}

/// A million levels: a fault, not the end of the stack.
#[test]
fn nesting_without_end() {
    // type Node struct { Next *Node; V interface{} }, with and without the interface.
    let node = [("Next", 65), ("V", 8)];
    for fields in [&node[..1], &node] {
        let mut stream = define(65, &Describe::Struct("Node", fields));
        stream.extend(value(65, &[1].repeat(3_000_000)));
        match values(&stream, &[]) {
            Ok(found) => {
                let fault = read::<Value>(&found[0]).unwrap_err();
                assert_eq!(fault.why(), &Why::TooDeep { limit: 100 });
                read::<()>(&found[0]).unwrap_err();
            }
            Err(broken) => assert_eq!(broken, Broken::TooDeep { limit: 100 }),
        }
    }
    // An interface in an interface in an interface.
    let mut inside = vec![0];
    (0..500_000).for_each(|_| inside.extend([1, b'x', 16, 0, 0]));
    inside.extend([0]);
    let bodies = check_big(&value(8, &inside));
    assert_eq!(read::<Value>(&bodies).unwrap(), Value::Null);
}

fn check_big(stream: &[u8]) -> farcall_core::Body {
    values(stream, &[]).unwrap().swap_remove(0)
}

#[test]
fn counts_beyond_the_end() {
    let mut slice = define(65, &Describe::Slice(2));
    let mut count = vec![0];
    put_uint(&mut count, 1 << 60);
    slice.extend(value(65, &count));
    assert_eq!(read::<Value>(&check_big(&slice)).unwrap_err().why(), &Why::Overrun);
    assert_eq!(read::<Vec<i64>>(&check_big(&slice)).unwrap_err().why(), &Why::Overrun);
    for (def, want) in [
        (Describe::Slice(8), Broken::CutShort),
        (Describe::Map(6, 8), Broken::CutShort),
        (Describe::Array(8, 5), Broken::ArrayLength),
    ] {
        let mut stream = define(65, &def);
        stream.extend(value(65, &count));
        assert_eq!(broken(&stream), want);
    }
    // Empty structs that end with the message take no byte: each must take one.
    let mut stream = define(65, &Describe::Struct("", &[]));
    stream.extend(define(66, &Describe::Slice(65)));
    stream.extend(value(66, &[0, 3, 0, 0]));
    assert!(read::<Vec<()>>(&check_big(&stream)).is_err());
    let lengths = [(&[0xfb, 2, 0, 0, 0, 0][..], 1 << 33), (&[0xfd, 0xff, 0xff, 0xff], 0xff_ffff)];
    for (bytes, length) in lengths {
        let found = values(bytes, &[]);
        match length > 16 << 20 {
            true => {
                assert_eq!(found.map(drop), Err(Broken::MessageLong { length, limit: 16 << 20 }))
            }
            false => assert!(found.unwrap().is_empty()),
        }
    }
    assert_eq!(broken(&[0]), Broken::MessageEmpty);
    assert_eq!(broken(&[0xf7, 1, 1]), Broken::IntegerWide);
}

#[test]
fn definitions_that_break_rules() {
    let definition = |content: &[u8]| broken(&message(&[&[0xff, 0x81], content].concat()));
    assert_eq!(definition(&[9, 0]), Broken::Definition { rule: "it has a field that no type has" });
    assert_eq!(definition(&[0]), Broken::Definition { rule: "it says nothing" });
    assert_eq!(
        definition(&[3, 2, 0xfd, 1, 0, 0]),
        Broken::ManyFields { count: 65_536, limit: 4096 }
    );
    assert_eq!(definition(&[3, 2, 1]), Broken::CutShort);
    assert_eq!(definition(&[2, 2, 4, 0, 0, 9]), Broken::Trailing);
    assert_eq!(broken(&[2, 0x7d, 0]), Broken::TypeId { id: 63 });
    let long = "x".repeat(1025);
    let fields = [(&*long, 2)];
    let stream = define(65, &Describe::Struct("", &fields));
    assert_eq!(broken(&stream), Broken::NameLong { length: 1025, limit: 1024 });
    let twice = define(65, &Describe::Slice(2)).repeat(2);
    assert_eq!(broken(&twice), Broken::Twice { id: 65 });
    let name = "x".repeat(1000);
    let wide: Vec<String> = (0..200).map(|i| format!("{name}{i}")).collect();
    let fields: Vec<_> = wide.iter().map(|name| (&**name, 2)).collect();
    let flood = (65..75).flat_map(|id| define(id, &Describe::Struct("", &fields)));
    assert_eq!(broken(&flood.collect::<Vec<_>>()), Broken::LongTypes { limit: 1 << 20 });
}

/// What a stream may define is the server's to say, and what was too much is named.
#[test]
fn definitions_are_limited() {
    let slices = |count: i32| -> Vec<u8> {
        (65..65 + count).flat_map(|id| define(id, &Describe::Slice(2))).collect()
    };
    let fields = |names: &[&str]| {
        let fields: Vec<_> = names.iter().map(|name| (*name, 2)).collect();
        define(65, &Describe::Struct("", &fields))
    };
    let limits = Limits {
        gob_types: 3,
        gob_type_bytes: 60,
        gob_fields: 2,
        name_bytes: 20,
        ..Limits::default()
    };
    let feed = |stream: &[u8]| Decoder::new(&limits).next(&mut BytesMut::from(stream)).map(drop);
    let (fits, long) = ("x".repeat(20), "x".repeat(21));
    for (fine, stream, broken, named) in [
        (slices(3), slices(4), Broken::ManyTypes { limit: 3 }, "Limits::gob_types"),
        (
            fields(&["A", "B"]),
            fields(&["A", "B", "C"]),
            Broken::ManyFields { count: 3, limit: 2 },
            "Limits::gob_fields",
        ),
        (
            fields(&[&fits]),
            fields(&[&long]),
            Broken::NameLong { length: 21, limit: 20 },
            "Limits::name_bytes",
        ),
        (
            fields(&[&fits, &fits[1..]]),
            [fields(&[&fits, &fits[1..]]), define(66, &Describe::Slice(2))].concat(),
            Broken::LongTypes { limit: 60 },
            "Limits::gob_type_bytes",
        ),
    ] {
        assert_eq!(feed(&fine), Ok(()), "{named}");
        assert!(broken.to_string().contains(named), "{broken}");
        assert_eq!(feed(&stream), Err(broken));
    }
    // Names of services may be limited to less than net/rpc's own.
    let limits = Limits { name_bytes: 1, ..Limits::default() };
    let stream = fields(&["ServiceMethod", "Seq"]);
    assert!(Decoder::new(&limits).next(&mut BytesMut::from(&stream[..])).is_ok());
}

/// Values of types with holes are looked into each time: not without end.
#[test]
fn holes_are_not_looked_into_for_ever() {
    let mut stream = define(65, &Describe::Slice(99));
    stream.extend(value(65, &[0, 0]).repeat(64));
    let found = values(&stream, &[]).unwrap();
    assert!(found.iter().all(|body| read::<Value>(body).is_ok()));
    assert!(found.iter().all(|body| read::<Vec<i64>>(body).is_err()));
    stream.extend(value(65, &[0, 0]));
    assert_eq!(broken(&stream), Broken::Undefined { id: 65 });
    let unknown = values(&value(70, &[1, 2]), &[]).unwrap();
    assert!(read::<()>(&unknown[0]).is_err());
}

/// A value in so many messages that looking at each of them again would take minutes.
#[test]
fn values_in_many_pieces_take_linear_time() {
    let mut stream = define(65, &Describe::Slice(8));
    let mut head = vec![0];
    put_uint(&mut head, 3000);
    // Each item defines a type, and with it ends the message.
    let item = |id: i32| {
        let mut item = vec![1, b'x'];
        put_int(&mut item, -i64::from(id));
        describe(&mut item, id, &Describe::Slice(2));
        item
    };
    head.extend(item(100));
    stream.extend(value(65, &head));
    for id in 100..3100 {
        let mut content = Vec::new();
        put_int(&mut content, id.into());
        content.extend([0, 0, 0]);
        if id + 1 < 3100 {
            content.extend(item(id + 1));
        }
        stream.extend(message(&content));
    }
    let found = values(&stream, &[]).unwrap();
    let list: Value = read(&found[0]).unwrap();
    assert_eq!(list.at(2999), Some(&Value::List(vec![])));
    assert_eq!(values(&stream, &(0..stream.len()).collect::<Vec<_>>()).unwrap(), found);
    // The same, with more bytes than a value may have.
    let limits = Limits { message_bytes: 5000, ..Limits::default() };
    let mut input = BytesMut::from(&stream[..]);
    let broken = Decoder::new(&limits).next(&mut input).unwrap_err();
    assert_eq!(broken, Broken::ValueLong { limit: 5000 });
}

#[test]
fn what_unfolds_is_charged() {
    let wide: Vec<String> = (0..1000).map(|i| format!("F{i}")).collect();
    let fields: Vec<_> = wide.iter().map(|name| (&**name, 2)).collect();
    let mut stream = define(65, &Describe::Struct("", &fields));
    stream.extend(define(66, &Describe::Slice(65)));
    let mut content = vec![0];
    put_uint(&mut content, 100_000);
    content.extend(vec![0; 100_000]);
    stream.extend(value(66, &content));
    let fault = first::<Value>(&stream).unwrap_err();
    assert!(fault.contains("Limits::decoded_bytes"), "{fault}");
}

/// Many names for a type that takes long to look at: each value asks for another plan.
#[test]
fn plans_are_paid_for() {
    let wide: Vec<String> = (0..4000).map(|i| format!("F{i}")).collect();
    let mut fields: Vec<_> = wide.iter().map(|name| (&**name, 2)).collect();
    fields[3999] = ("X", 2);
    let mut stream = define(65, &Describe::Struct("", &fields));
    for id in 66..1066 {
        stream.extend(define(id, &Describe::Slice(65)));
        stream.extend(value(id, &[0, 0]));
    }
    let bodies = values(&stream, &[]).unwrap();
    let read = |body: &farcall_core::Body| read::<Vec<super::compat::Point>>(body);
    let taken = bodies.iter().filter(|body| read(body).is_ok()).count();
    assert!((200..500).contains(&taken), "{taken}");
    // What was taken once is taken again.
    assert!(read(&bodies[0]).is_ok());
}

#[test]
fn cut_anywhere_a_value_is_not_whole() {
    for name in ["struct_person", "iface_nested_two_new_types", "struct_all_basic"] {
        let stream = vector(name);
        for cut in 0..stream.len() {
            assert!(values(&stream[..cut], &[]).unwrap().is_empty(), "{name} {cut}");
        }
    }
}

#[test]
fn mutations() {
    let mut random = numbers();
    let seeds: Vec<Vec<u8>> = cases(include_str!("../testdata/vectors.json"))
        .iter()
        .map(|case| unhex(text(case, "hex")))
        .filter(|stream| (20..400).contains(&stream.len()))
        .collect();
    let bounds = Bounds { decoded_bytes: 1 << 20, ..Bounds::default() };
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..50_000 {
        let mut bad = seeds[round % seeds.len()].clone();
        for _ in 0..1 + random() % 3 {
            let i = random() % bad.len().max(1);
            if i >= bad.len() {
                continue;
            }
            match random() % 6 {
                0 => bad[i] = random() as u8,
                1 => bad.truncate(i + 1),
                2 => bad[i] ^= 1 << (random() % 8),
                3 => bad[i] = [0, 1, 2, 0x7f, 0x80, 0xf8, 0xff, 16][random() % 8],
                4 => bad.insert(i, [0, 1, 0xff, 0x81, 0x82, 0xf8, 16, 8][random() % 8]),
                _ => drop(bad.splice(i..bad.len().min(i + random() % 9), [])),
            }
        }
        match values(&bad, &[]) {
            Err(_) => refused += 1,
            Ok(found) => {
                for body in &found {
                    let (bytes, lent) = (&body.bytes, body.lent.as_ref());
                    accepted += usize::from(decode::<Value>(bytes, lent, bounds).is_ok());
                    let _ = decode::<()>(bytes, lent, bounds);
                    let _ = decode::<Vec<i64>>(bytes, lent, bounds);
                }
            }
        }
        // However it is cut, the same comes of it.
        if round % 32 == 0 {
            let _ = check(&bad);
        }
    }
    assert!(accepted > 1000 && refused > 1000, "{accepted} {refused}");
    // Bytes that are no stream at all.
    for _ in 0..20_000 {
        let noise: Vec<u8> = (0..random() % 40).map(|_| random() as u8).collect();
        let _ = values(&noise, &[]);
        if let Step::Value(body) =
            Decoder::new(&Limits::default()).next(&mut BytesMut::from(&write(&3_i64)[..])).unwrap()
        {
            let _ = decode::<Value>(&Bytes::from(noise), body.lent.as_ref(), bounds);
        }
    }
}
