//! How a value becomes its twin for another library.

use super::schema::{Colour, Mood};
use bytes::Bytes;
use farcall::Str;
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// A value as another library's type.
pub(super) trait Twin<T> {
    fn twin(&self) -> T;
}

macro_rules! twins {
    ($($type:ty => $twin:ty: |$v:ident| $make:expr;)*) => { $(
        impl Twin<$twin> for $type {
            fn twin(&self) -> $twin {
                let $v = self;
                $make
            }
        }
    )* };
}

macro_rules! same {
    ($($type:ident)*) => { twins! { $($type => $type: |v| v.clone();)* } };
}
same! { bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 String }

twins! {
    i8 => i32: |v| (*v).into();
    i16 => i32: |v| (*v).into();
    isize => i64: |v| *v as i64;
    u8 => u32: |v| (*v).into();
    u16 => u32: |v| (*v).into();
    usize => u64: |v| *v as u64;
    Str => String: |v| v.to_string();
    Bytes => Vec<u8>: |v| v.to_vec();
    Colour => i32: |v| match v {
        Colour::Red => 0,
        Colour::Green => 5,
        Colour::Blue => -1,
    };
    Mood => i32: |v| match v {
        Mood::Calm => 0,
        Mood::Wild => 200,
        Mood::Other(n) => *n,
    };
    Duration => i64: |v| v.as_nanos() as i64;
}

impl<T: Twin<U>, U> Twin<Option<U>> for Option<T> {
    fn twin(&self) -> Option<U> {
        self.as_ref().map(T::twin)
    }
}

impl<T: Twin<U>, U> Twin<Box<U>> for Box<T> {
    fn twin(&self) -> Box<U> {
        Box::new((**self).twin())
    }
}

impl<T: Twin<U>, U> Twin<Vec<U>> for Vec<T> {
    fn twin(&self) -> Vec<U> {
        self.iter().map(T::twin).collect()
    }
}

impl<T: Twin<U>, U, const N: usize> Twin<Vec<U>> for [T; N] {
    fn twin(&self) -> Vec<U> {
        self.iter().map(T::twin).collect()
    }
}

impl<T: Twin<U>, U, const N: usize> Twin<[U; N]> for [T; N] {
    fn twin(&self) -> [U; N] {
        self.each_ref().map(T::twin)
    }
}

impl<K: Twin<L>, V: Twin<W>, L: Ord, W> Twin<BTreeMap<L, W>> for BTreeMap<K, V> {
    fn twin(&self) -> BTreeMap<L, W> {
        self.iter().map(|(k, v)| (k.twin(), v.twin())).collect()
    }
}

impl<K: Twin<L>, V: Twin<W>, L: Ord, W> Twin<BTreeMap<L, W>> for HashMap<K, V> {
    fn twin(&self) -> BTreeMap<L, W> {
        self.iter().map(|(k, v)| (k.twin(), v.twin())).collect()
    }
}
