//! `Arith.Mul` on hyper: one task per connection, as its guide shows.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use load::Fallible;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Args {
    #[serde(rename = "A")]
    a: i64,
    #[serde(rename = "B")]
    b: i64,
}

#[derive(Serialize)]
struct Reply {
    #[serde(rename = "C")]
    c: i64,
}

/// Serves until it is told to end.
pub(crate) async fn serve(addr: &str) -> Fallible<()> {
    let listener = TcpListener::bind(addr).await?;
    println!("listening on {}", listener.local_addr()?);
    let mut end = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted?.0,
            _ = end.recv() => return Ok(()),
        };
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let mut builder = http1::Builder::new();
            // Peers that are too slow are closed, as by ours.
            builder.timer(TokioTimer::new()).pipeline_flush(true);
            // A connection that breaks is the client's to tell.
            let _ = builder.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let reply = match (request.method(), request.uri().path()) {
        (&Method::POST, "/Arith/Mul") => match request.into_body().collect().await {
            Ok(body) => mul(&body.to_bytes()),
            Err(_) => refused(StatusCode::BAD_REQUEST),
        },
        _ => refused(StatusCode::NOT_FOUND),
    };
    Ok(reply)
}

fn mul(body: &[u8]) -> Response<Full<Bytes>> {
    let Ok(args) = serde_json::from_slice::<Args>(body) else {
        return refused(StatusCode::BAD_REQUEST);
    };
    let reply = Reply { c: args.a.wrapping_mul(args.b) };
    let Ok(body) = serde_json::to_vec(&reply) else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    let json = header::HeaderValue::from_static("application/json");
    reply.headers_mut().insert(header::CONTENT_TYPE, json);
    reply
}

fn refused(status: StatusCode) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    reply
}
