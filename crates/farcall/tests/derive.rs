//! What `#[derive(Message)]` makes of a type: its table, what is written, what is read.

mod tree;

use farcall::{
    __private::{Put, Schema, Shape, Shaped, Take},
    Fault, Message, Why,
};
use std::{collections::BTreeMap, fmt::Debug, marker::PhantomData, sync::Arc};
use tree::{Node, read, read_as, write};

/// Writes, compares with what was expected, reads back.
fn round<T: Put + Take + PartialEq + Debug>(value: T, want: &str) {
    let node = write(&value, false);
    assert_eq!(node.to_string(), want);
    assert_eq!(read::<T>(&node).unwrap(), value);
    let full = write(&value, true);
    assert_eq!(read::<T>(&full).unwrap(), value, "{full}");
}

fn fails<T: Take + Debug>(node: &Node) -> Fault {
    read::<T>(node).unwrap_err()
}

fn fields(fields: &[(u32, Node)]) -> Node {
    Node::Fields(fields.to_vec())
}

fn int(v: i64) -> Node {
    Node::One(v.to_string())
}

/// The tables must be those that constant evaluation would have computed.
fn tables_hold(schema: &'static Schema) {
    for (index, field) in schema.fields.iter().enumerate() {
        assert_eq!(schema.by_number(field.number), Some(index), "{}", field.name);
        assert_eq!(schema.by_json(field.json.as_bytes()), Some(index), "{}", field.name);
        assert_eq!(schema.by_name(field.name.as_bytes()), Some(index), "{}", field.name);
        assert_eq!(field.tag, field.number << 3 | field.shape.class());
        assert_eq!(field.json_key, format!("\"{}\":", field.json));
        assert!(field.packed_key.ends_with(field.name.as_bytes()));
    }
    assert_eq!(schema.by_number(0), None);
    assert_eq!(schema.by_number(999), None);
    assert_eq!(schema.by_name(b"nobody"), None);
}

fn names(schema: &'static Schema) -> Vec<(u32, &'static str, &'static str, &'static str)> {
    schema.fields.iter().map(|f| (f.number, f.name, f.json, f.go)).collect()
}

#[derive(Message, Debug, PartialEq)]
struct Args {
    a: i64,
    b: i64,
}

#[test]
fn fields_are_numbered_in_order() {
    round(Args { a: 6, b: 7 }, "{1: 6 i64, 2: 7 i64}");
    round(Args { a: 0, b: 7 }, "{2: 7 i64}");
    assert_eq!(write(&Args { a: 0, b: 7 }, true).to_string(), "{1: 0 i64, 2: 7 i64}");
    assert_eq!(names(Args::SCHEMA), [(1, "a", "a", "A"), (2, "b", "b", "B")]);
    assert_eq!(Args::SCHEMA.name, "Args");
    assert_eq!(Args::SCHEMA.dense, [0, 1, 2]);
    assert_eq!(Args::SCHEMA.fields[0].packed_key, b"\xa1a");
    tables_hold(Args::SCHEMA);
}

#[derive(Message, Debug, PartialEq)]
#[message(name = "shop.Order")]
struct Order {
    #[field(9)]
    last: u32,
    #[field(1, name = "Id", json = "identifier", go = "OrderID")]
    id: u64,
    third: String,
    r#type: bool,
    #[field(1500, omit_empty)]
    far: Vec<u8>,
    #[field(skip)]
    cache: Option<PhantomData<fn() -> u128>>,
}

#[test]
fn numbers_and_names_can_be_given() {
    assert_eq!(
        names(Order::SCHEMA),
        [
            (1, "Id", "identifier", "OrderID"),
            (3, "third", "third", "Third"),
            (4, "type", "type", "Type"),
            (9, "last", "last", "Last"),
            (1500, "far", "far", "Far"),
        ]
    );
    assert_eq!(Order::SCHEMA.name, "shop.Order");
    assert_eq!(Order::SCHEMA.dense, [0, 1, 0, 2, 3, 0, 0, 0, 0, 4]);
    assert_eq!(Order::SCHEMA.by_json(b"IDENTIFIER"), Some(0), "as Go matches");
    tables_hold(Order::SCHEMA);
    let order =
        Order { last: 1, id: 2, third: "3".into(), r#type: true, far: vec![5], cache: None };
    round(order, r#"{1: 2 u64, 3: "3", 4: true bool, 9: 1 u32, 1500: bytes [5]}"#);
    let blank = write(&Order::blank(), true).to_string();
    assert_eq!(blank, r#"{1: 0 u64, 3: "", 4: false bool, 9: 0 u32}"#, "omit_empty is left out");
}

#[derive(Message)]
#[message(go_names)]
struct Page {
    id: u64,
    url: String,
    http_addr: String,
    #[field(name = "n")]
    count: u8,
}

#[test]
fn go_names_are_exported_names() {
    assert_eq!(
        names(Page::SCHEMA),
        [
            (1, "ID", "ID", "ID"),
            (2, "URL", "URL", "URL"),
            (3, "HTTPAddr", "HTTPAddr", "HTTPAddr"),
            (4, "n", "n", "N"),
        ]
    );
    tables_hold(Page::SCHEMA);
}

#[derive(Message, Debug, PartialEq)]
struct Packed {
    #[field(zigzag)]
    one: i32,
    #[field(fixed)]
    list: Vec<u64>,
    #[field(fixed)]
    maybe: Option<i64>,
    #[field(zigzag)]
    map: BTreeMap<String, i64>,
    #[field(zigzag)]
    lists: Option<Vec<i32>>,
    #[field(fixed)]
    array: [u32; 2],
}

#[test]
fn packing_reaches_into_containers() {
    let value = Packed {
        one: -1,
        list: vec![1, 2],
        maybe: Some(0),
        map: BTreeMap::from([("a".to_owned(), -3)]),
        lists: Some(vec![4]),
        array: [5, 6],
    };
    round(
        value,
        "{1: -1 i32 Zigzag, 2: [1 u64 Fixed, 2 u64 Fixed], 3: 0 i64 Fixed, \
         4: <\"a\": -3 i64 Zigzag>, 5: [4 i32 Zigzag], 6: [5 u32 Fixed, 6 u32 Fixed]}",
    );
    assert_eq!(Packed::SCHEMA.fields[2].tag, 3 << 3 | 1);
}

#[derive(Message, Debug, PartialEq)]
struct Strict {
    #[field(required)]
    must: u32,
    may: u32,
}

#[test]
fn a_required_field_must_come() {
    assert_eq!(read::<Strict>(&fields(&[(1, int(0))])).unwrap(), Strict { must: 0, may: 0 });
    let fault = fails::<Strict>(&fields(&[(2, int(1))]));
    assert_eq!(*fault.why(), Why::Missing { field: "must" });
}

#[derive(Message, Debug, PartialEq)]
struct Needy {
    #[field(required)]
    number: u32,
    #[field(required, omit_empty)]
    text: String,
    #[field(required)]
    maybe: Option<u32>,
}

#[test]
fn a_required_field_is_written_at_zero() {
    let needy = Needy { number: 0, text: String::new(), maybe: Some(0) };
    let sparse = write(&needy, false);
    assert_eq!(sparse.to_string(), "{1: 0 u32, 2: \"\", 3: 0 u32}");
    assert_eq!(read::<Needy>(&sparse).unwrap(), needy);
    // Whoever leaves out what must come is not understood, and that is right.
    let absent = Needy { maybe: None, ..needy };
    assert_eq!(*fails::<Needy>(&write(&absent, false)).why(), Why::Missing { field: "maybe" });
}

#[derive(Message, Debug, PartialEq)]
struct Line {
    items: Vec<Strict>,
}

#[test]
fn faults_say_where() {
    let bad = fields(&[(1, Node::Text("x".into()))]);
    let good = fields(&[(1, int(1))]);
    let fault = fails::<Line>(&fields(&[(1, Node::List(vec![good, bad]))]));
    assert_eq!(fault.path(), "items[1].must");
}

#[derive(Message, Debug, PartialEq, Clone)]
pub(crate) struct Tree<T> {
    value: T,
    #[field(5)]
    left: Option<Box<Self>>,
    right: Option<Box<Tree<T>>>,
    rest: Vec<Self>,
}

#[derive(Message, Debug, PartialEq, Clone)]
struct Node2 {
    next: Option<Box<Node2>>,
    all: Vec<Self>,
    by_name: BTreeMap<String, Node2>,
}

#[derive(Message, Debug, PartialEq)]
struct Matrix<const N: usize> {
    cells: [u8; N],
}

#[test]
fn types_may_be_recursive_and_generic() {
    let leaf = |value| Tree { value, left: None, right: None, rest: vec![] };
    let tree = Tree { left: Some(Box::new(leaf(2_u8))), rest: vec![leaf(3)], ..leaf(1) };
    round(tree, "{1: 1 u8, 4: [{1: 3 u8}], 5: {1: 2 u8}}");
    let leaf = Tree { value: "x".to_owned(), left: None, right: None, rest: vec![] };
    round(leaf, r#"{1: "x"}"#);
    tables_hold(Tree::<String>::SCHEMA);
    let Shape::Message(inner) = <Box<Tree<u8>> as Shaped>::SHAPE else { panic!("a message") };
    assert_eq!(inner().fields.len(), 4);

    let node = Node2 { next: None, all: vec![], by_name: BTreeMap::new() };
    let outer = Node2 { next: Some(Box::new(node.clone())), all: vec![node.clone()], ..node };
    round(outer, "{1: {}, 2: [{}]}");
    round(Matrix { cells: [1, 2] }, "{1: bytes [1, 2]}");
    assert_eq!(Matrix::<2>::blank(), Matrix { cells: [0, 0] });
}

#[derive(Message, Debug, PartialEq)]
struct Nothing;

#[derive(Message, Debug, PartialEq)]
struct Empty {}

#[test]
fn a_message_may_be_empty() {
    round(Nothing, "{}");
    round(Empty {}, "{}");
    assert_eq!(read::<Nothing>(&fields(&[(7, int(1))])).unwrap(), Nothing);
}

#[derive(Message, Debug, PartialEq, Clone, Copy)]
enum Color {
    Red,
    Green = 5,
    #[field(name = "deep blue")]
    Blue,
    Infra = -1,
}

#[derive(Message, Debug, PartialEq)]
enum Mode {
    Off,
    #[field(8)]
    On,
    #[message(other)]
    Unknown(i32),
}

#[derive(Message, Debug, PartialEq)]
struct Lamp {
    color: Color,
    mode: Mode,
    past: Vec<Color>,
}

#[test]
fn enums_are_named_integers() {
    let lamp = Lamp { color: Color::Green, mode: Mode::On, past: vec![Color::Red, Color::Infra] };
    round(lamp, "{1: #5, 2: #8, 3: [#0, #-1]}");
    round(Lamp { color: Color::Red, mode: Mode::Off, past: vec![Color::Blue] }, "{3: [#6]}");
    round(Lamp { color: Color::Red, mode: Mode::Unknown(9), past: vec![] }, "{2: #9}");
    let Shape::Enum(names) = Color::SHAPE else { panic!("an enum") };
    assert_eq!(names.values, [(0, "Red"), (5, "Green"), (6, "deep blue"), (-1, "Infra")]);
    assert_eq!((names.name, names.open), ("Color", false));
    let Shape::Enum(names) = Mode::SHAPE else { panic!("an enum") };
    assert_eq!((names.values, names.open), (&[(0, "Off"), (8, "On")][..], true));
    let fault = fails::<Lamp>(&fields(&[(1, Node::Choice(77))]));
    assert_eq!(fault.path(), "color");
    assert_eq!(*fault.why(), Why::NoSuchChoice { of: "Color" });
}

#[derive(Message, Debug, PartialEq)]
enum What {
    #[field(20)]
    Number(i64),
    #[field(10, name = "txt")]
    SomeText(String),
    #[field(21, zigzag)]
    Deep(Vec<i32>),
    #[field(22)]
    Inner(Box<Holder>),
    #[field(23)]
    Quiet,
}

#[derive(Message, Debug, PartialEq)]
struct Holder {
    id: u32,
    #[field(oneof)]
    what: Option<What>,
    after: u32,
}

#[test]
fn a_oneof_is_flattened() {
    let holder = |what| Holder { id: 1, what, after: 2 };
    round(holder(None), "{1: 1 u32, 2: 2 u32}");
    round(holder(Some(What::Number(0))), "{1: 1 u32, 20: 0 i64, 2: 2 u32}");
    round(holder(Some(What::SomeText("x".into()))), r#"{1: 1 u32, 10: "x", 2: 2 u32}"#);
    round(holder(Some(What::Deep(vec![-1]))), "{1: 1 u32, 21: [-1 i32 Zigzag], 2: 2 u32}");
    round(holder(Some(What::Quiet)), "{1: 1 u32, 23: {}, 2: 2 u32}");
    let inner = Box::new(holder(None));
    round(holder(Some(What::Inner(inner))), "{1: 1 u32, 22: {1: 1 u32, 2: 2 u32}, 2: 2 u32}");
    assert_eq!(
        names(Holder::SCHEMA),
        [
            (1, "id", "id", "ID"),
            (10, "txt", "txt", "Txt"),
            (20, "number", "number", "Number"),
            (21, "deep", "deep", "Deep"),
            (22, "inner", "inner", "Inner"),
            (23, "quiet", "quiet", "Quiet"),
            (2, "after", "after", "After"),
        ]
    );
    tables_hold(Holder::SCHEMA);
    assert!(!Holder::SCHEMA.dense.is_empty() && !Holder::SCHEMA.sorted.0.is_empty());
    let fault = fails::<Holder>(&fields(&[(10, int(1))]));
    assert_eq!(fault.path(), "txt");
}

#[test]
fn the_last_variant_wins_and_pieces_of_one_add_up() {
    let node = fields(&[(20, int(1)), (10, Node::Text("x".into()))]);
    let read_back: Holder = read(&node).unwrap();
    assert_eq!(read_back.what, Some(What::SomeText("x".into())));
    let null = fields(&[(20, int(1)), (10, Node::None)]);
    assert_eq!(read::<Holder>(&null).unwrap().what, Some(What::Number(1)));
    let piece = |number| fields(&[(number, int(3))]);
    let pieces = fields(&[(22, piece(1)), (22, piece(2))]);
    let Some(What::Inner(inner)) = read_as::<Holder>(&pieces, true).unwrap().what else {
        panic!("the inner message")
    };
    assert_eq!(*inner, Holder { id: 3, what: None, after: 3 });
}

#[test]
fn an_enum_with_payloads_is_a_message_of_its_own() {
    round(What::Number(0), "{20: 0 i64}");
    round(What::Quiet, "{23: {}}");
    round(What::Inner(Box::new(Holder { id: 0, what: None, after: 0 })), "{22: {}}");
    assert_eq!(What::blank(), What::Number(0));
    assert_eq!(What::SCHEMA.name, "What");
    tables_hold(What::SCHEMA);
    let fault = fails::<What>(&fields(&[(20, Node::None), (10, int(1))]));
    assert_eq!(fault.path(), "txt");
}

#[derive(Message, Debug, PartialEq)]
enum Either<L, R> {
    Left(L),
    Right(R),
}

#[derive(Message, Debug, PartialEq)]
struct Both<L, R> {
    #[field(7)]
    id: Arc<u32>,
    #[field(oneof, required)]
    either: Option<Either<L, R>>,
    #[field(9)]
    list: Vec<Either<L, R>>,
}

#[derive(Message, Debug, PartialEq)]
enum Expr {
    Neg(Box<Expr>),
    Sum(Vec<Self>),
    Literal(i64),
}

#[derive(Message, Debug, PartialEq)]
struct Two {
    #[field(oneof)]
    first: Option<Either<u8, u16>>,
    #[field(3)]
    mid: u8,
    #[field(oneof)]
    second: Option<What>,
    #[field(30)]
    end: u8,
}

#[test]
fn oneofs_may_be_generic_recursive_and_several() {
    let both = Both {
        id: Arc::new(1),
        either: Some(Either::Right("x".to_owned())),
        list: vec![Either::Left(2_u8), Either::Right("y".to_owned())],
    };
    round(both, r#"{7: 1 u32, 2: "x", 9: [{1: 2 u8}, {2: "y"}]}"#);
    assert_eq!(Both::<u8, u8>::SCHEMA.fields.len(), 4);
    tables_hold(Both::<u8, u8>::SCHEMA);
    let fault = fails::<Both<u8, u8>>(&fields(&[(7, int(1))]));
    assert_eq!(*fault.why(), Why::Missing { field: "either" });

    let two = Two { first: Some(Either::Left(1)), mid: 2, second: Some(What::Quiet), end: 3 };
    round(two, "{1: 1 u8, 3: 2 u8, 23: {}, 30: 3 u8}");
    tables_hold(Two::SCHEMA);

    let expr = Expr::Sum(vec![Expr::Neg(Box::new(Expr::Literal(1)))]);
    round(expr, "{2: [{1: {3: 1 i64}}]}");
    assert_eq!(Expr::blank(), Expr::Sum(vec![]), "the first that ends");
}

mod clash {
    //! Names of the user's own that the expansion must not trip over.
    #![allow(dead_code, non_camel_case_types)]

    #[derive(farcall::Message, Debug, PartialEq)]
    pub(super) struct Schema<S> {
        pub(super) to: S,
        pub(super) from: Option<Field>,
        pub(super) at: Box<Take>,
        pub(super) schema: u8,
        pub(super) index: u8,
    }
    #[derive(farcall::Message, Debug, PartialEq)]
    pub(super) struct Field;
    #[derive(farcall::Message, Debug, PartialEq)]
    pub(super) struct Take;
    pub(super) enum Option_ {}
    pub(super) type Result = ();
    pub(super) type Some_ = ();
    pub(super) trait Put {}
    pub(super) trait Message {}
    pub(super) type S = ();
}

#[test]
fn the_expansion_needs_nothing_in_scope() {
    let value = clash::Schema {
        to: 1_u8,
        from: Some(clash::Field),
        at: Box::new(clash::Take),
        schema: 2,
        index: 3,
    };
    round(value, "{1: 1 u8, 2: {}, 3: {}, 4: 2 u8, 5: 3 u8}");
}
