//! Every feature of rpcx over every carrier in both directions with the real rpcx, as a table:
//! what is in it runs, and what cannot run has its reason here. A feature that is added does not
//! compile before both ends of it are written, and peers/README.md shows the table as it is.

mod calls;
mod features;
mod go;
mod ours;
mod place;

use farcall::Result;
pub(crate) use features::reflection;
use ours::Ours;
use place::{Carrier, Place};

/// What rpcx does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Feature {
    Codecs,
    OwnCodec,
    Oneway,
    Heartbeats,
    Metadata,
    Errors,
    Push,
    SendRaw,
    Handlers,
    Auth,
    Deadlines,
    Bodies,
    Crowds,
    Drain,
    Reflection,
    Files,
    Streams,
    Frames,
    Gateway,
}

const FEATURES: [(Feature, &str); 19] = {
    use Feature::*;
    [
        (Codecs, "calls: JSON, MessagePack, protobuf; plain and gzip"),
        (OwnCodec, "a codec of one's own"),
        (Oneway, "one-way calls"),
        (Heartbeats, "heartbeats of the client"),
        (Metadata, "metadata, there and back"),
        (Errors, "errors of handlers and of names, panics"),
        (Push, "messages pushed by the server"),
        (SendRaw, "messages as they are (SendRaw)"),
        (Handlers, "handlers of bytes, aliases"),
        (Auth, "tokens"),
        (Deadlines, "deadlines, and callers that give up"),
        (Bodies, "bodies of 0 bytes to 4 MiB, raw, JSON, MessagePack; plain and gzip"),
        (Crowds, "64 callers on one connection, many connections"),
        (Drain, "a server that is told to end while calls run"),
        (Reflection, "reflection"),
        (Files, "file transfer; its bytes go over plain TCP, as in rpcx"),
        (Streams, "the stream service; likewise"),
        (Frames, "frames made by hand: flags, split, pipelined, broken"),
        (Gateway, "the HTTP gateway and its JSON-RPC"),
    ]
};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Go,
    Ours,
}

/// Why a cell cannot be run.
fn never(feature: Feature, carrier: Carrier, caller: Caller) -> Option<&'static str> {
    match (feature, carrier, caller) {
        (Feature::Frames, _, Caller::Ours) => {
            Some("it is about what a server makes of frames; rpcx-go's are not ours to judge")
        }
        (Feature::Gateway, Carrier::Connect, Caller::Go) => {
            Some("behind `CONNECT` there are frames of rpcx and no HTTP any more")
        }
        (Feature::Gateway, _, Caller::Ours) => {
            Some("the gateway is for clients of HTTP; ours speak rpcx itself")
        }
        _ => None,
    }
}

/// Runs a row of cells: one carrier, one direction.
async fn run(carrier: Carrier, caller: Caller) -> Result<()> {
    farcall_cli::services::expect_panics();
    let place = Place::new();
    let mut ran = 0;
    match caller {
        Caller::Go => {
            let theirs = go::Theirs::start(&place, carrier).await?;
            for (feature, name) in cells(carrier, caller) {
                println!("Go calls us over {}: {name}", carrier.name());
                theirs.run(feature).await?;
                ran += 1;
            }
        }
        Caller::Ours => {
            let ours = Ours::start(&place, carrier);
            for (feature, name) in cells(carrier, caller) {
                println!("we call Go over {}: {name}", carrier.name());
                ours.run(feature).await?;
                ran += 1;
            }
        }
    }
    println!("{ran} cells over {}", carrier.name());
    Ok(())
}

fn cells(carrier: Carrier, caller: Caller) -> impl Iterator<Item = (Feature, &'static str)> {
    FEATURES.into_iter().filter(move |(feature, _)| never(*feature, carrier, caller).is_none())
}

macro_rules! rows {
    ($($name:ident: $carrier:ident, $caller:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> Result<()> {
                run(Carrier::$carrier, Caller::$caller).await
            }
        )*
        /// The rows that are run.
        const ROWS: &[(Carrier, Caller)] = &[$((Carrier::$carrier, Caller::$caller)),*];
    };
}

rows! {
    go_calls_us_over_tcp: Tcp, Go;
    go_calls_us_over_tls: Tls, Go;
    go_calls_us_over_unix: Unix, Go;
    go_calls_us_through_connect: Connect, Go;
    we_call_go_over_tcp: Tcp, Ours;
    we_call_go_over_tls: Tls, Ours;
    we_call_go_over_unix: Unix, Ours;
    we_call_go_through_connect: Connect, Ours;
}

/// The table as peers/README.md shows it.
fn table() -> String {
    let (mut text, mut reasons) = (String::new(), Vec::new());
    text += "| feature |";
    for caller in [Caller::Go, Caller::Ours] {
        for carrier in Carrier::ALL {
            let who = if caller == Caller::Go { "Go → us" } else { "us → Go" };
            text += &format!(" {who}, {} |", carrier.name());
        }
    }
    text += "\n|---|---|---|---|---|---|---|---|---|\n";
    for (feature, name) in FEATURES {
        text += &format!("| {name} |");
        for caller in [Caller::Go, Caller::Ours] {
            for carrier in Carrier::ALL {
                let cell = match never(feature, carrier, caller) {
                    None if ROWS.contains(&(carrier, caller)) => "✓".to_owned(),
                    None => panic!("{feature:?} over {carrier:?} is neither run nor impossible"),
                    Some(why) => {
                        let at = reasons.iter().position(|known| *known == why);
                        let at = at.unwrap_or_else(|| {
                            reasons.push(why);
                            reasons.len() - 1
                        });
                        format!("– ({})", at + 1)
                    }
                };
                text += &format!(" {cell} |");
            }
        }
        text += "\n";
    }
    for (at, why) in reasons.iter().enumerate() {
        text += &format!("\n- ({}) {why}", at + 1);
    }
    text + "\n"
}

#[test]
fn every_cell_is_run_or_named() {
    const BEGIN: &str = "<!-- cells -->\n";
    const END: &str = "<!-- end of cells -->";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../peers/README.md");
    let readme = std::fs::read_to_string(path).expect("peers/README.md");
    let shown = readme.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
    let (shown, _) = shown.expect("the table's place in peers/README.md");
    let table = table();
    assert!(shown == table, "peers/README.md is to show this table:\n{table}");
}
