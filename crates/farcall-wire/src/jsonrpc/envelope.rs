//! The members of a request or a reply, as places in its frame.

use crate::format::json::unquote;
use bytes::Bytes;

/// A member that means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Member {
    JsonRpc,
    Method,
    Params,
    Id,
    Result,
    Error,
}

const NAMES: [(&[u8], Member); 6] = [
    (b"jsonrpc", Member::JsonRpc),
    (b"method", Member::Method),
    (b"params", Member::Params),
    (b"id", Member::Id),
    (b"result", Member::Result),
    (b"error", Member::Error),
];

impl Member {
    /// The member of a key, quotes included. As in Go's `encoding/json`, case does not matter.
    #[inline]
    pub(super) fn of(key: &[u8], escaped: bool) -> Option<Member> {
        if escaped {
            // No name is longer than seven characters, and no escape than six bytes.
            let key = if key.len() <= 2 + 7 * 6 { unquote(key)? } else { return None };
            return Member::named(key.as_bytes());
        }
        Member::named(&key[1..key.len() - 1])
    }

    #[inline]
    fn named(name: &[u8]) -> Option<Member> {
        let found = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, member)| *member)
    }
}

/// The members of one object. Offsets are into its frame.
#[derive(Clone, Copy, Default)]
pub(super) struct Envelope {
    /// The first byte of the value: `{` for an object.
    first: u8,
    /// One bit for every member that was there, and whether one was there twice.
    seen: u8,
    twice: bool,
    places: [(u32, u32); 6],
}

impl Envelope {
    /// A value that begins with this byte.
    pub(super) fn new(first: u8) -> Envelope {
        Envelope { first, ..Envelope::default() }
    }

    /// Notes where a member's value lies; the last one counts.
    #[inline]
    pub(super) fn put(&mut self, member: Member, start: usize, end: usize) {
        let bit = 1 << member as u8;
        self.twice |= self.seen & bit != 0;
        self.seen |= bit;
        self.places[member as usize] = (start as u32, end as u32);
    }

    pub(super) fn is_object(&self) -> bool {
        self.first == b'{'
    }

    /// Whether a member came twice: a request that two readers may understand differently.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.twice
    }

    #[inline]
    pub(super) fn has(&self, member: Member) -> bool {
        self.seen & 1 << member as u8 != 0
    }

    /// The text of a member's value.
    #[inline]
    pub(super) fn get<'a>(&self, member: Member, frame: &'a [u8]) -> Option<&'a [u8]> {
        let (start, end) = self.places[member as usize];
        if self.has(member) { frame.get(start as usize..end as usize) } else { None }
    }

    /// The same, unless it is null.
    #[inline]
    pub(super) fn some<'a>(&self, member: Member, frame: &'a [u8]) -> Option<&'a [u8]> {
        self.get(member, frame).filter(|text| *text != b"null")
    }

    /// The text of a member's value, sharing the frame.
    pub(super) fn share(&self, member: Member, frame: &Bytes) -> Bytes {
        self.get(member, frame).map(|text| frame.slice_ref(text)).unwrap_or_default()
    }
}
