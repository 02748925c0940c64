//! `farcall demo`: the tour. Starts the example services, calls them every way there is, checks
//! every answer, and says how it went.
//!
//! `tour.rs` and `http.rs` have the calls, `places.rs` where they go; this file starts the servers,
//! prints the table, and stays if asked to.

mod http;
mod places;
mod tour;

use crate::{
    DONE, FAILED, INTERRUPTED, args, interrupted,
    output::{self, Table},
    runtime, services,
    style::Style,
};
use farcall::{Bound, Client, Format, Result, Status, Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};
use tour::Stop;

/// Runs the command.
pub(crate) fn run(args: args::Demo) -> u8 {
    let runtime = match runtime(None) {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    services::expect_panics();
    match runtime.block_on(demo(&args)) {
        Ok(code) => code,
        Err(status) => {
            output::failure(&status, args.json);
            FAILED
        }
    }
}

async fn demo(args: &args::Demo) -> Result<u8> {
    let noted = Arc::new(AtomicI64::new(0));
    let notes = || NotesServer::new(Notebook(Arc::clone(&noted)));
    let server = || services::all(1).add(notes()).list_services().debug_rpc().health();
    let folder = places::Folder::new()?;
    let bound = places::bind(server(), &folder).await?;
    let mut urls = places::urls(&bound, None);
    let mut servers = vec![bound];
    if let Some((bound, trusted)) = places::bind_secure(server(), &folder).await? {
        urls.extend(places::urls(&bound, Some(&trusted)));
        servers.push(bound);
    }
    let stops: Vec<_> = servers.iter().map(Bound::shutdown_handle).collect();
    let serving: Vec<_> = servers.into_iter().map(|server| tokio::spawn(server.run())).collect();

    let mut report = Report::default();
    tokio::select! {
        result = tour(&urls, &noted, &mut report) => result?,
        () = interrupted() => return Ok(INTERRUPTED),
    }
    report.print(args.json);
    if args.stay {
        invite(&urls);
    } else {
        stops.iter().for_each(farcall::ShutdownHandle::shutdown);
    }
    for server in serving {
        match server.await {
            Ok(served) => served?,
            Err(error) => return Err(Status::internal(format!("a server's task ended: {error}"))),
        }
    }
    Ok(if report.all_right() { DONE } else { FAILED })
}

/// Makes every stop on every way there.
async fn tour(urls: &[(String, String)], noted: &AtomicI64, report: &mut Report) -> Result<()> {
    for (way, url) in urls {
        let client = Client::connect(url).await?;
        let protocol = client.target().protocol;
        for codec in ["json", "msgpack", "protobuf", "raw", "gob"] {
            let Some(format) = Format::from_name(codec) else { continue };
            if !protocol.carries(format) {
                continue;
            }
            for compress in [farcall::Compress::None, farcall::Compress::Gzip] {
                if !protocol.compresses() && compress != farcall::Compress::None {
                    continue;
                }
                let client = client.clone().format(format).compress(compress);
                let over = match compress {
                    farcall::Compress::None => format!("{way} {codec}"),
                    other => format!("{way} {codec} {other}"),
                };
                let stop = match format {
                    Format::Raw => report.time("Echo.Bytes as they are", over, tour::raw(&client)),
                    _ => report.time("every method", over, tour::every_method(&client)),
                };
                stop.await;
            }
        }
        for stop in Stop::ALL {
            if !protocol.carries_meta() && matches!(stop, Stop::Metadata) {
                continue;
            }
            let visit = stop.visit(&client, url, noted);
            report.time(stop.name(), way.clone(), visit).await;
        }
    }
    // What `curl` would send, and what no client of ours would.
    if let Some(place) = urls.iter().find_map(|(_, url)| url.strip_prefix("rpcx+tcp://")) {
        http::tour(place, report).await;
    }
    Ok(())
}

/// What was called, and what came of it.
#[derive(Default)]
struct Report {
    checks: Vec<Check>,
    began: Option<Instant>,
    took: Duration,
}

struct Check {
    what: &'static str,
    over: String,
    result: Result<String, String>,
    time: Duration,
}

impl Report {
    /// Makes a check and notes it. The error is what was wrong.
    fn time<'a>(
        &'a mut self,
        what: &'static str,
        over: String,
        check: impl Future<Output = Result<String, String>> + Send + 'a,
    ) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            let began = Instant::now();
            let since = *self.began.get_or_insert(began);
            let result = check.await;
            self.checks.push(Check { what, over, result, time: began.elapsed() });
            self.took = since.elapsed();
        })
    }

    fn all_right(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.result.is_ok())
    }

    fn print(&self, as_json: bool) {
        match as_json {
            true => output::value(&self.as_value()),
            false => self.as_table(),
        }
    }

    fn as_value(&self) -> Value {
        let ms = |time: Duration| time.as_micros() as f64 / 1e3;
        let checks = self.checks.iter().map(|check| {
            let (right, text) = match &check.result {
                Ok(text) => (true, text),
                Err(text) => (false, text),
            };
            json!({
                "what": check.what,
                "over": check.over.as_str(),
                "right": right,
                "result": text.as_str(),
                "ms": ms(check.time),
            })
        });
        json!({
            "right": self.all_right(),
            "ms": ms(self.took),
            "checks": Value::List(checks.collect()),
        })
    }

    fn as_table(&self) {
        let style = Style::stdout();
        let mut table = Table::new(&["over", "what", "time", "result"]);
        for check in &self.checks {
            let result = match &check.result {
                Ok(text) => text.clone(),
                Err(text) => format!("WRONG: {text}"),
            };
            let what = check.what.to_owned();
            table.row(vec![check.over.clone(), what, output::time(check.time), result]);
        }
        let right = |row: usize| {
            let check = row.checked_sub(1).and_then(|row| self.checks.get(row));
            check.is_none_or(|check| check.result.is_ok())
        };
        let lines = table.lines(|row, column, cell| match (row, column) {
            (0, _) => style.strong(cell),
            (_, 3) if right(row) => style.good(cell),
            (_, 3) => style.bad(cell),
            (_, 0 | 2) => style.faint(cell),
            _ => cell.to_owned(),
        });
        lines.iter().for_each(|line| output::line(line));
        let wrong = self.checks.iter().filter(|check| check.result.is_err()).count();
        let count = self.checks.len();
        let verdict = match wrong {
            0 => style.good(&format!("All {count} checks are right")),
            _ => style.bad(&format!("{wrong} of {count} checks are wrong")),
        };
        output::line(&format!("\n{verdict}, in {}.", output::time(self.took)));
    }
}

/// What to try while the server stays.
fn invite(urls: &[(String, String)]) {
    let Some((_, url)) = urls.first() else { return };
    let url = url.replace("+tcp", "");
    let http = url.replace("rpcx://", "http://");
    let json = url.replace("rpcx", "jsonrpc");
    output::note(&format!(
        "
Still serving. Try, in another terminal:

  farcall call {url}/Arith/Mul '{{\"A\": 6, \"B\": 7}}'
  farcall call {url}/HelloService/SayHello '\"gopher\"' --codec msgpack
  farcall call {url}/Echo/Meta --meta tenant=blue -v
  farcall call {url}/Arith/Divide '{{\"A\": 1}}'
  farcall call {json}/Arith/Mul '{{\"A\": 6, \"B\": 7}}'
  farcall call {http}/Arith/Mul '{{\"A\": 6, \"B\": 7}}'
  farcall bench {url}/Arith/Mul
  curl -d '{{\"A\": 6, \"B\": 7}}' {http}/Arith/Mul
  curl {http}

Ctrl-C ends it."
    ));
}

/// A service that remembers, to see that one-way calls arrive.
#[farcall::service(name = "Notes")]
trait Notes {
    /// Adds to what is remembered.
    async fn note(&self, number: i64) -> Result<()>;
}

struct Notebook(Arc<AtomicI64>);

impl Notes for Notebook {
    async fn note(&self, number: i64) -> Result<()> {
        self.0.fetch_add(number, Ordering::SeqCst);
        Ok(())
    }
}
