//! How the types of the language are written and read: scalars, text, containers.

use crate::{
    At, Complex, Fault, Kind, Message, Pack, Part, Put, Schema, Shape, Shaped, Sink, Source, Str,
    Take, Timestamp, Why,
};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[inline(always)]
const fn pack_of(shape: &Shape) -> Pack {
    match shape {
        Shape::One(_, pack) => *pack,
        _ => Pack::Plain,
    }
}

macro_rules! integers {
    ($($type:ident $kind:ident $method:ident $wide:ident;)*) => { $(
        impl Shaped for $type {
            const SHAPE: Shape = Shape::One(Kind::$kind, Pack::Plain);
        }
        impl Put for $type {
            #[inline(always)]
            fn is_blank(&self) -> bool {
                *self == 0
            }
            #[inline(always)]
            fn put_to<S: Sink + ?Sized>(&self, shape: &'static Shape, to: &mut S) {
                to.$method(*self as $wide, Kind::$kind, pack_of(shape));
            }
        }
        impl Take for $type {
            #[inline(always)]
            fn blank() -> Self {
                0
            }
            #[inline(always)]
            fn take_from<S: Source + ?Sized>(
                &mut self,
                shape: &'static Shape,
                from: &mut S,
            ) -> Result<(), Fault> {
                // The source has checked the range for this kind.
                *self = from.$method(Kind::$kind, pack_of(shape))? as $type;
                Ok(())
            }
        }
    )* };
}
integers! {
    i8 I8 int i64; i16 I16 int i64; i32 I32 int i64; i64 I64 int i64; isize I64 int i64;
    u16 U16 uint u64; u32 U32 uint u64; u64 U64 uint u64; usize U64 uint u64;
}

/// `u8` alone is a number; a list of them is bytes.
impl Shaped for u8 {
    const SHAPE: Shape = Shape::One(Kind::U8, Pack::Plain);
    const LIST: Shape = Shape::One(Kind::Bytes, Pack::Plain);
}

impl Put for u8 {
    #[inline(always)]
    fn is_blank(&self) -> bool {
        *self == 0
    }
    fn put_to<S: Sink + ?Sized>(&self, shape: &'static Shape, to: &mut S) {
        to.uint((*self).into(), Kind::U8, pack_of(shape));
    }
    #[inline]
    fn put_list<S: Sink + ?Sized>(list: &[u8], _: &'static Shape, to: &mut S) {
        to.bytes(list);
    }
    fn put_array<S: Sink + ?Sized>(list: &[u8], _: &'static Shape, to: &mut S) {
        to.byte_array(list);
    }
}

impl Take for u8 {
    #[inline(always)]
    fn blank() -> Self {
        0
    }
    fn take_from<S: Source + ?Sized>(
        &mut self,
        shape: &'static Shape,
        from: &mut S,
    ) -> Result<(), Fault> {
        *self = from.uint(Kind::U8, pack_of(shape))? as u8;
        Ok(())
    }
    #[inline]
    fn take_list<S: Source + ?Sized>(
        list: &mut Vec<u8>,
        _: &'static Shape,
        from: &mut S,
    ) -> Result<(), Fault> {
        *list = from.bytes()?.to_vec();
        Ok(())
    }
    fn take_array<S: Source + ?Sized>(
        into: &mut [u8],
        _: &'static Shape,
        from: &mut S,
    ) -> Result<usize, Fault> {
        let bytes = from.byte_array()?;
        if bytes.len() == into.len() {
            into.copy_from_slice(bytes);
        }
        Ok(bytes.len())
    }
}

/// Types that are one scalar: shape, blank value, emptiness, write, read.
macro_rules! scalars {
    ($($type:ty, $kind:ident, $blank:expr, |$v:ident| $empty:expr, |$to:ident| $put:expr,
       |$from:ident $(, $before:ident)?| $take:expr;)*) => { $(
        impl Shaped for $type {
            const SHAPE: Shape = Shape::One(Kind::$kind, Pack::Plain);
        }
        impl Put for $type {
            #[inline(always)]
            fn is_blank(&self) -> bool {
                let $v = self;
                $empty
            }
            #[inline(always)]
            fn put_to<S: Sink + ?Sized>(&self, _: &'static Shape, $to: &mut S) {
                let $v = self;
                $put
            }
        }
        impl Take for $type {
            #[inline(always)]
            fn blank() -> Self {
                $blank
            }
            #[inline(always)]
            fn take_from<S: Source + ?Sized>(
                &mut self,
                _: &'static Shape,
                $from: &mut S,
            ) -> Result<(), Fault> {
                $(let $before = *self;)?
                *self = $take;
                Ok(())
            }
        }
    )* };
}
// A float is blank when all its bits are zero: -0.0 is a value (protobuf writes it, as prost does
// not but the official implementations do).
scalars! {
    bool, Bool, false, |v| !*v, |to| to.bool(*v), |from| from.bool()?;
    f32, F32, 0.0, |v| v.to_bits() == 0, |to| to.float((*v).into(), Kind::F32),
        |from| from.float(Kind::F32)? as f32;
    f64, F64, 0.0, |v| v.to_bits() == 0, |to| to.float(*v, Kind::F64),
        |from| from.float(Kind::F64)?;
    String, Text, String::new(), |v| v.is_empty(), |to| to.text(v), |from| from.text()?.to_owned();
    Str, Text, Str::new(), |v| v.is_empty(), |to| to.text(v), |from| from.shared_text()?;
    Bytes, Bytes, Bytes::new(), |v| v.is_empty(), |to| to.bytes(v), |from| from.shared_bytes()?;
    Timestamp, Time, Timestamp::default(), |v| *v == Timestamp::default(), |to| to.time(*v),
        |from, before| from.time_after(before)?;
    Duration, Span, Duration::ZERO, |v| v.is_zero(), |to| to.span(*v),
        |from, before| from.span_after(before)?;
    Complex, Complex, Complex::default(), |v| v.re.to_bits() == 0 && v.im.to_bits() == 0,
        |to| to.complex(*v), |from, before| from.complex_after(before)?;
    SystemTime, Time, SystemTime::UNIX_EPOCH, |v| *v == SystemTime::UNIX_EPOCH,
        |to| to.time(Timestamp::from(*v)),
        |from, before| match SystemTime::try_from(from.time_after(before.into())?) {
            Ok(time) => time,
            Err(()) => return Err(Fault::new(Why::OutOfRange { want: "SystemTime" })),
        };
}

impl Shaped for str {
    const SHAPE: Shape = Shape::One(Kind::Text, Pack::Plain);
}

impl Put for str {
    fn is_blank(&self) -> bool {
        self.is_empty()
    }
    fn put_to<S: Sink + ?Sized>(&self, _: &'static Shape, to: &mut S) {
        to.text(self);
    }
}

impl<T: Shaped> Shaped for [T] {
    const SHAPE: Shape = T::LIST;
}

impl<T: Put> Put for [T] {
    fn is_blank(&self) -> bool {
        self.is_empty()
    }
    fn put_to<S: Sink + ?Sized>(&self, shape: &'static Shape, to: &mut S) {
        T::put_list(self, shape, to);
    }
}

impl<T: Shaped> Shaped for Vec<T> {
    const SHAPE: Shape = T::LIST;
}

impl<T: Put> Put for Vec<T> {
    #[inline(always)]
    fn is_blank(&self) -> bool {
        self.is_empty()
    }
    #[inline]
    fn put_to<S: Sink + ?Sized>(&self, shape: &'static Shape, to: &mut S) {
        T::put_list(self, shape, to);
    }
}

impl<T: Take> Take for Vec<T> {
    #[inline(always)]
    fn blank() -> Self {
        Vec::new()
    }
    #[inline]
    fn take_from<S: Source + ?Sized>(
        &mut self,
        shape: &'static Shape,
        from: &mut S,
    ) -> Result<(), Fault> {
        T::take_list(self, shape, from)
    }
}

impl<T: Shaped, const N: usize> Shaped for [T; N] {
    const SHAPE: Shape = Shape::Array(&T::SHAPE, N);
}

impl<T: Put, const N: usize> Put for [T; N] {
    /// An array always has its items, so it is never left out (as Go's gob has it).
    fn is_blank(&self) -> bool {
        N == 0
    }
    fn put_to<S: Sink + ?Sized>(&self, shape: &'static Shape, to: &mut S) {
        T::put_array(self, shape, to);
    }
}

impl<T: Take, const N: usize> Take for [T; N] {
    fn blank() -> Self {
        std::array::from_fn(|_| T::blank())
    }
    fn take_from<S: Source + ?Sized>(
        &mut self,
        shape: &'static Shape,
        from: &mut S,
    ) -> Result<(), Fault> {
        match T::take_array(self, shape, from)? {
            n if n == N => Ok(()),
            _ => Err(Fault::new(Why::WrongType {
                want: "an array of exactly the declared length",
                got: "another number of items",
            })),
        }
    }
}

impl<T: Shaped> Shaped for Option<T> {
    const SHAPE: Shape = Shape::Maybe(&T::SHAPE);
}

impl<T: Put> Put for Option<T> {
    #[inline(always)]
    fn is_blank(&self) -> bool {
        self.is_none()
    }
    #[inline]
    fn put_to<S: Sink + ?Sized>(&self, shape: &'static Shape, to: &mut S) {
        let Shape::Maybe(inner) = *shape else { return };
        match self {
            Some(v) => v.put_to(inner, to),
            None => to.none(),
        }
    }
}

impl<T: Take> Take for Option<T> {
    #[inline(always)]
    fn blank() -> Self {
        None
    }
    #[inline]
    fn take_from<S: Source + ?Sized>(
        &mut self,
        shape: &'static Shape,
        from: &mut S,
    ) -> Result<(), Fault> {
        let Shape::Maybe(inner) = *shape else { return Ok(()) };
        if from.none()? {
            *self = None;
            return Ok(());
        }
        self.get_or_insert_with(T::blank).take_from(inner, from)
    }
}

macro_rules! pointers {
    ($($pointer:ident),*) => { $(
        impl<T: Shaped> Shaped for $pointer<T> {
            const SHAPE: Shape = T::SHAPE;
        }
        impl<T: Put> Put for $pointer<T> {
            #[inline(always)]
            fn is_blank(&self) -> bool {
                (**self).is_blank()
            }
            #[inline]
            fn put_to<S: Sink + ?Sized>(&self, shape: &'static Shape, to: &mut S) {
                (**self).put_to(shape, to);
            }
        }
    )* };
}
pointers! { Box, Arc }

impl<T: Take> Take for Box<T> {
    fn blank() -> Self {
        Box::new(T::blank())
    }
    #[inline]
    fn take_from<S: Source + ?Sized>(
        &mut self,
        shape: &'static Shape,
        from: &mut S,
    ) -> Result<(), Fault> {
        from.spend(size_of::<T>())?;
        (**self).take_from(shape, from)
    }
}

impl<T: Take> Take for Arc<T> {
    fn blank() -> Self {
        Arc::new(T::blank())
    }
    fn take_from<S: Source + ?Sized>(
        &mut self,
        shape: &'static Shape,
        from: &mut S,
    ) -> Result<(), Fault> {
        from.spend(size_of::<T>())?;
        match Arc::get_mut(self) {
            Some(inner) => inner.take_from(shape, from),
            None => {
                let mut fresh = T::blank();
                fresh.take_from(shape, from)?;
                *self = Arc::new(fresh);
                Ok(())
            }
        }
    }
}

impl<T: Shaped + ?Sized> Shaped for &T {
    const SHAPE: Shape = T::SHAPE;
}

impl<T: Put + ?Sized> Put for &T {
    fn is_blank(&self) -> bool {
        (**self).is_blank()
    }
    fn put_to<S: Sink + ?Sized>(&self, shape: &'static Shape, to: &mut S) {
        (**self).put_to(shape, to);
    }
}

macro_rules! maps {
    ($($map:ident [$($bound:tt)*] $(, $hasher:ident)?;)*) => { $(
        impl<K: Shaped, V: Shaped $(, $hasher)?> Shaped for $map<K, V $(, $hasher)?> {
            const SHAPE: Shape = Shape::Map(&K::SHAPE, &V::SHAPE);
        }
        impl<K: Put, V: Put $(, $hasher)?> Put for $map<K, V $(, $hasher)?> {
            #[inline(always)]
            fn is_blank(&self) -> bool {
                self.is_empty()
            }
            fn put_to<S: Sink + ?Sized>(&self, shape: &'static Shape, to: &mut S) {
                let Shape::Map(key, value) = *shape else { return };
                let Some(mut at) = to.map(shape, self.len()) else { return };
                for (k, v) in self {
                    if to.key(&mut at, key, k.is_blank()) {
                        k.put_to(key, to);
                    }
                    if to.value(&mut at, value, v.is_blank()) {
                        v.put_to(value, to);
                    }
                    to.entry_end(&mut at);
                }
                to.map_end(at);
            }
        }
        impl<K: Take + $($bound)*, V: Take $(, $hasher: BuildHasher + Default)?> Take
            for $map<K, V $(, $hasher)?>
        {
            fn blank() -> Self {
                Self::default()
            }
            fn take_from<S: Source + ?Sized>(
                &mut self,
                shape: &'static Shape,
                from: &mut S,
            ) -> Result<(), Fault> {
                let Shape::Map(key, value) = *shape else { return Ok(()) };
                if !from.merges() {
                    self.clear();
                }
                let mut at = from.map(shape)?;
                let (mut k, mut v) = (K::blank(), V::blank());
                let mut count = 0;
                loop {
                    match from.part(&mut at)? {
                        Part::Key => k.take_from(key, from).map_err(|f| f.in_item(count))?,
                        Part::Value => v.take_from(value, from).map_err(|f| f.in_item(count))?,
                        Part::Entry => {
                            // Twice the entry: tables keep room to grow.
                            from.spend(2 * size_of::<(K, V)>())?;
                            let key = std::mem::replace(&mut k, K::blank());
                            self.insert(key, std::mem::replace(&mut v, V::blank()));
                            count += 1;
                        }
                        Part::End => return Ok(()),
                    }
                }
            }
        }
    )* };
}
maps! { HashMap[Eq + Hash], H; BTreeMap[Ord]; }

/// The empty message: what a method without parameters takes and one without a result answers.
impl Shaped for () {
    const SHAPE: Shape = Shape::Message(|| <() as Message>::SCHEMA);
}

impl Put for () {
    fn is_blank(&self) -> bool {
        false
    }
    #[inline]
    fn put_to<S: Sink + ?Sized>(&self, _: &'static Shape, to: &mut S) {
        self.write(to);
    }
}

impl Take for () {
    fn blank() -> Self {}
    #[inline]
    fn take_from<S: Source + ?Sized>(
        &mut self,
        _: &'static Shape,
        from: &mut S,
    ) -> Result<(), Fault> {
        self.read(from)
    }
}

impl Message for () {
    const SCHEMA: &'static Schema =
        &Schema { name: "Empty", fields: &[], dense: &[], sorted: (&[], &[]) };

    fn write<S: Sink + ?Sized>(&self, to: &mut S) {
        if let Some(at) = to.open(Self::SCHEMA) {
            to.close(at);
        }
    }

    fn read<S: Source + ?Sized>(&mut self, from: &mut S) -> Result<(), Fault> {
        let mut at: At = from.open(Self::SCHEMA)?;
        from.field(&mut at, Self::SCHEMA).map(|_| ())
    }
}
