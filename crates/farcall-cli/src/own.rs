//! A message of what Go has of its own: complex numbers, types that marshal themselves, and maps
//! with structs, arrays and such types for keys; laid out as the Go peer's.

use crate::kinds::Inner;
use farcall::{Complex, Marshal, Marshaled, Marshaler, Message};
use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// What it holds comes back from `Echo.Own`.
#[derive(Message, Clone, Debug, PartialEq)]
#[message(go_names)]
#[allow(missing_docs, reason = "the names are the kinds")]
pub struct Own {
    #[field(name = "C64")]
    pub c64: Complex,
    #[field(name = "C128")]
    pub c128: Complex,
    pub many: Vec<Complex>,
    pub big: Option<Marshaled<BigInt>>,
    pub bigs: Vec<Marshaled<BigInt>>,
    pub addr: Marshaled<Addr>,
    #[field(name = "URL")]
    pub url: Option<Marshaled<Url>>,
    pub by_inner: BTreeMap<Inner, String>,
    pub by_pair: HashMap<[i64; 2], bool>,
    pub by_addr: HashMap<Marshaled<Addr>, Complex>,
    pub nested: BTreeMap<Inner, BTreeMap<[i64; 2], Vec<Inner>>>,
}

/// Go's `big.Int`: a sign, and the digits of its magnitude, the most significant first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BigInt {
    /// Below zero.
    pub negative: bool,
    /// Base 256, no zeros in front.
    pub magnitude: Vec<u8>,
}

/// `math/big`, `intmarsh.go`: a byte of version 1 and, in its lowest bit, the sign; the magnitude.
impl Marshal for BigInt {
    const NAME: &'static str = "Int";
    const BY: Marshaler = Marshaler::Gob;

    fn marshal(&self) -> Result<Vec<u8>, String> {
        Ok([&[1 << 1 | u8::from(self.negative)], &self.magnitude[..]].concat())
    }

    fn unmarshal(bytes: &[u8]) -> Result<BigInt, String> {
        match bytes {
            [] => Ok(BigInt::default()),
            [first @ 2..=3, magnitude @ ..] => {
                Ok(BigInt { negative: first & 1 == 1, magnitude: magnitude.to_vec() })
            }
            [first, ..] => Err(format!("version {} is not known", first >> 1)),
        }
    }
}

/// Go's `netip.Addr`, without zones. Its zero is no address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Addr(pub Option<IpAddr>);

/// `net/netip`: no byte, 4 or 16.
impl Marshal for Addr {
    const NAME: &'static str = "Addr";
    const BY: Marshaler = Marshaler::Binary;

    fn marshal(&self) -> Result<Vec<u8>, String> {
        Ok(match self.0 {
            None => Vec::new(),
            Some(IpAddr::V4(v4)) => v4.octets().to_vec(),
            Some(IpAddr::V6(v6)) => v6.octets().to_vec(),
        })
    }

    fn unmarshal(bytes: &[u8]) -> Result<Addr, String> {
        if bytes.is_empty() {
            Ok(Addr(None))
        } else if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
            Ok(Addr(Some(Ipv4Addr::from(v4).into())))
        } else if let Ok(v6) = <[u8; 16]>::try_from(bytes) {
            Ok(Addr(Some(Ipv6Addr::from(v6).into())))
        } else {
            Err(format!("no address has {} bytes", bytes.len()))
        }
    }
}

/// Go's `url.URL`: its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url(pub String);

impl Marshal for Url {
    const NAME: &'static str = "URL";
    const BY: Marshaler = Marshaler::Binary;

    fn marshal(&self) -> Result<Vec<u8>, String> {
        Ok(self.0.clone().into_bytes())
    }

    fn unmarshal(bytes: &[u8]) -> Result<Url, String> {
        String::from_utf8(bytes.to_vec()).map(Url).map_err(|error| error.to_string())
    }
}

impl Own {
    /// Something in every field.
    pub fn sample() -> Own {
        let inner = |x: i64, y: &str| Inner { x, y: y.to_owned() };
        let big = |negative, magnitude: &[u8]| {
            Marshaled(BigInt { negative, magnitude: magnitude.to_vec() })
        };
        let v4 = Marshaled(Addr(Some(Ipv4Addr::LOCALHOST.into())));
        let v6 = Marshaled(Addr(Some(Ipv6Addr::LOCALHOST.into())));
        Own {
            c64: Complex { re: 1.5, im: -2.5 },
            c128: Complex { re: f64::MAX, im: -0.1 },
            many: vec![Complex::default(), Complex { re: f64::INFINITY, im: f64::MIN_POSITIVE }],
            big: Some(big(true, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 255])),
            bigs: vec![big(false, &[7]), big(false, &[])],
            addr: v4,
            url: Some(Marshaled(Url("https://user:pass@host:8/path?q=1#f".to_owned()))),
            by_inner: [(inner(1, "one"), "a".to_owned()), (inner(0, ""), String::new())].into(),
            by_pair: [([1, -2], true), ([0, 0], false)].into(),
            by_addr: [(v6, Complex { re: 1.0, im: 0.0 }), (v4, Complex::default())].into(),
            nested: [(inner(2, "x"), [([3, 4], vec![inner(5, "y")]), ([3, 5], vec![])].into())]
                .into(),
        }
    }
}
