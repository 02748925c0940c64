//! The example services' types, for `farcall call` in a format that needs them: protobuf cannot be
//! read or written without knowing what a field's number means.

use crate::{kinds::Kinds, message581::BenchmarkMessage, services::*};
use bytes::Bytes;
use farcall::{
    Bounds, Client, Fault, Format, Meta, Put, Status, Take, Value,
    format::{decode_within, encode_to_vec},
};
use std::pin::Pin;

/// A call on its way; nothing comes back from a one-way call.
pub(crate) type Answer<T> = Pin<Box<dyn Future<Output = Result<Option<(T, Meta)>, Status>> + Send>>;

/// Starts a call of the method with the argument that this JSON describes.
pub(crate) type Start = fn(&Client, &str, &Bytes, oneway: bool) -> Result<Answer<Value>, Fault>;

/// A method whose types are known.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    /// Starts a call.
    pub(crate) start: Start,
    /// The bytes that an argument takes in a format.
    pub(crate) size: fn(Format, &Bytes) -> Result<usize, Fault>,
}

/// How to call a method whose types are known.
pub(crate) fn known(service: &str, method: &str) -> Option<Known> {
    Some(match (service, method) {
        ("Arith", "Mul") => both::<Args, Reply>(),
        ("Arith", "Multiply") => both::<Args, i64>(),
        ("Arith", "Divide") => both::<Args, Quotient>(),
        ("HelloService", "SayHello") => both::<String, String>(),
        ("Echo", "Echo") => both::<BenchmarkMessage, BenchmarkMessage>(),
        ("Echo", "Bytes") => both::<Bytes, Bytes>(),
        ("Echo", "Kinds") => both::<Kinds, Kinds>(),
        ("Echo", "Sleep") => both::<SleepArgs, ()>(),
        ("Echo", "Fail") => both::<FailArgs, ()>(),
        ("Echo", "Panic" | "Meta") => both::<(), ()>(),
        _ => return None,
    })
}

const fn both<Req, Resp>() -> Known
where
    Req: Put + Take + Send + 'static,
    Resp: Put + Take + Send + 'static,
{
    Known { start: start::<Req, Resp>, size: size::<Req> }
}

fn size<Req: Put + Take>(format: Format, text: &Bytes) -> Result<usize, Fault> {
    let request: Req = decode_within(Format::Json, text.clone(), Bounds::default())?;
    encode_to_vec(format, &request).map(|bytes| bytes.len())
}

fn start<Req, Resp>(
    client: &Client,
    name: &str,
    text: &Bytes,
    oneway: bool,
) -> Result<Answer<Value>, Fault>
where
    Req: Put + Take + Send + 'static,
    Resp: Put + Take + Send + 'static,
{
    let request: Req = decode_within(Format::Json, text.clone(), Bounds::default())?;
    let answer = send::<Req, Resp>(client, name, request, oneway);
    Ok(Box::pin(async move {
        let Some((reply, meta)) = answer.await? else { return Ok(None) };
        let value = to_value(&reply)
            .map_err(|fault| Status::internal(format!("the reply has no JSON form: {fault}")))?;
        Ok(Some((value, meta)))
    }))
}

/// Sends a call.
pub(crate) fn send<Req, Resp>(
    client: &Client,
    name: &str,
    request: Req,
    oneway: bool,
) -> Answer<Resp>
where
    Req: Put + Send + 'static,
    Resp: Take + Send + 'static,
{
    let call = client.call_as::<Req, Resp>(name, request);
    Box::pin(async move {
        match oneway {
            true => call.oneway().await.map(|()| None),
            false => call.with_meta().await.map(Some),
        }
    })
}

/// What a value looks like from outside.
pub(crate) fn to_value<T: Put>(value: &T) -> Result<Value, Fault> {
    let text = encode_to_vec(Format::Json, value)?;
    decode_within(Format::Json, text, Bounds::default())
}
