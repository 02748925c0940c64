//! JSON-RPC as the body of a request of another protocol: one message, and one answer to it.
//!
//! Source: "JSON-RPC over HTTP" is no standard; what is done here is what its servers agree on. A
//! call has one answer, a batch has one for all, and notifications have none.

use super::{
    Broken, errors,
    scan::Cut,
    server::{NOBODY, Refusal, Server},
    space,
};
use crate::{Event, Mark, Out, ReplyHead, Wire};
use bytes::{Buf, Bytes, BytesMut};
use farcall_core::{Found, Limits, Routes, Status, Ticket};

/// Whose conventions hold where the specification is silent, or was not heeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Face {
    /// Those of this crate.
    #[default]
    Ours,
    /// Those of Go's rpcx server (`server/jsonrpc2.go`): always 2.0, also without a version; null
    /// is no id; what fails behind the envelope is -32603.
    Rpcx,
}

/// One message that was posted, until it is answered.
pub(crate) struct Post {
    server: Server,
    /// Its calls are answered in one array.
    batch: bool,
    /// The calls of a batch were not all looked at yet.
    more: bool,
    /// What was said without calling anybody.
    said: Vec<u8>,
}

/// What the end of one call's answer means for the whole.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It is the answer, and stands where it was written.
    Here,
    /// Others are still due; what was written is kept.
    Kept,
    /// It was the last, and this is the answer.
    Whole(Vec<u8>),
}

impl Post {
    pub(crate) fn new(limits: &Limits) -> Post {
        let mut server = Server::new(limits);
        server.open.kept = Some(Vec::new());
        Post { server, batch: false, more: false, said: Vec::new() }
    }

    /// Whether it can be used for another message.
    pub(crate) fn is_spare(&self) -> bool {
        let server = &self.server;
        server.scan.fresh() && server.open.is_empty() && server.batch.is_none()
    }

    /// Reads the message, which is all of `body`.
    pub(crate) fn start(
        &mut self,
        face: Face,
        body: Bytes,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
        most: usize,
    ) {
        self.server.face = face;
        (self.batch, self.more) = (false, false);
        let mut out = Out::new();
        let input = &mut BytesMut::from(body);
        // Whatever is wrong was said in the answer; nothing is broken beyond it.
        let _ = self.message(input, &mut out, routes, events);
        self.said.append(out.tail());
        if self.batch {
            self.go_on(routes, events, most);
        }
    }

    fn message(
        &mut self,
        input: &mut BytesMut,
        out: &mut Out,
        routes: &dyn Routes,
        events: &mut Vec<Event>,
    ) -> Result<(), Broken> {
        let server = &mut self.server;
        input.advance(space(input));
        let (code, text) = match server.scan.run(input) {
            Ok(Some((length, cut))) => {
                let frame = input.split_to(length).freeze();
                if space(input) == input.len() {
                    match cut {
                        Cut::One(envelope) => {
                            return server.serve(&envelope, &frame, None, out, routes, events);
                        }
                        Cut::Batch(calls, count) => {
                            server.begin_batch(frame, calls, count, out);
                            self.batch = server.batch.is_some();
                            return Ok(());
                        }
                    }
                }
                (errors::PARSE, "something follows the message".to_owned())
            }
            Ok(None) if input.is_empty() => (errors::PARSE, "the body is empty".to_owned()),
            Ok(None) => (errors::PARSE, "the body ends within the message".to_owned()),
            Err(broken @ Broken::Syntax { .. }) => (errors::PARSE, broken.to_string()),
            Err(broken) => (errors::INVALID, broken.to_string()),
        };
        server.refuse(&NOBODY, &Refusal::new(code, text), out);
        Ok(())
    }

    /// Looks at more calls of a batch, at most `most`.
    pub(crate) fn go_on(&mut self, routes: &dyn Routes, events: &mut Vec<Event>, most: usize) {
        let full = events.len().saturating_add(most);
        let mut out = Out::new();
        let all = self.server.members(full, usize::MAX, &mut out, routes, events);
        self.more = matches!(all, Ok(false));
    }

    /// Whether calls of a batch wait to be looked at.
    pub(crate) fn has_more(&self) -> bool {
        self.more
    }

    /// The answer, once nobody is waited for; empty if none is wanted.
    pub(crate) fn said(&mut self) -> Option<Vec<u8>> {
        if self.more || !self.server.open.is_empty() {
            return None;
        }
        let kept = self.server.open.kept.as_mut().map(std::mem::take).unwrap_or_default();
        let said = std::mem::take(&mut self.said);
        Some(if said.is_empty() { kept } else { said })
    }

    /// Whether the answers of its calls are collected, so that none is written at once.
    pub(crate) fn is_batch(&self) -> bool {
        self.batch
    }

    /// Opens the answer to one call, whose slot was its ticket's number.
    pub(crate) fn begin(&mut self, slot: u64, head: &ReplyHead<'_>, out: &mut Out) -> Mark {
        let ticket = Ticket { seq: slot, ..*head.ticket };
        let head = ReplyHead { ticket: &ticket, ..*head };
        self.server.begin(crate::Head::Reply(head), out)
    }

    /// Closes it.
    pub(crate) fn end(&mut self, mark: Mark, out: &mut Out) -> Ended {
        self.server.end(mark, out);
        match self.batch {
            false => Ended::Here,
            true => self.said().map_or(Ended::Kept, Ended::Whole),
        }
    }

    /// The failure of a call whose method does not exist.
    pub(crate) fn unknown(&self, found: Found, service: &str, method: &str) -> Status {
        match self.server.face {
            Face::Ours => self.server.unknown(found, service, method),
            Face::Rpcx => crate::rpcx::unknown(found, service, method),
        }
    }
}
