//! Random values of random types, both ways between our gob and Go's; and types that have changed
//! at one end. `FARCALL_SEED=N` repeats or varies a run; failures name theirs.

use super::{
    Judge, hex, read,
    shapes::{FIRST, Root, SECOND, install},
    types::{Type, alike, same, tell, told},
    write,
};
use farcall::{Timestamp, Value};
use farcall_it::dice::{Dice, Random, Taste};
use serde_json::Value as Json;

/// Types in a run, and values of each.
const TYPES: usize = 200;
pub(super) const VALUES: usize = 15;
/// Changed types for each type.
const CHANGES: usize = 6;
/// Levels of a type below which it has scalars alone.
const DEPTH: usize = 4;
/// Structs in a type: their slots are limited.
const STRUCTS: usize = 12;

/// Whether a value may hold an interface. Go does not always find its way past one whose field is
/// gone: what is inside may have brought types along.
fn dynamic_inside(of: &Type) -> bool {
    match of {
        Type::Any => true,
        Type::Pointer(of) | Type::List(of) | Type::Array(of, _) | Type::Map(_, of) => {
            dynamic_inside(of)
        }
        Type::Struct(fields) => fields.iter().any(|(_, of)| dynamic_inside(of)),
        _ => false,
    }
}

/// A time that was not sent is 1970 to us and the year 1 to Go where what is around it was not sent
/// either: each has its own zero.
fn own_zero(value: &mut Value) {
    match value {
        Value::Time(time) if *time == Timestamp::default() => *time = Timestamp::GO_ZERO,
        Value::List(items) => items.iter_mut().for_each(own_zero),
        Value::Map(entries) => entries.iter_mut().for_each(|(_, v)| own_zero(v)),
        _ => {}
    }
}

pub(super) fn seed() -> u64 {
    match std::env::var("FARCALL_SEED") {
        Ok(seed) => seed.parse().expect("FARCALL_SEED is a number"),
        Err(_) => 20_261_121,
    }
}

/// Makes up types, and values of them.
pub(super) struct Maker {
    dice: Dice,
    structs: usize,
    /// New fields so far, all of other names.
    added: usize,
}

impl Maker {
    pub(super) fn new(seed: u64) -> Maker {
        Maker { dice: Dice::new(seed, Taste::Any), structs: 0, added: 0 }
    }

    /// A struct.
    pub(super) fn root(&mut self) -> Type {
        self.structs = 0;
        self.message(0)
    }

    fn message(&mut self, depth: usize) -> Type {
        self.structs += 1;
        let len = self.dice.pick(&[0, 1, 1, 2, 3, 4, 5, 8, 17]).max(usize::from(depth == 0));
        let field = |i| (format!("F{i}"), self.field(depth + 1));
        Type::Struct((0..len).map(field).collect())
    }

    /// The type of a field: like any other, but for pointers, which may be nil here.
    fn field(&mut self, depth: usize) -> Type {
        match self.dice.below(6) {
            0 => Type::Pointer(Box::new(self.any(depth))),
            1 if self.dice.one_in(4) => {
                Type::Pointer(Box::new(Type::Pointer(Box::new(self.any(depth)))))
            }
            _ => self.any(depth),
        }
    }

    fn any(&mut self, depth: usize) -> Type {
        let top = if depth < DEPTH { 10 } else { 6 };
        match self.dice.below(top) {
            0..=5 => self.scalar(),
            6 if self.structs < STRUCTS => self.message(depth),
            6 | 7 => Type::List(self.item(depth)),
            8 => Type::Array(self.item(depth), self.dice.below(5)),
            _ => Type::Map(Box::new(self.key()), self.item(depth)),
        }
    }

    /// No pointer: a nil would not be an item. A list of `uint8` is bytes.
    fn item(&mut self, depth: usize) -> Box<Type> {
        match self.any(depth + 1) {
            Type::Uint(8) => Box::new(Type::Uint(16)),
            item => Box::new(item),
        }
    }

    /// What Go compares: scalars but floats, and arrays and structs of them.
    fn key(&mut self) -> Type {
        match self.dice.below(6) {
            4 => Type::Array(Box::new(self.simple_key()), self.dice.below(3)),
            5 if self.structs < STRUCTS => {
                self.structs += 1;
                let len = 1 + self.dice.below(3);
                let field = |i| (format!("K{i}"), self.simple_key());
                Type::Struct((0..len).map(field).collect())
            }
            _ => self.simple_key(),
        }
    }

    fn simple_key(&mut self) -> Type {
        match self.dice.below(4) {
            0 => Type::Int(self.dice.pick(&[8, 16, 32, 64])),
            1 => Type::Uint(self.dice.pick(&[8, 16, 32, 64])),
            _ => Type::Text,
        }
    }

    fn scalar(&mut self) -> Type {
        match self.dice.below(13) {
            0 => Type::Bool,
            1 | 2 => Type::Int(self.dice.pick(&[8, 16, 32, 64])),
            3 | 4 => Type::Uint(self.dice.pick(&[8, 16, 32, 64])),
            5 | 6 => Type::Float(self.dice.pick(&[32, 64])),
            7 | 8 => Type::Text,
            9 => Type::Bytes,
            10 if self.dice.one_in(2) => Type::Time,
            10 => Type::Span,
            11 => Type::Complex,
            _ => Type::Any,
        }
    }

    pub(super) fn value(&mut self, of: &Type) -> Value {
        let dice = &mut self.dice;
        match of {
            Type::Bool => dice.value::<bool>().into(),
            Type::Int(8) => dice.value::<i8>().into(),
            Type::Int(16) => dice.value::<i16>().into(),
            Type::Int(32) => dice.value::<i32>().into(),
            Type::Int(_) => dice.value::<i64>().into(),
            Type::Uint(8) => dice.value::<u8>().into(),
            Type::Uint(16) => dice.value::<u16>().into(),
            Type::Uint(32) => dice.value::<u32>().into(),
            Type::Uint(_) => dice.value::<u64>().into(),
            Type::Float(32) => f64::from(dice.value::<f32>()).into(),
            Type::Float(_) => dice.value::<f64>().into(),
            Type::Text => dice.value::<String>().into(),
            Type::Bytes => Value::Bytes(dice.value::<Vec<u8>>()),
            Type::Time => Value::Time(dice.value::<Timestamp>()),
            Type::Span => ((u64::random(dice) >> 1) as i64).into(),
            Type::Complex => {
                vec![Value::from(dice.value::<f64>()), dice.value::<f64>().into()].into()
            }
            Type::Any => dynamic(dice, 0),
            Type::Pointer(_) if dice.one_in(3) => Value::Null,
            Type::Pointer(to) => self.value(to),
            Type::List(item) => {
                let len = dice.pick(&[0, 0, 1, 1, 2, 3, 5]);
                Value::List((0..len).map(|_| self.value(item)).collect())
            }
            Type::Array(item, len) => Value::List((0..*len).map(|_| self.value(item)).collect()),
            Type::Map(key, value) => {
                let mut entries: Vec<(Value, Value)> = Vec::new();
                for _ in 0..dice.pick(&[0, 0, 1, 2, 3]) {
                    let key = self.value(key);
                    if entries.iter().all(|(k, _)| *k != key) {
                        entries.push((key, self.value(value)));
                    }
                }
                Value::Map(entries)
            }
            Type::Struct(fields) => {
                Value::object(fields.iter().map(|(name, of)| (name.as_str(), self.value(of))))
            }
            Type::Opaque(_) | Type::Ref(_) => unreachable!("never made up"),
        }
    }

    fn new_field(&mut self) -> (String, Type) {
        self.added += 1;
        (format!("New{}", self.added), self.scalar())
    }

    /// Another version of a type: fields come, go, move and change.
    fn changed(&mut self, of: &Type) -> Type {
        match of {
            Type::Struct(fields) => {
                let mut fields = fields.clone();
                let at = self.dice.below(fields.len().max(1));
                match self.dice.below(6) {
                    // Nor does it find its way through a struct that has no fields left.
                    0 if fields.len() > 1 && !dynamic_inside(&fields[at].1) => {
                        fields.remove(at);
                    }
                    1 => fields.insert(at.min(fields.len()), self.new_field()),
                    2 => fields.reverse(),
                    _ if !fields.is_empty() => {
                        let change = self.changed(&fields[at].1);
                        fields[at].1 = change;
                    }
                    _ => {}
                }
                Type::Struct(fields)
            }
            Type::Pointer(to) if self.dice.one_in(3) => (**to).clone(),
            Type::Pointer(to) => Type::Pointer(Box::new(self.changed(to))),
            Type::List(item) if self.dice.one_in(8) => Type::Array(item.clone(), 2),
            Type::List(item) => Type::List(Box::new(self.changed(item))),
            Type::Array(item, len) if self.dice.one_in(4) => Type::Array(item.clone(), len + 1),
            Type::Array(item, len) => Type::Array(Box::new(self.changed(item)), *len),
            Type::Map(key, value) if self.dice.one_in(4) => {
                Type::Map(Box::new(self.key()), value.clone())
            }
            Type::Map(key, value) => Type::Map(key.clone(), Box::new(self.changed(value))),
            Type::Any => Type::Any,
            scalar if self.dice.one_in(4) => Type::Pointer(Box::new(scalar.clone())),
            Type::Int(_) => Type::Int(self.dice.pick(&[8, 16, 32, 64])),
            Type::Uint(_) => Type::Uint(self.dice.pick(&[16, 32, 64])),
            Type::Float(_) => Type::Float(self.dice.pick(&[32, 64])),
            // Text for bytes, an int for a bool: most do not fit.
            _ => match self.scalar() {
                // What Go puts into an interface must have come from one; we take anything.
                Type::Any => Type::Bool,
                other => other,
            },
        }
    }
}

/// What may be in an interface.
fn dynamic(dice: &mut Dice, depth: usize) -> Value {
    match dice.below(if depth < 3 { 11 } else { 8 }) {
        0 => Value::Null,
        1 => dice.value::<bool>().into(),
        2 => dice.value::<i64>().into(),
        3 => (dice.value::<u64>() | 1 << 63).into(),
        4 => dice.value::<f64>().into(),
        5 => dice.value::<String>().into(),
        6 => Value::Bytes(dice.value()),
        7 => Value::Time(dice.value()),
        8 | 9 => Value::List((0..dice.below(4)).map(|_| dynamic(dice, depth + 1)).collect()),
        _ => Value::object((0..dice.below(4)).map(|i| (format!("k{i}"), dynamic(dice, depth + 1)))),
    }
}

/// What Go told of a stream, as values.
fn heard(of: &Type, told_by_go: &[Json]) -> Vec<Value> {
    told_by_go.iter().map(|v| told(of, v, &mut Vec::new())).collect()
}

#[track_caller]
fn assert_same(of: &Type, got: &[Value], want: &[Value], note: &str) {
    assert_eq!(got.len(), want.len(), "{note}");
    for (got, want) in got.iter().zip(want) {
        assert!(same(of, got, want), "{note}\n got {got}\nwant {want}");
    }
}

#[test]
fn random_values_of_random_types_both_ways() {
    let seed = seed();
    let mut judge = Judge::start();
    let mut maker = Maker::new(seed);
    let mut bytes = 0;
    for round in 0..TYPES {
        let of = maker.root();
        let go = of.go();
        install(&of, FIRST).expect("a type of ours");
        let values: Vec<Value> = (0..VALUES).map(|_| maker.value(&of)).collect();
        let note = format!("FARCALL_SEED={seed}, type {round}: {go}");

        // We write, Go reads, we read as well.
        let roots: Vec<Root<FIRST>> = values.iter().cloned().map(Root).collect();
        let ours = write(&roots).unwrap_or_else(|e| panic!("{note}: {e}"));
        bytes += ours.len();
        let note_ours = format!("{note}, from us: {}", hex(&ours));
        let go_read = judge.decode(&[&go], &ours);
        let go_read = go_read.unwrap_or_else(|e| panic!("{note_ours}: Go: {e}"));
        assert_same(&of, &heard(&of, &go_read), &values, &note_ours);

        // Go writes, Go and we read, with types and without.
        let told: Vec<Json> = values.iter().map(|v| tell(&of, v)).collect();
        let theirs = judge.encode(&[&go], &told);
        let note_theirs = format!("{note}, from Go: {}", hex(&theirs));
        let want = judge.decode(&[&go], &theirs);
        let want = heard(&of, &want.unwrap_or_else(|e| panic!("{note_theirs}: Go: {e}")));
        for stream in [&ours, &theirs] {
            let want = if std::ptr::eq(stream, &ours) { &values } else { &want };
            let got: Vec<Root<FIRST>> =
                read(stream).unwrap_or_else(|e| panic!("{note_theirs}: {e}"));
            let got: Vec<Value> = got.into_iter().map(|root| root.0).collect();
            assert_same(&of, &got, want, &note_theirs);
            let got: Vec<Value> = read(stream).unwrap_or_else(|e| panic!("{note_theirs}: {e}"));
            for (got, want) in got.iter().zip(want) {
                assert!(alike(got, want), "{note_theirs}\n got {got}\nwant {want}");
            }
        }

        // What we read goes back.
        let roots: Vec<Root<FIRST>> = want.iter().cloned().map(Root).collect();
        let again = write(&roots).unwrap_or_else(|e| panic!("{note}: {e}"));
        let back = judge.decode(&[&go], &again).unwrap_or_else(|e| panic!("{note}: Go: {e}"));
        assert_same(&of, &heard(&of, &back), &want, &note);
    }
    println!("encoding/gob: {TYPES} types, {} values each way, {bytes} bytes", TYPES * VALUES);
}

/// Another version of a type at the reading end: Go and we take or refuse the same streams, and
/// read the same out of them.
#[test]
fn changed_types_are_taken_and_refused_as_by_go() {
    let seed = seed() ^ 0x5eed;
    let mut judge = Judge::start();
    let mut maker = Maker::new(seed);
    let (mut taken, mut refused) = (0, 0);
    for round in 0..TYPES {
        let of = maker.root();
        install(&of, FIRST).expect("a type of ours");
        let values = [maker.value(&of), maker.value(&of)];
        for change in 0..CHANGES {
            let to = (0..change / 2).fold(maker.changed(&of), |to, _| maker.changed(&to));
            let Type::Struct(_) = &to else { unreachable!("a struct stays one") };
            install(&to, SECOND).expect("a type of ours");
            let (from, into) = (of.go(), to.go());
            for value in &values {
                let ours = write(&[Root::<FIRST>(value.clone())]).expect("it was written before");
                let theirs = judge.encode(&[&from], &[tell(&of, value)]);
                for stream in [ours, theirs] {
                    let note = format!(
                        "FARCALL_SEED={}, round {round}: {from}\ninto {into}\n{}",
                        seed ^ 0x5eed,
                        hex(&stream)
                    );
                    let got = read::<Root<SECOND>>(&stream);
                    match (judge.decode(&[&into], &stream), got) {
                        (Ok(want), Ok(got)) => {
                            let mut got: Vec<_> = got.into_iter().map(|root| root.0).collect();
                            let mut want = heard(&to, &want);
                            got.iter_mut().chain(&mut want).for_each(own_zero);
                            assert_same(&to, &got, &want, &note);
                            taken += 1;
                        }
                        (Err(_), Err(_)) => refused += 1,
                        (go, us) => panic!("{note}\nGo: {go:?}\nus: {us:?}"),
                    }
                }
            }
        }
    }
    println!("encoding/gob: changed types, {taken} streams taken and {refused} refused by both");
    assert!(taken > 500 && refused > 500, "{taken} {refused}");
}
