//! The types a message can have, and how one type is written in every format.
//! `cargo run --example types`.

use farcall::{Format, Message, Timestamp, format};
use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime},
};

#[derive(Message, Clone, PartialEq, Debug)]
enum Colour {
    Red,
    #[field(5)]
    Green,
    #[message(other)]
    Unknown(i32), // keeps numbers that have no name here
}

#[derive(Message, Clone, PartialEq, Debug)]
enum Contact {
    #[field(20)]
    Mail(String),
    #[field(21)]
    Phone(u64),
}

#[derive(Message, Clone, PartialEq, Debug)]
struct Everything {
    #[field(1, required)]
    name: String,
    small: i8,
    #[field(zigzag)]
    signed: i64,
    #[field(fixed)]
    stamps: Vec<u64>,
    ratio: f64,
    blob: Vec<u8>,
    digest: [u8; 4],
    maybe: Option<i32>,
    colour: Colour,
    parent: Option<Box<Everything>>,
    counts: BTreeMap<String, i64>,
    by_id: HashMap<u32, Vec<String>>,
    at: SystemTime,
    seen: Timestamp,
    lasts: Duration,
    #[field(oneof)]
    contact: Option<Contact>,
}

fn main() -> Result<(), farcall::Fault> {
    let leaf = Everything {
        name: "leaf".into(),
        small: -1,
        signed: -5,
        stamps: vec![1, 2],
        ratio: 0.5,
        blob: vec![1, 2, 3],
        digest: [9; 4],
        maybe: Some(0),
        colour: Colour::Green,
        parent: None,
        counts: [("a".to_owned(), 1)].into(),
        by_id: HashMap::new(),
        at: SystemTime::UNIX_EPOCH,
        seen: Timestamp { seconds: 1_700_000_000, nanos: 0 },
        lasts: Duration::from_millis(1_500),
        contact: Some(Contact::Phone(42)),
    };
    let tree = Everything { name: "root".into(), parent: Some(Box::new(leaf.clone())), ..leaf };
    for format in [Format::Json, Format::MsgPack, Format::Protobuf] {
        let bytes = format::encode_to_vec(format, &tree)?;
        let back: Everything = format::decode_from(format, &bytes)?;
        assert_eq!(back, tree);
        println!("{format}: {} bytes", bytes.len());
    }
    println!("{}", String::from_utf8_lossy(&format::encode_to_vec(Format::Json, &tree)?));
    Ok(())
}
