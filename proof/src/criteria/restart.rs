//! R1 to R3: servers that are replaced while they are called, one after the other or on the same
//! socket, and servers that are told to go while others hold on to them.

use super::{Run, ms, silent::client_hello};
use crate::{
    Done, PROTOCOLS,
    ledger::{Calls, Executions},
    load::{Load, capacity, permille},
    peers::{Heard, crowd, hear},
    process::{Process, Start},
    service::ProofClient,
    verdict::Verdict,
};
use farcall::{ClientBuilder, Fail};
use farcall_it::{certs::Authority, who::Folder};
use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// The share of what could be done that is asked for.
const SHARE: f64 = 0.4;

/// Several servers, their ledger, and a client of all of them.
pub(super) struct Fleet {
    pub(super) start: Start,
    pub(super) servers: Vec<Process>,
    pub(super) places: Vec<String>,
    pub(super) folder: Folder,
    pub(super) calls: Arc<Calls>,
}

impl Fleet {
    /// Starts so many.
    pub(super) fn start(count: usize) -> Done<Fleet> {
        let folder = Folder::new();
        let start = Start::serve().book(&folder.join("book"));
        let servers = (0..count).map(|_| start.start()).collect::<Done<Vec<_>>>()?;
        let places = servers.iter().map(|server| server.place().to_owned()).collect();
        Ok(Fleet { start, servers, places, folder, calls: Arc::default() })
    }

    /// A client of these places.
    pub(super) async fn client(protocol: &str, places: &[String]) -> Done<ProofClient> {
        let url = format!("{protocol}://{}", places.join(","));
        let builder = ClientBuilder::<ProofClient>::new(url).fail(Fail::Over { retries: 3 });
        Ok(builder.build().await?)
    }

    /// Starts one anew where it was.
    pub(super) fn replace(&mut self, index: usize) -> Done {
        let place = format!("tcp://{}", self.places[index]);
        self.servers[index] = self.start.clone().on(&place).start()?;
        Ok(())
    }

    /// What the ledgers say.
    pub(super) fn settle(&self, verdict: &mut Verdict) -> Done<crate::ledger::Settled> {
        let settled = self.calls.settle(&Executions::read(&self.folder.join("book"))?);
        settled.judge(verdict);
        Ok(settled)
    }
}

/// A load of 0.4 of what can be done.
pub(super) async fn load(client: &ProofClient, calls: &Arc<Calls>, v: &mut Verdict) -> Load {
    capacity(client, calls, Duration::from_millis(500)).await;
    let most = capacity(client, calls, Duration::from_secs(2)).await;
    v.note("capacity_calls_s", most.round());
    Load::start(client, calls, most * SHARE)
}

/// R1.
pub(super) async fn rolling(run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    for protocol in PROTOCOLS {
        verdict.add(protocol, one_by_one(protocol, run).await?);
    }
    Ok(verdict)
}

async fn one_by_one(protocol: &str, run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let mut fleet = Fleet::start(3)?;
    let client = Fleet::client(protocol, &fleet.places).await?;
    let load = load(&client, &fleet.calls, &mut verdict).await;
    let (time, mut restarts, mut slowest) = (Duration::from_secs(run.seconds(60)), 0, 0f64);
    while load.began.elapsed() < time || restarts < 3 {
        let index = restarts % 3;
        restarts += 1;
        fleet.servers[index].signal("TERM")?;
        let ended = wait(&mut fleet.servers[index], Duration::from_secs(40)).await?;
        let (took, code) = ended.ok_or("a server did not end")?;
        slowest = slowest.max(ms(took));
        verdict.holds(format!("restart_{restarts}.clean"), code.success());
        fleet.replace(index)?;
        // The clients come back before the next goes.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let ended = load.end().await;
    verdict.note("restarts", restarts);
    verdict.note("slowest_end_ms", slowest.round());
    let settled = fleet.settle(&mut verdict)?;
    verdict.none("failed_idempotent", settled.failed_idempotent);
    if protocol == "rpcx" {
        verdict.none("failed_others", settled.failed_others);
    } else {
        // These cannot tell a call that was lost on its way from one that was run.
        verdict.none("failed_others_not_unknown", settled.failed_others - settled.maybe);
    }
    verdict.at_most("p999_ms", permille(ended.iter(), 999), 250.0);
    Ok(verdict)
}

/// [`Process::wait`], without holding up the load.
async fn wait(
    process: &mut Process,
    most: Duration,
) -> Done<Option<(Duration, std::process::ExitStatus)>> {
    let since = Instant::now();
    while since.elapsed() < most {
        if let Some((_, status)) = process.wait(Duration::ZERO)? {
            return Ok(Some((since.elapsed(), status)));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(None)
}

/// R2.
pub(super) async fn in_place(run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let folder = Folder::new();
    let start = Start::serve().book(&folder.join("book"));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let place = listener.local_addr()?.to_string();
    let mut server = start.inheriting(&listener)?;
    let calls: Arc<Calls> = Arc::default();
    let client = Fleet::client("rpcx", std::slice::from_ref(&place)).await?;
    let load = load(&client, &calls, &mut verdict).await;
    let visitors = Visitors::start(&place, &calls);
    let restarts = if run.seconds.is_some() { 5 } else { 20 };
    let each = Duration::from_millis(run.seconds(60) * 1000 / restarts);
    for restart in 0..restarts {
        let since = Instant::now();
        // One after the other, with nobody accepting in between; or both for a while.
        let overlapping = restart % 2 == 0;
        let next = if overlapping { Some(start.inheriting(&listener)?) } else { None };
        server.signal("TERM")?;
        let ended = wait(&mut server, Duration::from_secs(40)).await?;
        verdict.holds(format!("restart_{restart}.clean"), ended.is_some_and(|e| e.1.success()));
        server = match next {
            Some(next) => next,
            None => start.inheriting(&listener)?,
        };
        tokio::time::sleep(each.saturating_sub(since.elapsed())).await;
    }
    visitors.end(&mut verdict).await;
    let ended = load.end().await;
    verdict.note("restarts", restarts);
    let settled = calls.settle(&Executions::read(&folder.join("book"))?);
    settled.judge(&mut verdict);
    verdict.none("failed", settled.failed_idempotent + settled.failed_others);
    verdict.at_most("p999_ms", permille(ended.iter(), 999), 1_000.0);
    drop(server);
    Ok(verdict)
}

/// Strangers who connect anew for each call.
struct Visitors {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
    counts: Arc<[AtomicU64; 4]>,
}

impl Visitors {
    fn start(place: &str, calls: &Arc<Calls>) -> Visitors {
        let (stop, counts) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (over, told, calls) = (Arc::clone(&stop), Arc::clone(&counts), Arc::clone(calls));
        let place = place.to_owned();
        let task = tokio::spawn(async move {
            let mut visits = JoinSet::new();
            while !over.load(Ordering::Relaxed) {
                let id = calls.begin(false);
                visits.spawn(visit(place.clone(), id, Arc::clone(&calls), Arc::clone(&told)));
                while visits.try_join_next().is_some() {}
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            while visits.join_next().await.is_some() {}
        });
        Visitors { stop, task, counts }
    }

    async fn end(self, verdict: &mut Verdict) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("no panic");
        let [made, refused, reset, unanswered] = &*self.counts;
        verdict.at_least("visitors", made.load(Ordering::Relaxed) as f64, 100.0);
        verdict.none("visitors_refused", refused.load(Ordering::Relaxed));
        verdict.none("visitors_reset", reset.load(Ordering::Relaxed));
        verdict.none("visitors_unanswered", unanswered.load(Ordering::Relaxed));
    }
}

async fn visit(place: String, id: u64, calls: Arc<Calls>, counts: Arc<[AtomicU64; 4]>) {
    let count = |which: usize| counts[which].fetch_add(1, Ordering::Relaxed);
    let body = id.to_string();
    let length = body.len();
    let request = format!(
        "POST /Proof/Run HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    count(0);
    let unsent = || Err(farcall::Status::unavailable("a visitor was not served"));
    let Ok(mut socket) = TcpStream::connect(&place).await else {
        count(1);
        calls.end(id, &unsent());
        return;
    };
    let mut all = String::new();
    let said = socket.write_all(request.as_bytes()).await;
    let read = match said {
        Ok(()) => socket.read_to_string(&mut all).await.map(drop),
        Err(error) => Err(error),
    };
    let answer = all.rsplit("\r\n").next().and_then(|text| text.trim().parse::<u64>().ok());
    match (all.starts_with("HTTP/1.1 200"), answer) {
        (true, Some(answer)) => drop(calls.end(id, &Ok(answer))),
        _ => {
            count(if read.is_err() { 2 } else { 3 });
            calls.end(id, &unsent().map_err(|s| s.with_sent(farcall::Sent::Maybe)));
        }
    }
}

/// R3.
pub(super) async fn leaving(run: Run) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let drain = Duration::from_secs(run.seconds(5).max(3));
    for stuck in [false, true] {
        let folder = Folder::new();
        let start =
            Start::serve().limit("drain_time", drain.as_millis() as u64).book(&folder.join("book"));
        let mut process = start.start()?;
        let calls: Arc<Calls> = Arc::default();
        let silent = crowd(process.place(), 20, b"").await?;
        let begun = crowd(process.place(), 20, b"POST /Proof/Run HTTP/1.1\r\nHo").await?;
        let idle = ProofClient::connect(process.url("rpcx")).await?;
        idle.state().await?;
        let flooded = ProofClient::connect(process.url("rpcx")).await?;
        flooded.flood().await?;
        let held = ProofClient::connect(process.url("netrpc")).await?;
        let hold = stuck.then(|| {
            let id = calls.begin(false);
            let (held, calls) = (held.clone(), Arc::clone(&calls));
            tokio::spawn(async move {
                let result = held.stuck(id).deadline(Duration::from_secs(60)).await;
                calls.end(id, &result)
            })
        });
        // Calls that will be finished, on every protocol, and what lies unread behind them.
        let mut running = JoinSet::new();
        for protocol in PROTOCOLS {
            let client = ProofClient::connect(process.url(protocol)).await?;
            for n in 0..50u64 {
                let (client, calls) = (client.clone(), Arc::clone(&calls));
                running.spawn(async move {
                    let id = calls.begin(false);
                    let result = client.sleep(id, 500 + n * 20).await;
                    calls.end(id, &result);
                });
            }
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let unread = unread(process.place(), &calls).await?;
        let since = Instant::now();
        process.signal("TERM")?;
        let limit = drain + Duration::from_secs(1);
        let gone = wait(&mut process, limit + Duration::from_secs(20)).await?;
        let took = gone.map_or(f64::MAX, |_| ms(since.elapsed()));
        while running.join_next().await.is_some() {}
        let mut part = Verdict::new();
        part.at_most("gone_ms", took, ms(limit));
        unread_ended(unread, &calls, &mut part).await;
        if let Some(hold) = hold {
            hold.await?;
        }
        let settled = calls.settle(&Executions::read(&folder.join("book"))?);
        settled.judge(&mut part);
        let lost = settled.failed_others + settled.failed_idempotent;
        part.none("finished_calls_lost", lost - u64::from(stuck));
        verdict.add(if stuck { "stuck" } else { "calm" }, part);
        drop((silent, begun, idle, flooded));
    }
    verdict.add("tls", leaving_handshakes(drain).await?);
    Ok(verdict)
}

/// The same where connections are in the middle of shaking hands.
async fn leaving_handshakes(drain: Duration) -> Done<Verdict> {
    let mut verdict = Verdict::new();
    let authority = Authority::new();
    let pair = authority.pair("server", &["127.0.0.1", "localhost"]);
    let start = Start::serve().on("tls://127.0.0.1:0").tls(&pair);
    let mut process = start.limit("drain_time", drain.as_millis() as u64).start()?;
    let silent = crowd(process.place(), 20, b"").await?;
    let shaking = crowd(process.place(), 20, &client_hello()?[..100]).await?;
    let url = format!("{}{}", process.url("rpcx+tls"), authority.option());
    let idle = ProofClient::connect(&url).await?;
    idle.state().await?;
    let running = idle.sleep(1, 500).start();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let since = Instant::now();
    process.signal("TERM")?;
    let limit = drain + Duration::from_secs(1);
    let gone = wait(&mut process, limit + Duration::from_secs(20)).await?;
    verdict.at_most("gone_ms", gone.map_or(f64::MAX, |_| ms(since.elapsed())), ms(limit));
    verdict.none("finished_calls_lost", u64::from(running.await.is_err()));
    drop((silent, shaking));
    Ok(verdict)
}

/// Writes calls by hand that nobody has read when the server is told to go.
async fn unread(place: &str, calls: &Calls) -> Done<Vec<(TcpStream, Vec<u64>)>> {
    let mut all = Vec::new();
    for _ in 0..5 {
        let mut socket = TcpStream::connect(place).await?;
        let ids: Vec<u64> = (0..100).map(|_| calls.begin(false)).collect();
        let line = |id: &u64| {
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"Proof.Run\",\"params\":[{id}]}}\n"
            )
        };
        let text: String = ids.iter().map(line).collect();
        socket.write_all(text.as_bytes()).await?;
        all.push((socket, ids));
    }
    Ok(all)
}

async fn unread_ended(sockets: Vec<(TcpStream, Vec<u64>)>, calls: &Calls, verdict: &mut Verdict) {
    let mut unanswered = 0;
    for (mut socket, ids) in sockets {
        let mut all = Vec::new();
        while let Heard::Bytes(bytes) = hear(&mut socket, Duration::from_secs(5)).await {
            all.extend_from_slice(&bytes);
        }
        let answers = serde_json::Deserializer::from_slice(&all).into_iter::<serde_json::Value>();
        let answers: Vec<_> = answers.map_while(Result::ok).collect();
        for id in ids {
            let answer = answers.iter().find(|answer| answer["id"] == id);
            match answer.and_then(|answer| answer["result"].as_u64()) {
                Some(result) => drop(calls.end(id, &Ok(result))),
                None => {
                    unanswered += u64::from(answer.is_none());
                    let lost = farcall::Status::unavailable("not answered");
                    calls.end(id, &Err(lost.with_sent(farcall::Sent::Maybe)));
                }
            }
        }
    }
    verdict.none("received_and_not_answered", unanswered);
}
