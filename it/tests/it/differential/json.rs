//! JSON against serde_json.

use super::{
    VALUES, canon,
    schema::{Inner, LEFT_OUT, Loose, Maybes, SdLoose, SdTree, Tree},
    values::Twin,
};
use farcall::{Format, Put, Take, Why, format};
use farcall_it::dice::{Dice, Taste};
use serde_json::Value;

fn ours<T: Put>(value: &T) -> String {
    let bytes = format::encode_to_vec(Format::Json, value).expect("JSON carries it");
    String::from_utf8(bytes).expect("JSON is text")
}

fn read<T: Take>(text: &str) -> T {
    format::decode_from(Format::Json, text.as_bytes()).expect("it can be read")
}

fn twin(tree: &Tree) -> SdTree {
    tree.twin()
}

fn key(tree: &Tree) -> Vec<u8> {
    canon::<Tree, SdTree>(tree)
}

/// Where two values differ, if they do. It is no difference that Go writes `5` where serde_json
/// writes `5.0`, nor that fields which are left out are null in the twin. Floats are compared as
/// closely as an `f32` is written: of two shortest texts for one (1490500.2 and 1490500.3), either
/// may be chosen.
fn difference(ours: &Value, theirs: &Value, path: &str) -> Option<String> {
    let same = match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => {
            let bits = |n: &serde_json::Number| n.as_f64().map(|v| (v as f32).to_bits());
            a == b || (a.is_f64() || b.is_f64()) && bits(a) == bits(b)
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            return pairs.find_map(|(i, (a, b))| difference(a, b, &format!("{path}[{i}]")));
        }
        (Value::Object(a), Value::Object(b)) if a.keys().all(|name| b.contains_key(name)) => {
            return b.iter().find_map(|(name, b)| match a.get(name) {
                Some(a) => difference(a, b, &format!("{path}.{name}")),
                None if b.is_null() && LEFT_OUT.contains(&name.as_str()) => None,
                None => Some(format!("{path}.{name} is missing, not {b}")),
            });
        }
        (a, b) => a == b,
    };
    (!same).then(|| format!("{path}: {ours}, not {theirs}"))
}

#[test]
fn serde_json_reads_ours() {
    let mut dice = Dice::new(11, Taste::Finite);
    for _ in 0..VALUES {
        let tree: Tree = dice.value();
        let (text, twin) = (ours(&tree), twin(&tree));
        let value: Value = serde_json::from_str(&text).expect("it is JSON");
        let theirs = serde_json::to_string(&twin).expect("serde_json writes it");
        let theirs: Value = serde_json::from_str(&theirs).expect("it is JSON");
        assert_eq!(difference(&value, &theirs, ""), None);
        let read: SdTree = serde_json::from_str(&text).expect("it is of the type");
        assert_eq!(read, twin, "{text}");
    }
}

#[test]
fn ours_reads_serde_json() {
    let mut dice = Dice::new(12, Taste::Finite);
    for round in 0..VALUES {
        let tree: Tree = dice.value();
        let text = match round % 2 {
            0 => serde_json::to_string(&twin(&tree)),
            _ => serde_json::to_string_pretty(&twin(&tree)),
        };
        let text = text.expect("serde_json writes it");
        assert_eq!(key(&read(&text)), key(&tree), "{text}");
        assert_eq!(key(&read(&ours(&tree))), key(&tree), "{text}");
    }
}

/// Writes a value as nobody would: names in random order, blanks everywhere, any character escaped.
struct Scrambler<'d> {
    dice: &'d mut Dice,
    out: String,
}

impl Scrambler<'_> {
    fn blanks(&mut self) {
        for _ in 0..self.dice.below(3) {
            self.out.push(self.dice.pick(&[' ', '\n', '\r', '\t']));
        }
    }

    fn text(&mut self, text: &str) {
        // Nobody escapes digits; keys that are numbers are not read that way.
        let number = text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
        self.out.push('"');
        for c in text.chars() {
            let must = c < ' ' || c == '"' || c == '\\';
            if must || !number && self.dice.one_in(8) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    self.out += &match self.dice.one_in(2) {
                        true => format!("\\u{unit:04x}"),
                        false => format!("\\u{unit:04X}"),
                    };
                }
            } else {
                self.out.push(c);
            }
        }
        self.out.push('"');
    }

    fn value(&mut self, value: &Value, root: bool) {
        self.blanks();
        match value {
            Value::Array(items) => {
                self.out.push('[');
                for (i, item) in items.iter().enumerate() {
                    self.out += if i > 0 { "," } else { "" };
                    self.value(item, false);
                }
                self.out.push(']');
            }
            Value::Object(fields) => {
                // Anything the schema does not have, in the shapes that are hard to pass over.
                let unknown = serde_json::json!({ "Kids?": [{ "a\"]}": [[], {}] }, -1.5e-7, "}"] });
                let mut fields: Vec<(&str, &Value)> =
                    fields.iter().map(|(name, value)| (name.as_str(), value)).collect();
                if root {
                    fields.extend([("unknown", &unknown), ("nam", &unknown), ("names", &unknown)]);
                }
                for last in (1..fields.len()).rev() {
                    fields.swap(last, self.dice.below(last + 1));
                }
                self.out.push('{');
                for (i, (name, value)) in fields.into_iter().enumerate() {
                    self.out += if i > 0 { "," } else { "" };
                    self.blanks();
                    self.text(name);
                    self.blanks();
                    self.out.push(':');
                    self.value(value, false);
                }
                self.out.push('}');
            }
            Value::String(text) => self.text(text),
            other => self.out += &other.to_string(),
        }
        self.blanks();
    }
}

#[test]
fn order_blanks_and_escapes_do_not_matter() {
    let mut dice = Dice::new(13, Taste::Finite);
    for _ in 0..VALUES {
        let tree: Tree = dice.value();
        let value: Value = serde_json::from_str(&ours(&tree)).expect("it is JSON");
        let mut scrambler = Scrambler { dice: &mut dice, out: String::new() };
        scrambler.value(&value, true);
        let text = scrambler.out;
        assert_eq!(key(&read(&text)), key(&tree), "{text}");
    }
}

#[test]
fn what_is_not_a_number_is_refused_by_name() {
    let refused = Why::Unsupported { format: "json", what: "NaN or infinity" };
    type Spoil = fn(&mut Tree, f64);
    let cases: [(&str, Spoil); 6] = [
        ("numbers.double", |tree, bad| tree.numbers.double = bad),
        ("numbers.single", |tree, bad| tree.numbers.single = bad as f32),
        ("maybes.double", |tree, bad| tree.maybes.double = Some(bad)),
        ("lists.singles[2]", |tree, bad| tree.lists.singles = vec![0.0, 1.0, bad as f32]),
        ("maps.ratios[1]", |tree, bad| tree.maps.ratios = [(1, 0.5), (2, bad)].into()),
        ("kids[1].lists.doubles[0]", |tree, bad| {
            let mut kid = Tree { kids: Vec::new(), child: None, ..tree.clone() };
            tree.kids = vec![kid.clone()];
            kid.lists.doubles = vec![bad];
            tree.kids.push(kid);
        }),
    ];
    let mut dice = Dice::new(14, Taste::Finite);
    for (path, spoil) in cases {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut tree: Tree = dice.value();
            spoil(&mut tree, bad);
            let fault = format::encode_to_vec(Format::Json, &tree).expect_err("JSON has no NaN");
            assert_eq!((fault.why(), fault.path().as_str()), (&refused, path));
        }
    }
}

#[test]
fn what_protobuf_has_no_place_for() {
    let mut dice = Dice::new(15, Taste::Finite);
    for _ in 0..VALUES {
        let loose: Loose = dice.value();
        let (text, twin): (String, SdLoose) = (ours(&loose), loose.twin());
        assert_eq!(serde_json::from_str::<SdLoose>(&text).expect("of the type"), twin, "{text}");
        let theirs = serde_json::to_string(&twin).expect("serde_json writes it");
        assert_eq!(read::<Loose>(&theirs), loose, "{text}");
    }
}

/// The text of serde_json, byte for byte, where the two dialects do not differ.
#[test]
fn the_text_is_that_of_serde_json() {
    let mut dice = Dice::new(16, Taste::Finite);
    for _ in 0..VALUES {
        let mut inner: Inner = dice.value();
        inner.y.retain(|c| !"<>&\u{2028}\u{2029}".contains(c));
        let maybes = Maybes { single: None, double: None, ..dice.value() };
        let twin: super::schema::SdInner = inner.twin();
        assert_eq!(ours(&inner), serde_json::to_string(&twin).expect("serde_json writes it"));
        let back: Maybes = read(&ours(&maybes));
        assert_eq!(back, maybes);
    }
}
