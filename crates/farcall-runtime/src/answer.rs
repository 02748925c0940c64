//! How an intercepted call ended, on either side: what an interceptor gets back and gives on.

use bytes::Bytes;
use farcall_core::{Body, Bounds, Compress, Fault, Format, Meta, Put, Shape, Status, Take};
use farcall_wire::{Codec, Known, compress, format};
use std::{fmt, future::Future, pin::Pin, sync::Arc};

/// How an intercepted call ended. A [`Status`] becomes one by `into()`.
pub struct Answer {
    pub(crate) outcome: Result<Given, Status>,
    /// Metadata that a server sends back with it.
    pub(crate) set: Vec<(String, String)>,
}

/// What was answered.
pub(crate) enum Given {
    /// One result.
    Value(Box<Encoded>),
    /// A stream: on a server it is over, on a client it has begun.
    Items,
    /// Nothing, and nothing is wanted: a one-way call.
    Nothing,
}

/// A result as it is on the wire.
pub(crate) struct Encoded {
    pub(crate) format: Format,
    pub(crate) compress: Compress,
    pub(crate) body: Body,
    /// What came beside it.
    pub(crate) meta: Meta,
    /// For wires that describe types before values; none where they are none of ours.
    pub(crate) shape: Option<&'static Shape>,
    pub(crate) reading: Reading,
}

/// The limits within which bodies are read here.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(crate) bounds: Bounds,
    pub(crate) unfolded_bytes: usize,
    pub(crate) known: Option<Arc<Known>>,
}

/// An interceptor's future.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// An interceptor.
pub(crate) type Around<Call> = Box<dyn Fn(Call) -> Answering + Send + Sync>;

impl Answer {
    /// Why the call failed, if it did.
    pub fn status(&self) -> Option<&Status> {
        self.outcome.as_ref().err()
    }

    /// Whether the call went well.
    pub fn is_ok(&self) -> bool {
        self.outcome.is_ok()
    }

    /// The result, decoded once more: [`Value`](farcall_core::Value) or the method's own type.
    ///
    /// # Errors
    /// The call's failure; `InvalidArgument` where the result is not of that type;
    /// `FailedPrecondition` where there is no one result: a stream, a one-way call, and a server's
    /// answer over net/rpc, whose gob says its types beside it.
    pub fn decode<T: Take>(&self) -> Result<T, Status> {
        match &self.outcome {
            Err(status) => Err(status.clone()),
            Ok(Given::Value(given)) if given.format == Format::Gob && given.body.lent.is_none() => {
                Err(Status::failed_precondition("gob is not read where it was written"))
            }
            Ok(Given::Value(given)) => {
                given.reading.decode(given.format, given.compress, &given.body)
            }
            Ok(Given::Items | Given::Nothing) => {
                Err(Status::failed_precondition("the call has not one result"))
            }
        }
    }

    /// The metadata that came with a client's answer.
    pub fn meta(&self, key: &str) -> Option<String> {
        match &self.outcome {
            Ok(Given::Value(given)) => given.meta.get(key),
            _ => None,
        }
    }
}

impl From<Result<Given, Status>> for Answer {
    fn from(outcome: Result<Given, Status>) -> Answer {
        Answer { outcome, set: Vec::new() }
    }
}

impl From<Status> for Answer {
    fn from(status: Status) -> Answer {
        Answer { outcome: Err(status), set: Vec::new() }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Ok(_) => f.write_str("Answer"),
            Err(status) => f.debug_tuple("Answer").field(status).finish(),
        }
    }
}

impl Reading {
    /// Unfolds a body.
    pub(crate) fn plain(&self, compress: Compress, bytes: &Bytes) -> Result<Bytes, Status> {
        let plain = match (compress, &self.known) {
            (Compress::Other(_), Some(known)) => {
                known.compressors.unfold(compress, bytes, self.unfolded_bytes)
            }
            _ => compress::unfold(compress, bytes.clone(), self.unfolded_bytes),
        };
        plain.map_err(|e| Status::invalid_argument(e.to_string()))
    }

    /// The codec of a format that is not built in.
    pub(crate) fn codec(&self, format: Format) -> Option<&dyn Codec> {
        self.known.as_ref()?.codec(format)
    }

    /// Writes a body.
    pub(crate) fn encode<T: Put>(&self, format: Format, value: &T) -> Result<Bytes, Fault> {
        let mut out = Vec::new();
        match self.codec(format) {
            Some(codec) => codec.put(value, self.bounds, &mut out),
            None => format::encode(format, value, self.bounds, &mut out),
        }?;
        Ok(out.into())
    }

    /// Unfolds and decodes a body.
    pub(crate) fn decode<T: Take>(
        &self,
        format: Format,
        compress: Compress,
        body: &Body,
    ) -> Result<T, Status> {
        let bytes = self.plain(compress, &body.bytes)?;
        let read = match self.codec(format) {
            Some(codec) => codec.take(&bytes, self.bounds),
            None => format::decode(format, &bytes, body.lent.as_ref(), self.bounds),
        };
        read.map_err(|fault| {
            Status::invalid_argument(format!("the {format} body cannot be read: {fault}"))
        })
    }
}
