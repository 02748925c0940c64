//! A value whose type is seen only by looking at it, taken as it is: a sink that builds the
//! [`Value`] which is put into it. By way of a format it would lose what the format does not
//! tell apart, such as a small `Value::Uint` and a `Value::Int`.

use super::FORMAT;
use farcall_core::{
    At, Bounds, Fault, Kind, Names, Pack, Put, Schema, Shape, Sink, Timestamp, Value, Why,
};
use std::time::Duration;

/// The value in `value`, which is one or refers to one.
pub(super) fn look<T: Put + ?Sized>(value: &T, bounds: Bounds) -> Result<Value, Fault> {
    let mut to = Look { open: Vec::new(), whole: Value::Null, depth: bounds.depth, fault: None };
    value.put_to(const { &T::SHAPE }, &mut to as &mut dyn Sink);
    match to.fault {
        None => Ok(to.whole),
        Some(fault) => Err(fault),
    }
}

struct Look {
    open: Vec<Open>,
    whole: Value,
    depth: u32,
    fault: Option<Fault>,
}

/// A list or a map whose end has not come.
enum Open {
    List(Vec<Value>),
    /// A key waits for its value.
    Map(Vec<(Value, Value)>, Option<Value>),
}

impl Look {
    fn take(&mut self, value: Value) {
        match self.open.last_mut() {
            None => self.whole = value,
            Some(Open::List(items)) => items.push(value),
            Some(Open::Map(entries, key)) => match key.take() {
                Some(key) => entries.push((key, value)),
                None => *key = Some(value),
            },
        }
    }

    fn enter(&mut self, open: Open) -> Option<At> {
        if self.open.len() >= self.depth as usize {
            self.fail(Fault::new(Why::TooDeep { limit: self.depth }));
            return None;
        }
        self.open.push(open);
        Some(At::default())
    }

    fn leave(&mut self) {
        match self.open.pop() {
            Some(Open::List(items)) => self.take(Value::List(items)),
            Some(Open::Map(entries, _)) => self.take(Value::Map(entries)),
            None => {}
        }
    }

    /// No value that describes itself holds one of these.
    #[cold]
    fn foreign(&mut self) {
        let what = "a message inside a value that describes itself";
        self.fail(Fault::new(Why::Unsupported { format: FORMAT, what }));
    }
}

impl Sink for Look {
    fn open(&mut self, _: &'static Schema) -> Option<At> {
        self.foreign();
        None
    }
    fn field(&mut self, _: &mut At, _: &'static Schema, _: usize, _: bool) -> bool {
        false
    }
    fn close(&mut self, _: At) {}
    fn list(&mut self, _: &'static Shape, _: usize) -> Option<At> {
        self.enter(Open::List(Vec::new()))
    }
    fn item(&mut self, _: &mut At) {}
    fn list_end(&mut self, _: At) {
        self.leave();
    }
    fn map(&mut self, _: &'static Shape, _: usize) -> Option<At> {
        self.enter(Open::Map(Vec::new(), None))
    }
    fn key(&mut self, _: &mut At, _: &'static Shape, _: bool) -> bool {
        true
    }
    fn value(&mut self, _: &mut At, _: &'static Shape, _: bool) -> bool {
        true
    }
    fn entry_end(&mut self, _: &mut At) {}
    fn map_end(&mut self, _: At) {
        self.leave();
    }
    fn none(&mut self) {
        self.take(Value::Null);
    }
    fn bool(&mut self, v: bool) {
        self.take(Value::Bool(v));
    }
    fn int(&mut self, v: i64, _: Kind, _: Pack) {
        self.take(Value::Int(v));
    }
    fn uint(&mut self, v: u64, _: Kind, _: Pack) {
        self.take(Value::Uint(v));
    }
    fn float(&mut self, v: f64, _: Kind) {
        self.take(Value::Float(v));
    }
    fn text(&mut self, v: &str) {
        self.take(Value::Text(v.to_owned()));
    }
    fn bytes(&mut self, v: &[u8]) {
        self.take(Value::Bytes(v.to_vec()));
    }
    fn choice(&mut self, _: i32, _: &'static Names) {
        self.foreign();
    }
    fn time(&mut self, v: Timestamp) {
        self.take(Value::Time(v));
    }
    fn span(&mut self, _: Duration) {
        self.foreign();
    }
    fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }
    fn failed(&self) -> bool {
        self.fault.is_some()
    }
}
