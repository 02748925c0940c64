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

/// How to call a method whose types are known.
pub(crate) fn known(service: &str, method: &str) -> Option<Start> {
    Some(match (service, method) {
        ("Arith", "Mul") => start::<Args, Reply>,
        ("Arith", "Multiply") => start::<Args, i64>,
        ("Arith", "Divide") => start::<Args, Quotient>,
        ("HelloService", "SayHello") => start::<String, String>,
        ("Echo", "Echo") => start::<BenchmarkMessage, BenchmarkMessage>,
        ("Echo", "Bytes") => start::<Bytes, Bytes>,
        ("Echo", "Kinds") => start::<Kinds, Kinds>,
        ("Echo", "Sleep") => start::<SleepArgs, ()>,
        ("Echo", "Fail") => start::<FailArgs, ()>,
        ("Echo", "Panic" | "Meta") => start::<(), ()>,
        _ => return None,
    })
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
