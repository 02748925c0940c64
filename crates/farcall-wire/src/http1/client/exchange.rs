//! Requests out, answers in, in the same order: what everything that calls over HTTP/1.1 shares.

use super::head::{Head, Length, Reader};
use crate::http1::{
    Broken,
    body::Chunks,
    head::{Bounds, walk},
    plan,
};
use bytes::{Buf, Bytes, BytesMut};
use farcall_core::{Limits, Meta};
use std::collections::VecDeque;

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The number of the call that it answers.
    pub(crate) seq: u64,
    pub(super) head: Head,
    bytes: Bytes,
    pub(crate) body: Bytes,
}

/// One connection's requests and answers.
#[derive(Debug)]
pub(crate) struct Exchange {
    state: State,
    /// The calls whose answers have not come, oldest first. The machine bounds how many there are.
    asked: VecDeque<u64>,
    /// Answers 1xx since the last that counted.
    interim: usize,
    /// Nothing is read behind the last answer.
    last: bool,
    bounds: Bounds,
    message_bytes: usize,
}

#[derive(Debug)]
enum State {
    Head(Reader),
    Body { head: Head, bytes: Bytes, rest: Rest },
}

#[derive(Debug)]
enum Rest {
    Fixed(usize),
    Chunked(Chunks),
    Close(BytesMut),
}

/// What [`Exchange::next`] found.
#[derive(Debug)]
pub(crate) enum Step {
    Answer(Answer),
    /// This many more bytes are needed, as far as can be told; 0 when no answer has begun.
    Need(usize),
    /// The connection ends here.
    Closing,
}

/// Answers 1xx that are let pass before one that counts; nothing bounds them but this.
const INTERIM: usize = 16;

impl Exchange {
    pub(crate) fn new(limits: &Limits) -> Exchange {
        Exchange {
            state: State::Head(Reader::default()),
            asked: VecDeque::new(),
            interim: 0,
            last: false,
            bounds: Bounds::new(limits),
            message_bytes: limits.message_bytes,
        }
    }

    /// A request was written.
    pub(crate) fn asked(&mut self, seq: u64) {
        self.asked.push_back(seq);
    }

    /// Takes at most one answer off the input.
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Result<Step, Broken> {
        loop {
            if self.last {
                input.clear();
                return Ok(Step::Closing);
            }
            match &mut self.state {
                State::Head(_) if input.is_empty() => return Ok(Step::Need(0)),
                State::Head(_) if self.asked.is_empty() => return Err(Broken::Unasked),
                State::Head(reader) => {
                    let Some((head, end)) = reader.read(input, self.bounds)? else {
                        return Ok(Step::Need(1));
                    };
                    let bytes = input.split_to(end).freeze();
                    self.begin(head, bytes)?;
                }
                State::Body { rest, .. } => {
                    let (body, need) = read(rest, input, self.message_bytes)?;
                    let Some(body) = body else { return Ok(Step::Need(need)) };
                    if let Some(answer) = self.complete(body) {
                        return Ok(Step::Answer(answer));
                    }
                }
            }
        }
    }

    /// The stream has ended: an answer may end there.
    pub(crate) fn ended(&mut self) -> Option<Answer> {
        let State::Body { rest: Rest::Close(body), .. } = &mut self.state else { return None };
        let body = std::mem::take(body).freeze();
        self.complete(body)
    }

    /// Part of an answer is there.
    pub(crate) fn midway(&self) -> bool {
        matches!(self.state, State::Body { .. })
    }

    fn begin(&mut self, head: Head, bytes: Bytes) -> Result<(), Broken> {
        match head.status {
            101 => return Err(Broken::Switched),
            100..200 => {
                self.interim += 1;
                if self.interim > INTERIM {
                    return Err(Broken::InterimMany { limit: INTERIM });
                }
                self.state = State::Head(Reader::default());
                return Ok(());
            }
            _ => self.interim = 0,
        }
        let limit = self.message_bytes;
        let rest = match head.length {
            Length::Fixed(length) if length > limit as u64 => {
                return Err(Broken::BodyLong { limit });
            }
            Length::Fixed(length) => Rest::Fixed(length as usize),
            Length::Chunked => Rest::Chunked(Chunks::new(limit, self.bounds)),
            Length::Close => Rest::Close(BytesMut::new()),
        };
        self.state = State::Body { head, bytes, rest };
        Ok(())
    }

    fn complete(&mut self, body: Bytes) -> Option<Answer> {
        let state = std::mem::replace(&mut self.state, State::Head(Reader::default()));
        let (State::Body { head, bytes, .. }, Some(seq)) = (state, self.asked.pop_front()) else {
            return None;
        };
        self.last = !head.persists();
        Some(Answer { seq, head, bytes, body })
    }
}

/// The body, once it is there; or how many bytes are missing.
fn read(
    rest: &mut Rest,
    input: &mut BytesMut,
    limit: usize,
) -> Result<(Option<Bytes>, usize), Broken> {
    Ok(match rest {
        Rest::Fixed(0) => (Some(Bytes::new()), 0),
        Rest::Fixed(left) if *left > input.len() => (None, *left - input.len()),
        Rest::Fixed(left) => (Some(input.split_to(*left).freeze()), 0),
        Rest::Chunked(chunks) => match chunks.read(input, true)? {
            true => (Some(std::mem::take(&mut chunks.body).freeze()), 0),
            false => (None, chunks.need()),
        },
        Rest::Close(body) => {
            if body.len() + input.len() > limit {
                return Err(Broken::BodyLong { limit });
            }
            if body.is_empty() {
                std::mem::swap(body, input);
            } else {
                body.extend_from_slice(input);
                input.advance(input.len());
            }
            (None, 1)
        }
    })
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.status
    }

    /// `404 Not Found`; invalid UTF-8 is replaced.
    pub(crate) fn line(&self) -> String {
        let line = self.bytes.get(self.head.line.clone()).unwrap_or_default();
        String::from_utf8_lossy(line).trim_end().to_owned()
    }

    /// `Content-Encoding`, unless it says nothing.
    pub(crate) fn encoding(&self) -> Option<&[u8]> {
        self.bytes.get(self.head.encoding.clone()?)
    }

    /// The fields, and the pairs in `X-Meta` behind them.
    pub(crate) fn meta(&self) -> Meta {
        let fields = self.bytes.slice(self.head.fields.clone());
        match self.head.meta {
            false => Meta::new(fields, walk),
            true => Meta::new(unpack(&fields), walk_unpacked),
        }
    }
}

/// Fields and the pairs of `X-Meta` as pairs of counted texts: a value that was decoded stands
/// nowhere in the head.
#[cold]
fn unpack(fields: &[u8]) -> Bytes {
    let mut block = Vec::with_capacity(2 * fields.len());
    let mut put = |key: &[u8], value: &[u8]| {
        for part in [key, value] {
            block.extend_from_slice(&(part.len() as u32).to_be_bytes());
            block.extend_from_slice(part);
        }
    };
    walk(fields, &mut |key, value| {
        if key == b"x-meta" {
            for pair in value.split(|b| *b == b'&') {
                let at = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
                let (key, value) = (&pair[..at], pair.get(at + 1..).unwrap_or_default());
                put(&plan::decode(key), &plan::decode(value));
            }
        } else {
            put(key, value);
        }
        true
    });
    block.into()
}

fn walk_unpacked(mut block: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) {
    let mut next = || {
        let (length, rest) = block.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        block = rest;
        Some(part)
    };
    while let (Some(key), Some(value)) = (next(), next()) {
        if !each(key, value) {
            return;
        }
    }
}
