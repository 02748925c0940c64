//! Random values with a taste for edges, the same in every run.

use bytes::Bytes;
use farcall::{Put, Str, Take, Timestamp};
use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    time::{Duration, SystemTime},
};

/// A generator that gives the same values in every run: xorshift64* (Vigna 2016).
pub struct Dice {
    state: u64,
    /// How many levels of messages are open.
    depth: u32,
    /// How many messages one value may still have: recursive types grow without one.
    budget: u32,
    /// What the values are for.
    taste: Taste,
}

/// What values must not hold.
#[derive(Clone, Copy, PartialEq)]
pub enum Taste {
    /// Nothing is excluded.
    Any,
    /// No NaN and no infinity: JSON has neither.
    Finite,
    /// Nothing that prost writes in other bytes: hash maps have one entry at most (their order is
    /// random), entries of maps have no default key or value, floats are not -0.0.
    Strict,
}

/// Levels of messages below which every container is empty.
const DEPTH: u32 = 4;
/// Messages in one value.
const BUDGET: u32 = 24;

impl Dice {
    /// Every seed gives other values.
    pub fn new(seed: u64, taste: Taste) -> Dice {
        Dice { state: seed | 1, depth: 0, budget: BUDGET, taste }
    }

    /// A whole value; its size is bounded.
    pub fn value<T: Random>(&mut self) -> T {
        (self.depth, self.budget) = (0, BUDGET);
        T::random(self)
    }

    /// A message: one level down.
    pub fn message<T>(&mut self, make: impl FnOnce(&mut Dice) -> T) -> T {
        self.depth += 1;
        self.budget = self.budget.saturating_sub(1);
        let value = make(self);
        self.depth -= 1;
        value
    }

    /// Sixty-four random bits.
    pub fn bits(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() >> 33) as usize % end
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Whether a container may have anything in it.
    pub fn may_nest(&self) -> bool {
        self.depth < DEPTH && self.budget > 0
    }

    /// The length of a container: mostly small, now and then where a header gets longer.
    fn len(&mut self, large: bool) -> usize {
        if !self.may_nest() {
            return 0;
        }
        match self.below(32) {
            0 if large => self.pick(&[15, 16, 17, 31, 32, 127, 128, 129]),
            n => [0, 0, 1, 1, 1, 2, 2, 3][n % 8],
        }
    }
}

/// A type that has random values.
pub trait Random: Sized {
    /// Whether lists of them may be long: messages, which hold lists themselves, may not.
    const LARGE_LISTS: bool = true;

    /// One of them.
    fn random(dice: &mut Dice) -> Self;
}

macro_rules! integers {
    ($($type:ident)*) => { $(
        impl Random for $type {
            fn random(dice: &mut Dice) -> $type {
                let bits = dice.bits();
                match dice.below(8) {
                    0 => 0,
                    1 => 1,
                    2 => (0 as $type).wrapping_sub(1),
                    3 => $type::MIN,
                    4 => $type::MAX,
                    // Around powers of two, where every encoding changes its width.
                    5 => ((1_u64 << (bits % 64)) as $type).wrapping_sub((bits >> 60) as $type % 2),
                    6 => (bits >> (bits % 64)) as $type,
                    _ => bits as $type,
                }
            }
        }
    )* };
}
integers! { i8 i16 i32 i64 isize u8 u16 u32 u64 usize }

impl Random for bool {
    fn random(dice: &mut Dice) -> bool {
        dice.one_in(2)
    }
}

macro_rules! floats {
    ($($type:ident $from_bits:expr;)*) => { $(
        impl Random for $type {
            fn random(dice: &mut Dice) -> $type {
                let whole = dice.bits() as i32;
                let v = match dice.below(12) {
                    0 => 0.0,
                    1 => -0.0,
                    2 => 1.0,
                    3 => dice.pick(&[$type::MIN, $type::MAX, $type::MIN_POSITIVE, $type::EPSILON]),
                    4 => dice.pick(&[$type::INFINITY, $type::NEG_INFINITY, $type::NAN]),
                    5 => $type::MIN_POSITIVE / 4.0,
                    6 => dice.pick(&[0.1, 1e-7, 1e-6, 1e20, 1e21, -1e21, 0.3, 16_777_217.0]),
                    7 => whole as $type,
                    8 => whole as $type / 1000.0,
                    _ => $from_bits(dice.bits() as _),
                };
                match dice.taste {
                    // Payloads of NaN are nobody's business.
                    _ if v.is_nan() && dice.taste != Taste::Finite => $type::NAN,
                    Taste::Finite if !v.is_finite() => 0.5,
                    Taste::Strict if v == 0.0 => 0.0,
                    _ => v,
                }
            }
        }
    )* };
}
floats! { f32 f32::from_bits; f64 f64::from_bits; }

impl Random for String {
    fn random(dice: &mut Dice) -> String {
        const PIECES: [&str; 24] = [
            "a",
            "Z",
            " ",
            "0",
            "farcall",
            "\"",
            "\\",
            "/",
            "\n",
            "\t",
            "\u{1}",
            "\u{7f}",
            "<&>",
            "é",
            "许",
            "多往",
            "\u{2028}",
            "\u{2029}",
            "\u{20ac}",
            "\u{ffff}",
            "🦀",
            "\u{10ffff}",
            "\0",
            "sixteen bytes or",
        ];
        let len = match dice.below(64) {
            0 => dice.pick(&[31, 32, 127, 128, 255, 256, 300]),
            n => [0, 1, 1, 2, 3, 5, 9, 20][n % 8],
        };
        match dice.one_in(2) {
            // Exactly so many bytes, where lengths matter.
            true => "x".repeat(len),
            false => (0..len).map(|_| dice.pick(&PIECES)).collect(),
        }
    }
}

impl Random for Str {
    fn random(dice: &mut Dice) -> Str {
        String::random(dice).into()
    }
}

impl Random for Bytes {
    fn random(dice: &mut Dice) -> Bytes {
        Vec::<u8>::random(dice).into()
    }
}

impl Random for Timestamp {
    fn random(dice: &mut Dice) -> Timestamp {
        let edges = [0, 1, -1, Timestamp::GO_ZERO.seconds, 253_402_300_799, 0xffff_ffff, 1 << 32];
        let edges = [&edges[..], &[0x3_ffff_ffff, 0x4_0000_0000]].concat();
        let span = 253_402_300_800 + 62_135_596_800;
        let seconds = match dice.one_in(2) {
            true => dice.pick(&edges),
            false => (dice.bits() % span) as i64 - 62_135_596_800,
        };
        let nanos = match dice.one_in(4) {
            true => (dice.bits() % 1_000_000_000) as u32,
            false => dice.pick(&[0, 0, 1, 999_999_999, 500_000_000, 120_000]),
        };
        Timestamp { seconds, nanos }
    }
}

impl Random for SystemTime {
    fn random(dice: &mut Dice) -> SystemTime {
        SystemTime::try_from(Timestamp::random(dice)).expect("in the range of this platform")
    }
}

impl Random for Duration {
    fn random(dice: &mut Dice) -> Duration {
        // JSON and MessagePack carry them as an i64.
        Duration::from_nanos(u64::random(dice) >> 1)
    }
}

impl<T: Random> Random for Option<T> {
    fn random(dice: &mut Dice) -> Option<T> {
        (dice.may_nest() && dice.one_in(2)).then(|| T::random(dice))
    }
}

impl<T: Random> Random for Box<T> {
    fn random(dice: &mut Dice) -> Box<T> {
        Box::new(T::random(dice))
    }
}

impl<T: Random> Random for Vec<T> {
    const LARGE_LISTS: bool = T::LARGE_LISTS;

    fn random(dice: &mut Dice) -> Vec<T> {
        let len = dice.len(T::LARGE_LISTS);
        (0..len).map(|_| T::random(dice)).collect()
    }
}

impl<T: Random, const N: usize> Random for [T; N] {
    fn random(dice: &mut Dice) -> [T; N] {
        std::array::from_fn(|_| T::random(dice))
    }
}

/// An entry that every library writes: see [`Taste::Strict`].
fn entry<K: Random + Put, V: Random + Put + Take + PartialEq>(dice: &mut Dice) -> Option<(K, V)> {
    let (key, value) = (K::random(dice), V::random(dice));
    let default = key.is_blank() || value.is_blank() || value == V::blank();
    (dice.taste != Taste::Strict || !default).then_some((key, value))
}

impl<K: Random + Put + Ord, V: Random + Put + Take + PartialEq> Random for BTreeMap<K, V> {
    const LARGE_LISTS: bool = false;

    fn random(dice: &mut Dice) -> BTreeMap<K, V> {
        let len = dice.len(V::LARGE_LISTS);
        (0..len).filter_map(|_| entry(dice)).collect()
    }
}

impl<K: Random + Put + Eq + Hash, V: Random + Put + Take + PartialEq> Random for HashMap<K, V> {
    const LARGE_LISTS: bool = false;

    fn random(dice: &mut Dice) -> HashMap<K, V> {
        let most = if dice.taste == Taste::Strict { 1 } else { usize::MAX };
        let len = dice.len(V::LARGE_LISTS).min(most);
        (0..len).filter_map(|_| entry(dice)).collect()
    }
}
