//! A format for tests: messages become trees that can be compared, printed, changed and read back.

use farcall::__private::*;
use std::{fmt, time::Duration};

/// A value as the walk described it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// A scalar and its kind; integers with their packing.
    One(String),
    None,
    Text(String),
    Bytes(Vec<u8>),
    Choice(i32),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Fields(Vec<(u32, Node)>),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = |list: Vec<String>| list.join(", ");
        match self {
            Node::One(v) => f.write_str(v),
            Node::None => f.write_str("none"),
            Node::Text(v) => write!(f, "{v:?}"),
            Node::Bytes(v) => write!(f, "bytes {v:?}"),
            Node::Choice(v) => write!(f, "#{v}"),
            Node::List(v) => write!(f, "[{}]", each(v.iter().map(Node::to_string).collect())),
            Node::Map(v) => {
                write!(f, "<{}>", each(v.iter().map(|(k, v)| format!("{k}: {v}")).collect()))
            }
            Node::Fields(v) => {
                write!(f, "{{{}}}", each(v.iter().map(|(k, v)| format!("{k}: {v}")).collect()))
            }
        }
    }
}

/// Writes a value as a tree. `all`: fields that are blank as well.
pub(crate) fn write<T: Put>(value: &T, all: bool) -> Node {
    let mut to = Writer { stack: Vec::new(), done: None, all };
    value.put_to(const { &T::SHAPE }, &mut to);
    assert!(to.stack.is_empty(), "what was opened was closed");
    to.done.expect("a value was written")
}

/// Reads a value from a tree.
pub(crate) fn read<T: Take>(from: &Node) -> Result<T, Fault> {
    read_as(from, false)
}

/// The same, as a format that adds up repeated fields.
pub(crate) fn read_as<T: Take>(from: &Node, merges: bool) -> Result<T, Fault> {
    let mut from = Reader { now: from.clone(), stack: Vec::new(), text: String::new(), merges };
    let mut value = T::blank();
    value.take_from(const { &T::SHAPE }, &mut from)?;
    assert!(from.stack.is_empty(), "what was opened was read to its end");
    Ok(value)
}

struct Writer {
    stack: Vec<(Node, u32)>,
    done: Option<Node>,
    all: bool,
}

impl Writer {
    fn put(&mut self, node: Node) {
        match self.stack.last_mut() {
            None => assert!(self.done.replace(node).is_none(), "one value only"),
            Some((Node::Fields(fields), number)) => fields.push((*number, node)),
            Some((Node::List(list), _)) => list.push(node),
            Some((Node::Map(map), 1)) => map.push((node, Node::None)),
            Some((Node::Map(map), _)) => map.last_mut().expect("a key").1 = node,
            Some(_) => unreachable!(),
        }
    }
    fn open_node(&mut self, node: Node) -> Option<At> {
        self.stack.push((node, 0));
        Some(At { a: self.stack.len(), b: 0 })
    }
    fn close_node(&mut self, at: At) {
        assert_eq!(at.a, self.stack.len());
        let (node, _) = self.stack.pop().expect("something is open");
        self.put(node);
    }
    fn next(&mut self, number: u32) {
        self.stack.last_mut().expect("something is open").1 = number;
    }
}

fn one(v: impl fmt::Display, kind: Kind, pack: Pack) -> Node {
    Node::One(match pack {
        Pack::Plain => format!("{v} {}", kind.name()),
        pack => format!("{v} {} {pack:?}", kind.name()),
    })
}

impl Sink for Writer {
    fn open(&mut self, _: &'static Schema) -> Option<At> {
        self.open_node(Node::Fields(Vec::new()))
    }
    fn field(&mut self, _: &mut At, schema: &'static Schema, index: usize, empty: bool) -> bool {
        let field = &schema.fields[index];
        self.next(field.number);
        !empty || self.all && !field.omit_empty
    }
    fn close(&mut self, at: At) {
        self.close_node(at);
    }
    fn list(&mut self, _: &'static Shape, _: usize) -> Option<At> {
        self.open_node(Node::List(Vec::new()))
    }
    fn item(&mut self, _: &mut At) {}
    fn list_end(&mut self, at: At) {
        self.close_node(at);
    }
    fn map(&mut self, _: &'static Shape, _: usize) -> Option<At> {
        self.open_node(Node::Map(Vec::new()))
    }
    fn key(&mut self, _: &mut At, _: &'static Shape, _: bool) -> bool {
        self.next(1);
        true
    }
    fn value(&mut self, _: &mut At, _: &'static Shape, _: bool) -> bool {
        self.next(2);
        true
    }
    fn entry_end(&mut self, _: &mut At) {}
    fn map_end(&mut self, at: At) {
        self.close_node(at);
    }
    fn none(&mut self) {
        self.put(Node::None);
    }
    fn bool(&mut self, v: bool) {
        self.put(one(v, Kind::Bool, Pack::Plain));
    }
    fn int(&mut self, v: i64, kind: Kind, pack: Pack) {
        self.put(one(v, kind, pack));
    }
    fn uint(&mut self, v: u64, kind: Kind, pack: Pack) {
        self.put(one(v, kind, pack));
    }
    fn float(&mut self, v: f64, kind: Kind) {
        self.put(one(v, kind, Pack::Plain));
    }
    fn text(&mut self, v: &str) {
        self.put(Node::Text(v.to_owned()));
    }
    fn bytes(&mut self, v: &[u8]) {
        self.put(Node::Bytes(v.to_owned()));
    }
    fn choice(&mut self, v: i32, _: &'static Names) {
        self.put(Node::Choice(v));
    }
    fn time(&mut self, _: Timestamp) {
        unreachable!()
    }
    fn span(&mut self, v: Duration) {
        self.put(one(v.as_secs(), Kind::Span, Pack::Plain));
    }
    fn fail(&mut self, fault: Fault) {
        panic!("{fault}")
    }
    fn failed(&self) -> bool {
        false
    }
}

/// Frames hold what is still to come, last first.
struct Reader {
    now: Node,
    stack: Vec<Node>,
    text: String,
    merges: bool,
}

impl Reader {
    fn enter(&mut self) -> At {
        let mut node = std::mem::replace(&mut self.now, Node::None);
        match &mut node {
            Node::Fields(v) => v.reverse(),
            Node::List(v) => v.reverse(),
            Node::Map(v) => v.reverse(),
            other => panic!("cannot enter {other}"),
        }
        self.stack.push(node);
        At::default()
    }
    fn one<V: std::str::FromStr>(&mut self) -> Result<V, Fault> {
        let wrong = || Fault::new(Why::WrongType { want: "a number", got: "something else" });
        let Node::One(text) = &self.now else { return Err(wrong()) };
        text.split(' ').next().unwrap_or_default().parse().map_err(|_| wrong())
    }
}

impl Source for Reader {
    fn open(&mut self, _: &'static Schema) -> Result<At, Fault> {
        Ok(self.enter())
    }
    fn field(&mut self, _: &mut At, schema: &'static Schema) -> Result<usize, Fault> {
        loop {
            let Some(Node::Fields(rest)) = self.stack.last_mut() else { unreachable!() };
            let Some((number, node)) = rest.pop() else {
                self.stack.pop();
                return Ok(END);
            };
            if let Some(index) = schema.by_number(number) {
                self.now = node;
                return Ok(index);
            }
        }
    }
    fn list(&mut self, _: &'static Shape) -> Result<At, Fault> {
        Ok(self.enter())
    }
    fn item(&mut self, _: &mut At) -> Result<bool, Fault> {
        let Some(Node::List(rest)) = self.stack.last_mut() else { unreachable!() };
        match rest.pop() {
            Some(node) => self.now = node,
            None => return Ok(self.stack.pop().is_none()),
        }
        Ok(true)
    }
    fn map(&mut self, _: &'static Shape) -> Result<At, Fault> {
        Ok(self.enter())
    }
    fn part(&mut self, at: &mut At) -> Result<Part, Fault> {
        let Some(Node::Map(rest)) = self.stack.last_mut() else { unreachable!() };
        at.a += 1;
        match (at.a % 3, rest.last()) {
            (1, None) => {
                self.stack.pop();
                return Ok(Part::End);
            }
            (1, Some((key, _))) => self.now = key.clone(),
            (2, Some((_, value))) => self.now = value.clone(),
            _ => {
                rest.pop();
                return Ok(Part::Entry);
            }
        }
        Ok(if at.a % 3 == 1 { Part::Key } else { Part::Value })
    }
    fn none(&mut self) -> Result<bool, Fault> {
        Ok(self.now == Node::None)
    }
    fn bool(&mut self) -> Result<bool, Fault> {
        self.one()
    }
    fn int(&mut self, _: Kind, _: Pack) -> Result<i64, Fault> {
        self.one()
    }
    fn uint(&mut self, _: Kind, _: Pack) -> Result<u64, Fault> {
        self.one()
    }
    fn float(&mut self, _: Kind) -> Result<f64, Fault> {
        self.one()
    }
    fn text(&mut self) -> Result<&str, Fault> {
        let Node::Text(text) = &self.now else {
            return Err(Fault::new(Why::WrongType { want: "text", got: "something else" }));
        };
        self.text.clone_from(text);
        Ok(&self.text)
    }
    fn bytes(&mut self) -> Result<&[u8], Fault> {
        match &self.now {
            Node::Bytes(bytes) => Ok(bytes),
            _ => Err(Fault::new(Why::WrongType { want: "bytes", got: "something else" })),
        }
    }
    fn choice(&mut self, names: &'static Names) -> Result<i32, Fault> {
        match self.now {
            Node::Choice(v) if names.open || names.name_of(v).is_some() => Ok(v),
            _ => Err(Fault::new(Why::NoSuchChoice { of: names.name })),
        }
    }
    fn time(&mut self) -> Result<Timestamp, Fault> {
        unreachable!()
    }
    fn span(&mut self) -> Result<Duration, Fault> {
        self.one().map(Duration::from_secs)
    }
    fn next(&mut self) -> Result<Next, Fault> {
        unreachable!()
    }
    fn merges(&self) -> bool {
        self.merges
    }
    fn spend(&mut self, _: usize) -> Result<(), Fault> {
        Ok(())
    }
}
