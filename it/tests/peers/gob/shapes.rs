//! Messages whose schema is made up at run time: [`Root`] walks a [`Value`] along it, as the derive
//! walks a struct, so that the typed writer and reader are tried on types that nobody wrote down.

use super::types::Type;
use farcall::{Complex, Fault, Put, Take, Timestamp, Value};
use farcall_core::{END, Field, Kind, Marshals, Pack, Part, Schema, Shape, Shaped, Sink, Source};
use std::{cell::RefCell, time::Duration};

/// How many messages a thread may have at a time, in two halves: [`FIRST`] and [`SECOND`].
const SLOTS: usize = 64;
/// Where the messages of one type begin.
pub(super) const FIRST: usize = 0;
/// And those of another that is used beside it.
pub(super) const SECOND: usize = 32;

static NONE: Schema = Schema { name: "", fields: &[], dense: &[], sorted: (&[], &[]) };

thread_local! {
    static SCHEMAS: RefCell<[&'static Schema; SLOTS]> = const { RefCell::new([&NONE; SLOTS]) };
}

fn slot<const N: usize>() -> &'static Schema {
    SCHEMAS.with_borrow(|schemas| schemas[N])
}

/// A message's shape names its schema by a function: one for each slot.
macro_rules! slots {
    ($($a:literal)*) => { slots!(@ [$($a)*] $($a)*) };
    (@ [$($b:literal)*] $($a:literal)*) => { [$( slot::<$a> ),*] };
}
#[rustfmt::skip]
static LOOK_UP: [fn() -> &'static Schema; SLOTS] = slots! {
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
    32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
};

/// Makes a struct the schema of `Root<BASE>` on this thread. `None` if our types cannot say it.
pub(super) fn install(of: &Type, base: usize) -> Option<()> {
    let Type::Struct(_) = of else { return None };
    let mut maker = Maker { next: base, end: base + SLOTS / 2 };
    maker.shape(of, &mut Vec::new()).map(|_| ())
}

struct Maker {
    next: usize,
    end: usize,
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

impl Maker {
    /// `around` are the types that are being made: the slots of structs.
    fn shape(&mut self, of: &Type, around: &mut Vec<Option<usize>>) -> Option<Shape> {
        let one = |kind| Some(Shape::One(kind, Pack::Plain));
        let counts = !matches!(of, Type::Pointer(_));
        if counts {
            around.push(None);
        }
        let shape = match of {
            Type::Bool => one(Kind::Bool),
            Type::Int(8) => one(Kind::I8),
            Type::Int(16) => one(Kind::I16),
            Type::Int(32) => one(Kind::I32),
            Type::Int(_) => one(Kind::I64),
            Type::Uint(8) => one(Kind::U8),
            Type::Uint(16) => one(Kind::U16),
            Type::Uint(32) => one(Kind::U32),
            Type::Uint(_) => one(Kind::U64),
            Type::Float(32) => one(Kind::F32),
            Type::Float(_) => one(Kind::F64),
            Type::Text => one(Kind::Text),
            Type::Bytes => one(Kind::Bytes),
            Type::Time => one(Kind::Time),
            Type::Span => one(Kind::Span),
            Type::Any => Some(Shape::Any),
            Type::Complex => one(Kind::Complex),
            Type::Opaque(by) => Some(Shape::Marshaled(leak(Marshals { name: "Made", by: *by }))),
            Type::Pointer(to) => Some(Shape::Maybe(leak(self.shape(to, around)?))),
            Type::List(item) => Some(Shape::List(leak(self.shape(item, around)?))),
            Type::Array(item, len) => Some(Shape::Array(leak(self.shape(item, around)?), *len)),
            Type::Map(key, value) => {
                let key = leak(self.shape(key, around)?);
                Some(Shape::Map(key, leak(self.shape(value, around)?)))
            }
            Type::Ref(at) => around[*at].map(|slot| Shape::Message(LOOK_UP[slot])),
            Type::Struct(fields) => {
                let slot = self.next;
                assert!(slot < self.end, "too many structs in one type");
                self.next += 1;
                *around.last_mut()? = Some(slot);
                let made: Option<Vec<Field>> = fields
                    .iter()
                    .enumerate()
                    .map(|(i, (name, of))| {
                        let (shape, name) = (self.shape(of, around)?, leak(name.clone()).as_str());
                        let number = i as u32 + 1;
                        Some(Field::new(number, name, name, name, "", b"", shape, false))
                    })
                    .collect();
                let fields = leak(made?).as_slice();
                let schema = Schema { name: "Made", fields, dense: &[], sorted: (&[], &[]) };
                SCHEMAS.with_borrow_mut(|schemas| schemas[slot] = leak(schema));
                Some(Shape::Message(LOOK_UP[slot]))
            }
        };
        if counts {
            around.pop();
        }
        shape
    }
}

/// A value of the struct that was installed at `N`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Root<const N: usize>(pub(super) Value);

impl<const N: usize> Shaped for Root<N> {
    const SHAPE: Shape = Shape::Message(slot::<N>);
}

impl<const N: usize> Put for Root<N> {
    fn is_blank(&self) -> bool {
        false
    }
    fn put_to<S: Sink + ?Sized>(&self, shape: &'static Shape, to: &mut S) {
        put(&self.0, shape, to);
    }
}

impl<const N: usize> Take for Root<N> {
    fn blank() -> Self {
        Root(blank(const { &Self::SHAPE }))
    }
    fn take_from<S: Source + ?Sized>(
        &mut self,
        shape: &'static Shape,
        from: &mut S,
    ) -> Result<(), Fault> {
        self.0 = take(shape, from)?;
        Ok(())
    }
}

/// Whether a field of this shape may be left out: what `is_blank` of the type says.
fn is_blank(value: &Value, shape: &Shape) -> bool {
    match (shape, value) {
        (Shape::Maybe(_) | Shape::Any, value) => *value == Value::Null,
        (Shape::Message(_), _) => false,
        (Shape::Array(_, len), _) => *len == 0,
        (Shape::Marshaled(_), _) => false,
        (Shape::One(Kind::Complex, _), v) => {
            let Complex { re, im } = complex(v);
            re.to_bits() == 0 && im.to_bits() == 0
        }
        (_, Value::Bool(v)) => !v,
        (_, Value::Int(v)) => *v == 0,
        (_, Value::Float(v)) => v.to_bits() == 0,
        (_, Value::Text(v)) => v.is_empty(),
        (_, Value::Bytes(v)) => v.is_empty(),
        (_, Value::Time(v)) => *v == Timestamp::default(),
        (_, Value::List(v)) => v.is_empty(),
        (_, Value::Map(v)) => v.is_empty(),
        _ => false,
    }
}

/// A complex number is a list of its two parts.
fn complex(value: &Value) -> Complex {
    let part = |at| value.at(at).and_then(Value::as_f64).expect("a float");
    Complex { re: part(0), im: part(1) }
}

fn put<S: Sink + ?Sized>(value: &Value, shape: &'static Shape, to: &mut S) {
    match (*shape, value) {
        (Shape::Any, value) => value.put_to(shape, to),
        (Shape::Maybe(_), Value::Null) => to.none(),
        (Shape::Maybe(inner), value) => put(value, inner, to),
        (Shape::Message(schema), Value::Map(entries)) => {
            let schema = schema();
            let Some(mut at) = to.open(schema) else { return };
            for (i, field) in schema.fields.iter().enumerate() {
                let value = &entries[i].1;
                if to.field(&mut at, schema, i, is_blank(value, &field.shape)) {
                    put(value, &field.shape, to);
                }
            }
            to.close(at);
        }
        (Shape::Array(Shape::One(Kind::U8, _), _), Value::List(items)) => {
            let byte = |v: &Value| v.as_i64().and_then(|v| u8::try_from(v).ok());
            to.byte_array(&items.iter().filter_map(byte).collect::<Vec<u8>>());
        }
        (Shape::List(item) | Shape::Array(item, _), Value::List(items)) => {
            let Some(mut at) = to.list(shape, items.len()) else { return };
            for v in items {
                to.item(&mut at);
                put(v, item, to);
            }
            to.list_end(at);
        }
        (Shape::Map(key, value), Value::Map(entries)) => {
            let Some(mut at) = to.map(shape, entries.len()) else { return };
            for (k, v) in entries {
                if to.key(&mut at, key, is_blank(k, key)) {
                    put(k, key, to);
                }
                if to.value(&mut at, value, is_blank(v, value)) {
                    put(v, value, to);
                }
                to.entry_end(&mut at);
            }
            to.map_end(at);
        }
        (Shape::One(Kind::Complex, _), v) => to.complex(complex(v)),
        (Shape::One(Kind::Span, _), Value::Int(v)) => {
            to.span(Duration::from_nanos(v.unsigned_abs()));
        }
        (
            Shape::One(kind @ (Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64), pack),
            Value::Int(v),
        ) => {
            to.uint(v.unsigned_abs(), kind, pack);
        }
        (Shape::One(kind, pack), Value::Uint(v)) => to.uint(*v, kind, pack),
        (Shape::One(kind, pack), Value::Int(v)) => to.int(*v, kind, pack),
        (Shape::One(kind, _), Value::Float(v)) => to.float(*v, kind),
        (_, Value::Bool(v)) => to.bool(*v),
        (_, Value::Text(v)) => to.text(v),
        (_, Value::Bytes(v)) => to.bytes(v),
        (_, Value::Time(v)) => to.time(*v),
        (shape, value) => panic!("{value} as {shape:?}"),
    }
}

fn blank(shape: &Shape) -> Value {
    match *shape {
        Shape::Maybe(_) | Shape::Any => Value::Null,
        Shape::List(_) => Value::List(Vec::new()),
        Shape::Array(item, len) => Value::List(vec![blank(item); len]),
        Shape::Map(..) => Value::Map(Vec::new()),
        Shape::Message(schema) => {
            Value::object(schema().fields.iter().map(|field| (field.name, blank(&field.shape))))
        }
        Shape::One(Kind::Bool, _) => false.into(),
        Shape::One(Kind::F32 | Kind::F64, _) => 0.0.into(),
        Shape::One(Kind::Complex, _) => vec![Value::from(0.0), Value::from(0.0)].into(),
        Shape::One(Kind::Text, _) => "".into(),
        Shape::One(Kind::Bytes, _) | Shape::Marshaled(_) => Value::Bytes(Vec::new()),
        Shape::One(Kind::Time, _) => Value::Time(Timestamp::default()),
        Shape::One(..) | Shape::Enum(_) => 0.into(),
    }
}

fn take<S: Source + ?Sized>(shape: &'static Shape, from: &mut S) -> Result<Value, Fault> {
    Ok(match *shape {
        Shape::Any => {
            let mut value = Value::Null;
            value.take_from(shape, from)?;
            value
        }
        Shape::Maybe(_) if from.none()? => Value::Null,
        Shape::Maybe(inner) => take(inner, from)?,
        Shape::Message(schema) => {
            let schema = schema();
            let Value::Map(mut fields) = blank(shape) else { unreachable!("a message") };
            let mut at = from.open(schema)?;
            loop {
                match from.field(&mut at, schema)? {
                    END => break Value::Map(fields),
                    i => fields[i].1 = take(&schema.fields[i].shape, from)?,
                }
            }
        }
        Shape::Array(Shape::One(Kind::U8, _), _) => {
            Value::List(from.byte_array()?.iter().map(|byte| i64::from(*byte).into()).collect())
        }
        Shape::List(item) | Shape::Array(item, _) => {
            let (mut at, mut items) = (from.list(shape)?, Vec::new());
            while from.item(&mut at)? {
                items.push(take(item, from)?);
            }
            Value::List(items)
        }
        Shape::Map(key, value) => {
            let (mut at, mut entries) = (from.map(shape)?, Vec::new());
            let (mut k, mut v) = (blank(key), blank(value));
            loop {
                match from.part(&mut at)? {
                    Part::Key => k = take(key, from)?,
                    Part::Value => v = take(value, from)?,
                    Part::Entry => {
                        let entry = (
                            std::mem::replace(&mut k, blank(key)),
                            std::mem::replace(&mut v, blank(value)),
                        );
                        entries.push(entry);
                    }
                    Part::End => break Value::Map(entries),
                }
            }
        }
        Shape::One(kind, pack) => match kind {
            Kind::Bool => from.bool()?.into(),
            Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 => from.int(kind, pack)?.into(),
            Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => from.uint(kind, pack)?.into(),
            // Narrowed, as the impl for `f32` does.
            Kind::F32 => f64::from(from.float(kind)? as f32).into(),
            Kind::F64 => from.float(kind)?.into(),
            Kind::Text => from.text()?.into(),
            Kind::Bytes => Value::Bytes(from.bytes()?.to_vec()),
            Kind::Time => Value::Time(from.time()?),
            Kind::Span => (from.span()?.as_nanos() as i64).into(),
            Kind::Complex => {
                let Complex { re, im } = from.complex()?;
                vec![Value::from(re), Value::from(im)].into()
            }
        },
        Shape::Enum(names) => i64::from(from.choice(names)?).into(),
        Shape::Marshaled(_) => Value::Bytes(from.bytes()?.to_vec()),
    })
}
