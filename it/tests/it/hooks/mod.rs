//! Hooks × kinds of calls × how they end × protocols, on both sides: each hook is asked exactly
//! once where it applies, and never where it does not. Every cell is there, or is named as one
//! that cannot be.

mod around;
mod conns;
mod kit;

use farcall::{Client, ClientBuilder, Result, Status, Value};
use farcall_it::{services::Running, windowed::WIDE};
use farcall_wire::sniff;
use kit::{Counts, Hook, Relay, WorkClient, Worker, eventually, server};
use std::{collections::BTreeSet, time::Duration};
use tokio::net::TcpStream;

/// Which way to call: a protocol, and what its URL says of it.
type Way = (&'static str, &'static str);

/// All protocols that are built, the variants of those that have some, and one that streams.
fn ways() -> Vec<Way> {
    let built = sniff::PROTOCOLS.iter().filter(|protocol| protocol.has_client());
    let mut ways: Vec<_> = built.map(|protocol| (protocol.name(), "")).collect();
    ways.extend([("jsonrpc", "?version=1"), ("windowed", "")]);
    ways
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unary,
    Oneway,
    Out,
    Take,
    Talk,
    Function,
    Fallback,
    Unknown,
}

const KINDS: [Kind; 8] = [
    Kind::Unary,
    Kind::Oneway,
    Kind::Out,
    Kind::Take,
    Kind::Talk,
    Kind::Function,
    Kind::Fallback,
    Kind::Unknown,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Ok,
    Error,
    Panic,
    /// Refused by a plugin of the server, or of the client.
    RefusedThere,
    RefusedHere,
    /// An interceptor of the server answers, or of the client.
    AnsweredThere,
    AnsweredHere,
    Deadline,
    /// The caller gives it up.
    Cancel,
    /// The connection breaks.
    Lost,
}

const ENDS: [End; 10] = [
    End::Ok,
    End::Error,
    End::Panic,
    End::RefusedThere,
    End::RefusedHere,
    End::AnsweredThere,
    End::AnsweredHere,
    End::Deadline,
    End::Cancel,
    End::Lost,
];

/// How often a call is shown on one side: to plugins, to interceptors, to interceptors with its
/// answer, and at its end; and the ends it may have.
type Want = ([usize; 4], &'static [&'static str]);

const NOTHING: Want = ([0; 4], &[]);
const DONE: &[&str] = &["done"];
const FAILED: &[&str] = &["failed"];
const LOST: &[&str] = &["lost"];

/// What a cell wants of server and client, or why it cannot be.
fn want(way: Way, kind: Kind, end: End) -> std::result::Result<[Want; 2], &'static str> {
    let streams = matches!(kind, Kind::Out | Kind::Take | Kind::Talk);
    let carried = way.0 == "windowed";
    let refused: Want = ([1, 0, 0, 1], FAILED);
    let whole = |ends| -> Want { ([1; 4], ends) };
    let cut = |ends| -> Want { ([1, 1, 0, 1], ends) };
    match (kind, end) {
        // The client says no before anything is asked of the protocol.
        (_, End::RefusedHere) => return Ok([NOTHING, refused]),
        (Kind::Out | Kind::Talk, End::AnsweredHere) => return Ok([NOTHING, cut(FAILED)]),
        (_, End::AnsweredHere) => return Ok([NOTHING, cut(DONE)]),
        (_, End::Ok) if streams && !carried => return Ok([NOTHING, whole(FAILED)]),
        _ if streams && !carried => return Err("the protocol does not carry streams"),
        (Kind::Fallback, _) if way.0 == "netrpc" => return Err("gob does not stand alone"),
        (Kind::Unknown, End::Error) => return Ok([refused, whole(FAILED)]),
        (_, End::RefusedThere) if kind != Kind::Oneway => {}
        (Kind::Unknown, _) => return Err("nothing runs that could end so"),
        (Kind::Oneway, End::Deadline | End::Cancel | End::Lost) => {
            return Err("nobody waits for it");
        }
        _ => {}
    }
    let there = match end {
        End::Ok => whole(DONE),
        End::Error | End::Panic => whole(FAILED),
        End::RefusedThere => refused,
        End::AnsweredThere if matches!(kind, Kind::Out | Kind::Talk) => cut(FAILED),
        End::AnsweredThere => cut(DONE),
        // Where the protocol does not carry it, the server learns when the client is gone.
        End::Deadline => cut(&["failed", "lost"]),
        End::Cancel | End::Lost => cut(LOST),
        End::RefusedHere | End::AnsweredHere => NOTHING,
    };
    let here = match (kind, end) {
        // Whatever becomes of it.
        (Kind::Oneway, _) => whole(DONE),
        // A stream that has begun is all that interceptors see.
        (_, End::Ok) => whole(DONE),
        (Kind::Out | Kind::Talk, End::Cancel) => whole(LOST),
        (_, End::Cancel) => cut(LOST),
        (Kind::Out | Kind::Talk, End::AnsweredThere) => whole(FAILED),
        (_, End::AnsweredThere) => whole(DONE),
        _ => whole(FAILED),
    };
    Ok([there, here])
}

/// Calls, and reads what comes of it.
async fn call(client: &WorkClient, kind: Kind, end: End) -> Result<()> {
    let how = match end {
        End::Error => "error",
        End::Panic => "panic",
        End::Deadline | End::Cancel | End::Lost => "wait",
        _ => "fine",
    };
    let time = Duration::from_millis(if end == End::Deadline { 1_000 } else { 60_000 });
    let (how, raw) = (how.to_owned(), client.client());
    let items = |how: &String| farcall::stream::iter([how.clone()]);
    match kind {
        Kind::Unary => client.run(how).deadline(time).await.map(drop),
        Kind::Oneway => client.run(how).deadline(time).oneway().await,
        Kind::Function => {
            raw.call_as::<String, String>("Tool.Run", how).deadline(time).await.map(drop)
        }
        Kind::Fallback | Kind::Unknown => {
            raw.call("Nobody.Knows", Value::from(how)).deadline(time).await.map(drop)
        }
        Kind::Out => {
            let mut answers = client.out(how).deadline(time).await?;
            while let Some(answer) = answers.next().await {
                answer?;
            }
            Ok(())
        }
        Kind::Take => client.take(items(&how)).deadline(time).await.map(drop),
        Kind::Talk => {
            let mut answers = client.talk(items(&how)).deadline(time).await?;
            while let Some(answer) = answers.next().await {
                answer?;
            }
            Ok(())
        }
    }
}

fn holds(counts: &Counts, (often, ends): Want) -> bool {
    let Counts { begin, call, around, seen, reply, .. } = *counts;
    // What is begun is what ends.
    begin == reply
        && [call, around, seen, reply] == often
        && counts.ends.iter().all(|end| ends.contains(end))
}

async fn client(way: Way, address: &str, hook: &Hook) -> Result<WorkClient> {
    let (protocol, option) = way;
    if protocol == "windowed" {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let builder = ClientBuilder::<Client>::new("").plug(hook.clone());
        let client = builder.intercept(hook.clone().outgoing()).over(&WIDE, stream)?;
        client.ready().await?;
        return Ok(WorkClient::from_client(client));
    }
    let builder = WorkClient::builder(format!("{protocol}://{address}{option}"));
    builder.plug(hook.clone()).intercept(hook.clone().outgoing()).build().await
}

/// One cell: a server, a client, a call between them.
async fn run(way: Way, kind: Kind, end: End, wants: [Want; 2]) -> Result<(), Status> {
    let worker = Worker::default();
    let there = Hook {
        refuses: end == End::RefusedThere,
        answers: end == End::AnsweredThere,
        ..Hook::default()
    };
    let here = Hook {
        refuses: end == End::RefusedHere,
        answers: end == End::AnsweredHere,
        ..Hook::default()
    };
    let server = server(&worker, kind == Kind::Fallback).protocol(&WIDE).plug(there.clone());
    let running = Running::start(server.intercept(there.clone().incoming())).await;
    let relay = Relay::to(running.url.replace("rpcx://", "")).await;
    let client = client(way, &relay.address, &here).await?;
    let calling = call(&client, kind, end);
    match end {
        End::Cancel | End::Lost => {
            let told = async {
                eventually("the handler runs", || worker.entered() == 1).await;
                if end == End::Lost {
                    relay.cut();
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                _ = calling => {}
                () = told => {}
            }
        }
        End::Deadline => {
            let _ = calling.await;
            eventually("the handler runs", || worker.entered() == 1).await;
        }
        _ => drop(calling.await),
    }
    eventually("the client's hooks are asked", || holds(&here.counts(), wants[1])).await;
    // Before the client closes by itself: after that the server would wait for its handlers.
    if matches!(end, End::Deadline | End::Cancel | End::Lost) {
        relay.cut();
    }
    drop(client);
    eventually("the server's hooks are asked", || holds(&there.counts(), wants[0])).await;
    eventually("all connections are closed", || {
        [here.counts(), there.counts()].iter().all(|counts| counts.connect == counts.close)
    })
    .await;
    // And nothing came after.
    let [there, here] = [there.counts(), here.counts()];
    assert!(holds(&there, wants[0]) && holds(&here, wants[1]), "{there:?} {here:?}");
    assert_eq!((here.connect, here.dial, here.miss, here.retry), (1, 1, 0, 0), "{here:?}");
    // None, where nothing was said and the client was gone before.
    assert_eq!(there.connect, there.dial, "{there:?}");
    assert_eq!(worker.entered(), usize::from(there.seen == 1 || cut_short(end, &there)));
    Ok(())
}

/// Whether the handler ran and nobody saw its answer.
fn cut_short(end: End, there: &Counts) -> bool {
    there.around == 1 && matches!(end, End::Deadline | End::Cancel | End::Lost)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hook_is_asked_once_where_it_applies() {
    let (mut cells, mut failed, mut cannot) = (0, Vec::new(), BTreeSet::new());
    for way in ways() {
        let mut all = Vec::new();
        for (kind, end) in KINDS.iter().flat_map(|kind| ENDS.map(|end| (*kind, end))) {
            cells += 1;
            match want(way, kind, end) {
                Ok(wants) => {
                    all.push((kind, end, tokio::spawn(run(way, kind, end, wants))));
                }
                Err(why) => {
                    cannot.insert(format!("{kind:?}: {why}"));
                }
            }
        }
        for (kind, end, cell) in all {
            if !matches!(cell.await, Ok(Ok(()))) {
                failed.push(format!("{way:?} {kind:?} {end:?}"));
            }
        }
    }
    println!("{cells} cells of {} ways", ways().len());
    assert_eq!(cells, ways().len() * KINDS.len() * ENDS.len());
    assert!(failed.is_empty(), "{failed:#?}");
    let known = [
        "Fallback: gob does not stand alone",
        "Oneway: nobody waits for it",
        "Out: the protocol does not carry streams",
        "Take: the protocol does not carry streams",
        "Talk: the protocol does not carry streams",
        "Unknown: nothing runs that could end so",
    ];
    assert_eq!(cannot, known.map(str::to_owned).into(), "what cannot be is named");
}
