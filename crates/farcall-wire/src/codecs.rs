//! Formats of bodies that are not built in, by the number that a wire carries.

use crate::format::msgpack;
use bytes::Bytes;
use farcall_core::{Bounds, Fault, Format, Put, Take, Value, Why};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// A format of one's own, for one of rpcx's numbers 5 to 15 (`protocol/message.go`: the upper half
/// of a header's fourth byte; 0 to 4 are taken). Both ends must know it.
///
/// It writes and reads [`Value`]s: a message is a map of its fields under the names that it has in
/// MessagePack. It runs where messages are written and read, in turn with all others of its
/// connection.
pub trait Codec: Send + Sync + 'static {
    /// Appends the value to `out`.
    ///
    /// # Errors
    /// What it cannot write, as a text. A panic is an error as well; what was appended is taken
    /// back.
    fn encode(&self, value: &Value, out: &mut Vec<u8>) -> Result<(), String>;
    /// Reads the whole body. The peer chose these bytes: memory should grow with what was read and
    /// not with what a length claims, and nesting end at `bounds.depth`.
    ///
    /// # Errors
    /// What is wrong with them, as a text. A panic is an error as well.
    fn decode(&self, body: &[u8], bounds: Bounds) -> Result<Value, String>;
}

/// The formats that one end knows beside those that are built in.
#[derive(Clone, Default)]
pub struct Codecs {
    known: [Option<Arc<dyn Codec>>; 11],
}

impl Codecs {
    /// Adds one, or puts it in the place of another. False where the number is not from 5 to 15.
    pub fn add(&mut self, number: u8, codec: Arc<dyn Codec>) -> bool {
        match self.known.get_mut(usize::from(number.wrapping_sub(FIRST))) {
            Some(place) => {
                *place = Some(codec);
                true
            }
            None => false,
        }
    }

    /// The codec of a format.
    pub fn find(&self, format: Format) -> Option<&dyn Codec> {
        let Format::Other(number) = format else { return None };
        self.known.get(usize::from(number.wrapping_sub(FIRST)))?.as_deref()
    }
}

impl fmt::Debug for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = (FIRST..).zip(&self.known).filter(|(_, known)| known.is_some());
        f.debug_set().entries(numbers.map(|(number, _)| number)).finish()
    }
}

impl dyn Codec {
    /// Appends a message. On a fault `out` is as before.
    ///
    /// It goes over MessagePack, where everything that has a shape can be said.
    #[cold]
    pub fn put<T: Put + ?Sized>(
        &self,
        value: &T,
        bounds: Bounds,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let mut packed = Vec::new();
        msgpack::encode(value, bounds, &mut packed)?;
        let value: Value = msgpack::decode(&packed.into(), bounds)?;
        let before = out.len();
        let done = catch_unwind(AssertUnwindSafe(|| self.encode(&value, out)));
        done.unwrap_or_else(|_| Err(PANICKED.to_owned())).map_err(|text| {
            out.truncate(before);
            Fault::new(Why::Codec(text))
        })
    }

    /// Reads a message.
    #[cold]
    pub fn take<T: Take>(&self, body: &Bytes, bounds: Bounds) -> Result<T, Fault> {
        let done = catch_unwind(AssertUnwindSafe(|| self.decode(body, bounds)));
        let value = done.unwrap_or_else(|_| Err(PANICKED.to_owned()));
        let value = value.map_err(|text| Fault::new(Why::Codec(text)))?;
        let mut packed = Vec::new();
        msgpack::encode(&value, bounds, &mut packed)?;
        msgpack::decode(&packed.into(), bounds)
    }
}

const PANICKED: &str = "the codec panicked";

/// The first number that is not built in.
const FIRST: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes one number in decimals.
    struct Decimal;

    impl Codec for Decimal {
        fn encode(&self, value: &Value, out: &mut Vec<u8>) -> Result<(), String> {
            out.extend_from_slice(b"n=");
            let number = value.as_i64().ok_or("not a number")?;
            assert!(number >= 0, "asked to panic");
            out.extend_from_slice(number.to_string().as_bytes());
            Ok(())
        }
        fn decode(&self, body: &[u8], _: Bounds) -> Result<Value, String> {
            let text = std::str::from_utf8(body).map_err(|e| e.to_string())?;
            let number = text.strip_prefix("n=").expect("asked to panic");
            number.parse().map(Value::Int).map_err(|e| e.to_string())
        }
    }

    #[test]
    fn faults_and_panics_leave_nothing_behind() {
        let codec: &dyn Codec = &Decimal;
        let (bounds, mut out) = (Bounds::default(), b"head".to_vec());
        codec.put(&7u8, bounds, &mut out).expect("a number");
        assert_eq!(out, b"headn=7");
        assert_eq!(codec.take::<i32>(&Bytes::from_static(b"n=-12"), bounds).expect("one"), -12);
        let fault = codec.put("text", bounds, &mut out).expect_err("no number");
        assert_eq!(fault.why(), &Why::Codec("not a number".to_owned()));
        let fault = codec.put(&-1, bounds, &mut out).expect_err("a panic");
        assert_eq!(fault.why(), &Why::Codec(PANICKED.to_owned()));
        assert_eq!(out, b"headn=7");
        let read = |body: &'static [u8]| codec.take::<u8>(&Bytes::from_static(body), bounds);
        assert_eq!(read(b"?").expect_err("a panic").why(), &Why::Codec(PANICKED.to_owned()));
        assert!(matches!(read(b"n=x").expect_err("no number").why(), Why::Codec(_)));
        assert!(matches!(read(b"n=300").expect_err("too large").why(), Why::OutOfRange { .. }));
    }

    #[test]
    fn numbers_that_are_taken_are_refused() {
        let mut codecs = Codecs::default();
        assert!(codecs.add(5, Arc::new(Decimal)) && codecs.add(15, Arc::new(Decimal)));
        assert!(!codecs.add(4, Arc::new(Decimal)) && !codecs.add(16, Arc::new(Decimal)));
        assert_eq!(format!("{codecs:?}"), "{5, 15}");
        assert!(codecs.find(Format::Other(15)).is_some());
        for other in [Format::Other(6), Format::Other(4), Format::Other(200), Format::Json] {
            assert!(codecs.find(other).is_none());
        }
    }
}
