//! What the fuzz targets share: limits that are reached quickly, feeding in pieces, a small server
//! that answers, messages of every kind, and a count of the memory in use.

pub mod feed;
pub mod kinds;
pub mod memory;
pub mod round;
pub mod serve;
pub mod site;

use farcall_core::{Bounds, Found, Limits, MethodId, Routes};

/// Small enough to be reached by inputs of a few kilobytes.
pub fn limits() -> Limits {
    Limits {
        message_bytes: 4096,
        unfolded_bytes: 8192,
        decoded_bytes: 64 * 1024,
        body_depth: 12,
        meta_bytes: 512,
        name_bytes: 48,
        head_bytes: 1024,
        head_fields: 12,
        batch_calls: 8,
        calls_per_connection: 16,
        output_bytes: 2048,
        ..Limits::default()
    }
}

/// The bounds of a body under [`limits`].
pub fn bounds() -> Bounds {
    limits().bounds()
}

/// For what was read once: it is written and read again whatever its size.
pub fn wide() -> Bounds {
    Bounds { depth: 100, decoded_bytes: 1 << 30 }
}

/// What can be called.
pub const METHODS: [(&str, &str); 8] = [
    ("Arith", "Mul"),
    ("Arith", "Multiply"),
    ("Arith", "Divide"),
    ("Echo", "Ints"),
    ("HelloService", "Hello"),
    ("a.b.C", "m"),
    ("odd/name", "%"),
    ("E", "e"),
];

/// The table of [`METHODS`].
pub struct Table;

impl Routes for Table {
    fn find(&self, service: &[u8], method: &[u8]) -> Found {
        let same = |at: &(&str, &str)| (at.0.as_bytes(), at.1.as_bytes()) == (service, method);
        match METHODS.iter().position(same) {
            Some(at) => Found::Method(MethodId(at as u32)),
            None if METHODS.iter().any(|at| at.0.as_bytes() == service) => Found::NoMethod,
            None => Found::NoService,
        }
    }

    fn names(&self, each: &mut dyn FnMut(&str, &str)) -> bool {
        METHODS.iter().for_each(|(service, method)| each(service, method));
        true
    }
}

/// Takes `N` bytes of settings off the front of an input.
pub fn settings<const N: usize>(data: &[u8]) -> Option<([u8; N], &[u8])> {
    data.split_first_chunk().map(|(settings, rest)| (*settings, rest))
}

/// Numbers that are the same for the same input.
pub struct Dice(u64);

impl Dice {
    /// From a byte of the settings.
    pub fn new(seed: u8) -> Dice {
        Dice((u64::from(seed) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % bound
    }
}
