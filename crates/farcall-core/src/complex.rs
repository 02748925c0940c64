//! A complex number. Only gob has them; other formats carry the two parts.

/// A complex number: Go's `complex128`, and its `complex64`, which is the same on the wire (Go
/// refuses parts that are too large for its `float32`).
///
/// gob has them of its own. JSON and MessagePack carry a list of the two parts, `[re, im]`,
/// protobuf a message `{ double re = 1; double im = 2; }`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Complex {
    /// The real part.
    pub re: f64,
    /// The imaginary part.
    pub im: f64,
}

impl From<(f64, f64)> for Complex {
    fn from((re, im): (f64, f64)) -> Complex {
        Complex { re, im }
    }
}

impl From<Complex> for (f64, f64) {
    fn from(v: Complex) -> (f64, f64) {
        (v.re, v.im)
    }
}
