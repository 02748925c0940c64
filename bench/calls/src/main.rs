//! `calls`: a closed loop of typed calls through farcall's public client, as a user would write
//! them. Flags and the line of JSON at the end are those of `rpcx-peer bench-client`.

use bytes::Bytes;
use farcall::{ClientBuilder, Format, ServiceClient};
use farcall_cli::{
    message581::BenchmarkMessage,
    services::{Args, ArithClient, EchoClient},
};
use load::{Caller, Fallible, Flags, Payload, Report, closed_loop, exit, on_tokio};
use std::process::ExitCode;

fn main() -> ExitCode {
    exit(Flags::parse(std::env::args().skip(1)).and_then(|mut flags| {
        flags.before_park = farcall::before_park;
        let report = on_tokio(flags.workers, load(&flags))?;
        println!("{report}");
        Ok(())
    }))
}

/// Opens the connections and lets the callers share them in turn.
async fn load(flags: &Flags) -> Fallible<Report> {
    let format = match flags.codec.as_str() {
        "protobuf" | "pb" => Format::Protobuf,
        "json" => Format::Json,
        "msgpack" => Format::MsgPack,
        other => return Err(format!("-codec {other}: protobuf, json or msgpack").into()),
    };
    let url = match flags.protocol.as_str() {
        "rpcx" if let Some(ca) = &flags.ca => {
            format!("rpcx+tls://{}?ca={}", flags.addr, ca.replace('/', "%2F"))
        }
        "rpcx" => format!("rpcx://{}", flags.addr),
        "netrpc" => format!("netrpc://{}", flags.addr),
        "jsonrpc" => format!("jsonrpc://{}?version=1", flags.addr),
        other => return Err(format!("-protocol {other}: rpcx, netrpc or jsonrpc").into()),
    };
    match flags.payload {
        Payload::Tiny => {
            let format = (flags.protocol == "rpcx").then_some(format);
            let clients = connect(flags, || ArithClient::builder(&url), format).await?;
            match flags.protocol.as_str() {
                "rpcx" => closed_loop(flags, share(flags, &clients, Tiny)).await,
                _ => closed_loop(flags, share(flags, &clients, Multiply)).await,
            }
        }
        Payload::Big | Payload::Raw(_) if flags.protocol != "rpcx" => {
            Err("only -payload tiny goes over other protocols than rpcx".into())
        }
        Payload::Big => {
            let clients = connect(flags, || EchoClient::builder(&url), Some(format)).await?;
            let big = |echo| Big { echo, message: BenchmarkMessage::sample() };
            closed_loop(flags, share(flags, &clients, big)).await
        }
        Payload::Raw(length) => {
            let clients = connect(flags, || EchoClient::builder(&url), Some(Format::Raw)).await?;
            let bytes = Bytes::from(vec![7; length]);
            let raw = |echo| Raw { echo, bytes: bytes.clone() };
            closed_loop(flags, share(flags, &clients, raw)).await
        }
    }
}

/// A client for each connection; per core, each connects on the core that its callers are on.
async fn connect<C: ServiceClient>(
    flags: &Flags,
    builder: impl Fn() -> ClientBuilder<C>,
    format: Option<Format>,
) -> Fallible<Vec<C>> {
    let builder = || match format {
        Some(format) => builder().format(format),
        None => builder(),
    };
    let mut clients = Vec::new();
    for _ in 0..flags.conns {
        clients.push(match flags.per_core {
            true => builder().per_core().lazy()?,
            false => builder().build().await?,
        });
    }
    Ok(clients)
}

/// One caller after the other, each on the next connection.
fn share<C: Clone, T>(flags: &Flags, clients: &[C], caller: impl Fn(C) -> T) -> Vec<T> {
    clients.iter().cycle().take(flags.callers).cloned().map(caller).collect()
}

struct Raw {
    echo: EchoClient,
    bytes: Bytes,
}

impl Caller for Raw {
    async fn call(&mut self) -> Fallible<()> {
        let reply = self.echo.bytes(self.bytes.clone()).await?;
        let same = reply.len() == self.bytes.len() && reply.last() == self.bytes.last();
        if same { Ok(()) } else { Err("the bytes came back changed".into()) }
    }
}

struct Tiny(ArithClient);

impl Caller for Tiny {
    async fn call(&mut self) -> Fallible<()> {
        let reply = self.0.mul(Args { a: 7, b: 8 }).await?;
        if reply.c == 56 { Ok(()) } else { Err(format!("7 * 8 = {}", reply.c).into()) }
    }
}

/// What the programs of Go's net/rpc call: a bare number comes back.
struct Multiply(ArithClient);

impl Caller for Multiply {
    async fn call(&mut self) -> Fallible<()> {
        let reply = self.0.multiply(Args { a: 7, b: 8 }).await?;
        if reply == 56 { Ok(()) } else { Err(format!("7 * 8 = {reply}").into()) }
    }
}

struct Big {
    echo: EchoClient,
    message: BenchmarkMessage,
}

impl Caller for Big {
    async fn call(&mut self) -> Fallible<()> {
        let reply = self.echo.echo(self.message.clone()).await?;
        // The first and the last field tell a real reply from an empty one; comparing all of it
        // would measure the comparison.
        let same = reply.field1 == self.message.field1 && reply.field280 == self.message.field280;
        if same { Ok(()) } else { Err("the message came back changed".into()) }
    }
}
