//! Where in a message writing failed.
//!
//! Sinks keep only the first fault, so that the hot path carries no path. When a body could not be
//! written, the walk is repeated through [`Traced`], which notes the way to the place: the cost
//! falls on the failure alone.

use crate::{At, Complex, Fault, Kind, Names, Pack, Put, Schema, Shape, Sink, Timestamp};

/// A sink that knows where in the message it is.
pub struct Traced<'s> {
    inner: &'s mut dyn Sink,
    stack: Vec<Step>,
    found: Option<Vec<Step>>,
}

#[derive(Clone, Copy)]
enum Step {
    Field(Option<&'static str>),
    Item(Option<usize>),
}

/// Writes `value` to a fresh sink of the format that refused it and adds the path to the fault.
#[cold]
pub fn trace_fault<T: Put + ?Sized>(
    value: &T,
    shape: &'static Shape,
    fresh: &mut dyn Sink,
    fault: Fault,
) -> Fault {
    let mut traced = Traced { inner: fresh, stack: Vec::new(), found: None };
    value.put_to(shape, &mut traced);
    let path = traced.found.unwrap_or_default();
    path.into_iter().rev().fold(fault, |fault, step| match step {
        Step::Field(Some(name)) => fault.in_field(name),
        Step::Item(Some(index)) => fault.in_item(index),
        Step::Field(None) | Step::Item(None) => fault,
    })
}

impl Traced<'_> {
    fn look(&mut self) {
        if self.found.is_none() && self.inner.failed() {
            self.found = Some(self.stack.clone());
        }
    }

    fn entered(&mut self, at: Option<At>, step: Step) -> Option<At> {
        self.look();
        if at.is_some() {
            self.stack.push(step);
        }
        at
    }

    fn next_item(&mut self) {
        if let Some(Step::Item(index)) = self.stack.last_mut() {
            *index = Some(index.map_or(0, |i| i + 1));
        }
    }
}

impl Sink for Traced<'_> {
    fn open(&mut self, schema: &'static Schema) -> Option<At> {
        let at = self.inner.open(schema);
        self.entered(at, Step::Field(None))
    }
    fn field(&mut self, at: &mut At, schema: &'static Schema, index: usize, empty: bool) -> bool {
        if let Some(step @ Step::Field(_)) = self.stack.last_mut() {
            *step = Step::Field(Some(schema.fields[index].name));
        }
        let written = self.inner.field(at, schema, index, empty);
        self.look();
        written
    }
    fn close(&mut self, at: At) {
        self.inner.close(at);
        self.stack.pop();
    }
    fn list(&mut self, shape: &'static Shape, len: usize) -> Option<At> {
        let at = self.inner.list(shape, len);
        self.entered(at, Step::Item(None))
    }
    fn item(&mut self, at: &mut At) {
        self.next_item();
        self.inner.item(at);
        self.look();
    }
    fn list_end(&mut self, at: At) {
        self.inner.list_end(at);
        self.stack.pop();
    }
    fn map(&mut self, shape: &'static Shape, len: usize) -> Option<At> {
        let at = self.inner.map(shape, len);
        self.entered(at, Step::Item(None))
    }
    fn key(&mut self, at: &mut At, key: &'static Shape, empty: bool) -> bool {
        self.next_item();
        let written = self.inner.key(at, key, empty);
        self.look();
        written
    }
    fn value(&mut self, at: &mut At, value: &'static Shape, empty: bool) -> bool {
        let written = self.inner.value(at, value, empty);
        self.look();
        written
    }
    fn entry_end(&mut self, at: &mut At) {
        self.inner.entry_end(at);
    }
    fn map_end(&mut self, at: At) {
        self.inner.map_end(at);
        self.stack.pop();
    }
    fn none(&mut self) {
        self.inner.none();
        self.look();
    }
    fn bool(&mut self, v: bool) {
        self.inner.bool(v);
        self.look();
    }
    fn int(&mut self, v: i64, kind: Kind, pack: Pack) {
        self.inner.int(v, kind, pack);
        self.look();
    }
    fn uint(&mut self, v: u64, kind: Kind, pack: Pack) {
        self.inner.uint(v, kind, pack);
        self.look();
    }
    fn float(&mut self, v: f64, kind: Kind) {
        self.inner.float(v, kind);
        self.look();
    }
    fn text(&mut self, v: &str) {
        self.inner.text(v);
        self.look();
    }
    fn bytes(&mut self, v: &[u8]) {
        self.inner.bytes(v);
        self.look();
    }
    fn byte_array(&mut self, v: &[u8]) {
        self.inner.byte_array(v);
        self.look();
    }
    fn choice(&mut self, v: i32, names: &'static Names) {
        self.inner.choice(v, names);
        self.look();
    }
    fn time(&mut self, v: Timestamp) {
        self.inner.time(v);
        self.look();
    }
    fn span(&mut self, v: std::time::Duration) {
        self.inner.span(v);
        self.look();
    }
    fn complex(&mut self, v: Complex) {
        self.inner.complex(v);
        self.look();
    }
    fn fail(&mut self, fault: Fault) {
        self.inner.fail(fault);
        self.look();
    }
    fn failed(&self) -> bool {
        self.inner.failed()
    }
}
