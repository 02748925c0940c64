//! Types that make bytes of themselves, as Go's `GobEncoder` and `BinaryMarshaler` do: `big.Int`,
//! `url.URL`, `netip.Addr`, and whatever others wrote.

use crate::{Fault, Put, Shape, Shaped, Sink, Source, Take, Why};
use std::ops::{Deref, DerefMut};

/// What is known of a type that makes bytes of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Marshals {
    /// Its name in Go, without the package.
    pub name: &'static str,
    /// By which pair of methods Go does it.
    pub by: Marshaler,
}

/// The methods by which a type of Go's makes bytes of itself. gob tells the two apart; it does not
/// ask types for `MarshalText`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Marshaler {
    /// `GobEncode` and `GobDecode`, which come first where a type has both pairs.
    Gob,
    /// `MarshalBinary` and `UnmarshalBinary`.
    Binary,
}

/// A type that makes bytes of itself, the same ones as its counterpart in Go.
///
/// ```
/// use farcall_core::{Marshal, Marshaler};
///
/// /// Go's `url.URL`.
/// #[derive(Clone, Debug, Default, PartialEq)]
/// struct Url(String);
///
/// impl Marshal for Url {
///     const NAME: &'static str = "URL";
///     const BY: Marshaler = Marshaler::Binary;
///
///     fn marshal(&self) -> Result<Vec<u8>, String> {
///         Ok(self.0.clone().into_bytes())
///     }
///
///     fn unmarshal(bytes: &[u8]) -> Result<Url, String> {
///         String::from_utf8(bytes.to_vec()).map(Url).map_err(|error| error.to_string())
///     }
/// }
/// ```
///
/// In a message it stands as [`Marshaled`]. Its `Default` is what a value becomes that is not
/// there: Go leaves out a field that is zero if its marshaling method is declared on the value, and
/// not on the pointer. It should be what Go's zero is.
pub trait Marshal: Default {
    /// The name of the type in Go, without the package. It is told, and never compared.
    const NAME: &'static str;
    /// By which pair of methods Go does it. A peer whose type has the other pair refuses the value.
    const BY: Marshaler;

    /// The bytes.
    ///
    /// # Errors
    ///
    /// A text for people, if this value has none. It becomes [`Why::Marshal`], and nothing is sent.
    fn marshal(&self) -> Result<Vec<u8>, String>;

    /// The value of such bytes, which a peer sent: anything may be in them.
    ///
    /// # Errors
    ///
    /// A text for people, if they are no value's. It becomes [`Why::Marshal`].
    fn unmarshal(bytes: &[u8]) -> Result<Self, String>;
}

/// A [`Marshal`] type as a value of messages, or as one by itself.
///
/// gob tells the peer that the type marshals itself, and by which methods. All other formats carry
/// the bytes as bytes: base64 text in JSON, bin in MessagePack, `bytes` in protobuf, and as they
/// are in raw bodies. (Go's own JSON and MessagePack may ask such types for other bytes than gob
/// does.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marshaled<T>(pub T);

impl<T> Deref for Marshaled<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Marshaled<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> From<T> for Marshaled<T> {
    fn from(value: T) -> Marshaled<T> {
        Marshaled(value)
    }
}

impl<T: Marshal> Shaped for Marshaled<T> {
    const SHAPE: Shape = Shape::Marshaled(&Marshals { name: T::NAME, by: T::BY });
}

impl<T: Marshal> Put for Marshaled<T> {
    /// Never left out: what its zero is, only the type knows.
    fn is_blank(&self) -> bool {
        false
    }
    fn put_to<S: Sink + ?Sized>(&self, _: &'static Shape, to: &mut S) {
        match self.0.marshal() {
            Ok(bytes) => to.bytes(&bytes),
            Err(said) => to.fail(refused::<T>(said)),
        }
    }
}

impl<T: Marshal> Take for Marshaled<T> {
    fn blank() -> Self {
        Marshaled(T::default())
    }
    fn take_from<S: Source + ?Sized>(
        &mut self,
        _: &'static Shape,
        from: &mut S,
    ) -> Result<(), Fault> {
        self.0 = match from.none()? {
            true => T::default(),
            false => T::unmarshal(from.bytes()?).map_err(refused::<T>)?,
        };
        Ok(())
    }
}

#[cold]
fn refused<T: Marshal>(said: String) -> Fault {
    Fault::new(Why::Marshal { of: T::NAME, said })
}
