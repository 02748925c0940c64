//! The scalars of the schema for which prost and serde have no type: points and lengths of time,
//! and bytes. Everything is computed the plain way, so that it shares nothing with farcall's.

use super::values::Twin;
use bytes::Bytes;
use farcall::Timestamp;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
};
use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// `google.protobuf.Timestamp` and `google.protobuf.Duration`, which look the same.
#[derive(prost::Message, Clone, PartialEq)]
pub(super) struct PbSpan {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

impl Twin<PbSpan> for Timestamp {
    fn twin(&self) -> PbSpan {
        PbSpan { seconds: self.seconds, nanos: self.nanos as i32 }
    }
}

impl Twin<PbSpan> for SystemTime {
    fn twin(&self) -> PbSpan {
        Timestamp::from(*self).twin()
    }
}

impl Twin<PbSpan> for Duration {
    fn twin(&self) -> PbSpan {
        PbSpan { seconds: self.as_secs() as i64, nanos: self.subsec_nanos() as i32 }
    }
}

macro_rules! left_out_at_zero {
    ($($type:ty)*) => { $(
        /// As a field they are left out at zero, as scalars are, though protobuf has them as
        /// messages.
        impl Twin<Option<PbSpan>> for $type {
            fn twin(&self) -> Option<PbSpan> {
                let span: PbSpan = self.twin();
                (span != PbSpan::default()).then_some(span)
            }
        }
    )* };
}
left_out_at_zero! { Timestamp SystemTime Duration }

/// Bytes: base64 in JSON.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Blob(Vec<u8>);

impl Twin<Blob> for Vec<u8> {
    fn twin(&self) -> Blob {
        Blob(self.clone())
    }
}

impl Twin<Blob> for Bytes {
    fn twin(&self) -> Blob {
        Blob(self.to_vec())
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The slow way, bit by bit, so that it shares nothing with farcall's.
fn to_base64(bytes: &[u8]) -> String {
    let bits: Vec<u8> = bytes.iter().flat_map(|b| (0..8).rev().map(move |i| b >> i & 1)).collect();
    let number = |six: &[u8]| (0..6).fold(0, |n, i| n << 1 | six.get(i).copied().unwrap_or(0));
    let mut text: String =
        bits.chunks(6).map(|six| ALPHABET[usize::from(number(six))] as char).collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bits = Vec::new();
    for letter in text.trim_end_matches('=').bytes() {
        let six = ALPHABET.iter().position(|l| *l == letter)?;
        bits.extend((0..6).rev().map(|i| (six >> i & 1) as u8));
    }
    Some(bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |n, bit| n << 1 | bit)).collect())
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match to.is_human_readable() {
            true => to.serialize_str(&to_base64(&self.0)),
            false => to.serialize_bytes(&self.0),
        }
    }
}

/// Bytes as they are; the content of an extension does not know in which format it stands.
struct Raw(Vec<u8>);

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Raw, D::Error> {
        from.deserialize_bytes(Binary).map(|Blob(bytes)| Raw(bytes))
    }
}

struct Binary;

impl<'de> Visitor<'de> for Binary {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Blob, E> {
        Ok(Blob(bytes.to_vec()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Blob, E> {
        from_base64(text).map(Blob).ok_or_else(|| E::custom("not base64"))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Blob, D::Error> {
        match from.is_human_readable() {
            true => from.deserialize_str(Binary),
            false => from.deserialize_bytes(Binary),
        }
    }
}

/// Go's `[4]byte`: a list of numbers in JSON, bytes in MessagePack.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Four([u8; 4]);

impl Twin<Four> for [u8; 4] {
    fn twin(&self) -> Four {
        Four(*self)
    }
}

impl Serialize for Four {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match to.is_human_readable() {
            true => self.0.serialize(to),
            false => to.serialize_bytes(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Four {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Four, D::Error> {
        if from.is_human_readable() {
            return Deserialize::deserialize(from).map(Four);
        }
        let Blob(bytes) = Deserialize::deserialize(from)?;
        bytes.try_into().map(Four).map_err(|_| D::Error::custom("not four bytes"))
    }
}

/// RFC 3339 in JSON, the extension -1 in MessagePack.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Time {
    seconds: i64,
    nanos: u32,
}

impl Twin<Time> for Timestamp {
    fn twin(&self) -> Time {
        Time { seconds: self.seconds, nanos: self.nanos }
    }
}

impl Twin<Time> for SystemTime {
    fn twin(&self) -> Time {
        Timestamp::from(*self).twin()
    }
}

/// The days of a year, or before a month of it: counted, not computed.
fn days(year: i64, months: usize) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if leap { 29 } else { 28 };
    [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][..months].iter().sum()
}

impl Time {
    fn to_text(self) -> String {
        // Counted from the year 1; four hundred years are always as long.
        let mut day = (self.seconds + 62_135_596_800).div_euclid(86_400);
        let second = (self.seconds + 62_135_596_800).rem_euclid(86_400);
        let mut year = 1 + day / 146_097 * 400;
        day %= 146_097;
        while day >= days(year, 12) {
            day -= days(year, 12);
            year += 1;
        }
        let month = (1..=12).find(|m| day < days(year, *m)).unwrap_or(12);
        let day = day - days(year, month - 1) + 1;
        let (hour, minute) = (second / 3600, second / 60 % 60);
        let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}");
        text += &format!(":{:02}", second % 60);
        if self.nanos > 0 {
            text += format!(".{:09}", self.nanos).trim_end_matches('0');
        }
        text + "Z"
    }

    fn from_text(text: &str) -> Option<Time> {
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let fraction = text.get(19..)?.strip_suffix('Z')?.trim_start_matches('.');
        let nanos = format!("{fraction:0<9}").parse().ok()?;
        let eras = (year - 1) / 400;
        let years: i64 = (1 + eras * 400..year).map(|y| days(y, 12)).sum();
        let day = eras * 146_097 + years + days(year, usize::try_from(month).ok()? - 1) + day - 1;
        let seconds = day * 86_400 + hour * 3600 + minute * 60 + second - 62_135_596_800;
        Some(Time { seconds, nanos })
    }

    fn to_extension(self) -> Vec<u8> {
        let (seconds, nanos) = (self.seconds, self.nanos);
        if seconds >> 34 != 0 {
            return [&nanos.to_be_bytes()[..], &seconds.to_be_bytes()].concat();
        }
        let both = u64::from(nanos) << 34 | seconds as u64;
        match u32::try_from(both) {
            Ok(seconds) => seconds.to_be_bytes().to_vec(),
            Err(_) => both.to_be_bytes().to_vec(),
        }
    }

    fn from_extension(bytes: &[u8]) -> Option<Time> {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b));
        match bytes.len() {
            4 => Some(Time { seconds: number(bytes) as i64, nanos: 0 }),
            8 => {
                let both = number(bytes);
                Some(Time { seconds: (both % (1 << 34)) as i64, nanos: (both >> 34) as u32 })
            }
            12 => {
                let (nanos, seconds) = bytes.split_at(4);
                Some(Time { seconds: number(seconds) as i64, nanos: number(nanos) as u32 })
            }
            _ => None,
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match to.is_human_readable() {
            true => to.serialize_str(&self.to_text()),
            false => to.serialize_newtype_struct(
                rmp_serde::MSGPACK_EXT_STRUCT_NAME,
                &(-1_i8, Raw(self.to_extension())),
            ),
        }
    }
}

struct Clock;

impl<'de> Visitor<'de> for Clock {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        Time::from_text(text).ok_or_else(|| E::custom("not RFC 3339"))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Time, D::Error> {
        from.deserialize_tuple(2, self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Time, A::Error> {
        let (kind, bytes) = (seq.next_element::<i8>()?, seq.next_element::<Raw>()?);
        match (kind, bytes.and_then(|Raw(bytes)| Time::from_extension(&bytes))) {
            (Some(-1), Some(time)) => Ok(time),
            _ => Err(A::Error::custom("not a timestamp")),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
        match from.is_human_readable() {
            true => from.deserialize_str(Clock),
            false => from.deserialize_newtype_struct(rmp_serde::MSGPACK_EXT_STRUCT_NAME, Clock),
        }
    }
}
