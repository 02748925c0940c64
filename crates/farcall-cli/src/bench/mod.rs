//! `farcall bench`: many calls, measured.
//!
//! `load.rs` makes the calls, `tally.rs` counts them, `live.rs` and `plot.rs` show them while they
//! are made; this file knows what to call and what to print.

mod live;
mod load;
mod plot;
mod tally;

use crate::{
    DONE, FAILED, INTERRUPTED,
    args::{self, Payload},
    call::{exact, parse, path, read, said},
    message581::BenchmarkMessage,
    output::{self, Table},
    runtime,
    services::{Args, Reply},
    style::Style,
    usage,
};
use farcall::{Client, ClientBuilder, Format, Limits, MethodInfo, Status, Target, Value, json};
use load::{Failure, Load, Measured, Shown};
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};
use tally::Tally;

/// Time to call for unless anything else ends it.
const DURATION: Duration = Duration::from_secs(5);

static MUL: MethodInfo = info("Arith", "Mul");
static ECHO: MethodInfo = info("Echo", "Echo");
static BIG: LazyLock<BenchmarkMessage> = LazyLock::new(BenchmarkMessage::sample);

const fn info(service: &'static str, name: &'static str) -> MethodInfo {
    MethodInfo { service, name, argument: "", idempotent: true, spawn: false }
}

/// Runs the command.
pub(crate) fn run(args: args::Bench) -> u8 {
    let plan = match Plan::new(&args) {
        Ok(plan) => plan,
        Err(text) => return usage(&text),
    };
    let runtime = match runtime(args.workers) {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let measured = match runtime.block_on(plan.carry_out(&args)) {
        Ok(measured) => measured,
        Err(status) => {
            output::failure(&status, args.json);
            return FAILED;
        }
    };
    // Callers that did not stop in time stay behind: they must not hold the process.
    runtime.shutdown_background();
    match args.json {
        true => output::value(&plan.as_value(&args, &measured)),
        false => plan.print(&args, &measured),
    }
    match (measured.interrupted, measured.tally.failed()) {
        (true, _) => INTERRUPTED,
        (false, 0) => DONE,
        (false, _) => FAILED,
    }
}

/// What to call, with what, how.
struct Plan {
    /// `Service.Method`
    name: String,
    work: Work,
    codec: Format,
    load: Load,
    /// A connection is one call's at a time.
    in_order: bool,
}

/// What the calls carry.
enum Work {
    Typed(Payload),
    Dynamic(Value),
}

impl Plan {
    fn new(args: &args::Bench) -> Result<Plan, String> {
        let target = Target::parse(&args.target).map_err(|status| said(&status))?;
        args.secure.check(&target)?;
        let wanted = match args.payload {
            Some(Payload::Tiny) => Some(("Arith", "Mul")),
            Some(Payload::Big) => Some(("Echo", "Echo")),
            None => None,
        };
        let (service, method) = match (path(&target, &args.target), wanted) {
            (Ok(path), None) => path,
            (Ok(path), Some(wanted)) if path == wanted => path,
            (Err(_), Some(wanted)) if target.service.is_none() => wanted,
            (_, Some((service, method))) => {
                return Err(format!("this payload is for /{service}/{method}"));
            }
            (Err(why), None) => return Err(format!("{why}, or --payload")),
        };
        let typed = match (args.argument.is_some(), service, method) {
            (false, "Arith", "Mul") => Some(Payload::Tiny),
            (false, "Echo", "Echo") => Some(Payload::Big),
            _ => None,
        };
        // Typed calls measure the library, so they go as it does by default.
        let default = match typed {
            Some(_) => target.protocol.default_format(),
            None if target.protocol.default_format() == Format::Gob => Format::Gob,
            None => Format::Json,
        };
        let codec = args.codec.unwrap_or(default);
        let work = match (typed, codec) {
            (_, Format::Raw) => return Err("raw bodies are not measured".to_owned()),
            (Some(payload), _) => Work::Typed(payload),
            (None, Format::Protobuf) => {
                return Err("protobuf needs a schema: leave out the JSON, and call /Arith/Mul or \
                            /Echo/Echo"
                    .to_owned());
            }
            (None, codec) => {
                let value = parse(&read(args.argument.as_deref(), codec)?)?;
                Work::Dynamic(exact(codec, value)?)
            }
        };
        let until = match (args.calls, args.duration) {
            (None, None) => Some(DURATION),
            (_, duration) => duration,
        };
        let shown = Shown::fitting(args.json);
        let load = Load { callers: args.callers, calls: args.calls, until, rate: args.rate, shown };
        let in_order = target.protocol.in_flight().is_some();
        Ok(Plan { name: format!("{service}.{method}"), work, codec, load, in_order })
    }

    /// Connections at most: one for every caller, where it takes one to call.
    fn connections(&self, args: &args::Bench) -> usize {
        if self.in_order { args.connections.max(args.callers) } else { args.connections }
    }

    async fn carry_out(&self, args: &args::Bench) -> Result<Measured, Status> {
        // Where a connection is one call's at a time, one client opens them as they are needed.
        let count = if self.in_order { 1 } else { args.connections };
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            let limits = Limits { call_time: Some(args.deadline), ..Limits::default() };
            let builder = ClientBuilder::<Client>::new(&args.target).limits(limits);
            let mut builder = args.several.apply(args.secure.apply(builder));
            if self.in_order {
                builder = builder.connections(self.connections(args));
            }
            let client = builder.format(self.codec).compress(args.compress).build().await?;
            clients.push(args.several.mark(client));
        }
        let warm = args.warmup.map(|time| Load { calls: None, until: Some(time), ..self.load });
        let loads: Vec<_> = warm.into_iter().chain([self.load]).collect();
        let mut measured = Measured::default();
        for load in loads {
            measured = self.round(load, &clients).await;
            if measured.interrupted {
                break;
            }
        }
        Ok(measured)
    }

    async fn round(&self, load: Load, clients: &[Client]) -> Measured {
        match &self.work {
            Work::Typed(Payload::Tiny) => {
                let tiny = |client: &Client| {
                    let call = client.method::<Args, Reply>(&MUL, Args { a: 7, b: 8 });
                    async move {
                        match call.await {
                            // A server may have been told to multiply by a factor.
                            Ok(reply) if reply.c != 0 && reply.c % 56 == 0 => Ok(()),
                            Ok(_) => Err(Failure::Wrong),
                            Err(status) => Err(Failure::Status(status)),
                        }
                    }
                };
                load.run(clients, tiny).await
            }
            Work::Typed(Payload::Big) => {
                let big = |client: &Client| {
                    // Sent by reference: what is measured is the call, not the copy.
                    let message: &'static BenchmarkMessage = &BIG;
                    let call = client
                        .method::<&'static BenchmarkMessage, BenchmarkMessage>(&ECHO, message);
                    async move {
                        match call.await {
                            // The first and the last field tell a real reply from an empty one;
                            // comparing all of it would measure the comparison.
                            Ok(r)
                                if r.field280 == 100_000 && r.field1.len() == BIG.field1.len() =>
                            {
                                Ok(())
                            }
                            Ok(_) => Err(Failure::Wrong),
                            Err(status) => Err(Failure::Status(status)),
                        }
                    }
                };
                load.run(clients, big).await
            }
            Work::Dynamic(value) => {
                let (name, value) = (self.name.clone(), Arc::new(value.clone()));
                let dynamic = move |client: &Client| {
                    let call = client.call_as::<Arc<Value>, Value>(&name, Arc::clone(&value));
                    async move { call.await.map(drop).map_err(Failure::Status) }
                };
                load.run(clients, dynamic).await
            }
        }
    }

    fn as_value(&self, args: &args::Bench, measured: &Measured) -> Value {
        let Measured { tally, elapsed, missed, interrupted } = measured;
        let micros = |q: f64| tally.quantile(q).as_nanos() as f64 / 1e3;
        let errors = tally.errors().map(|(kind, count, _)| (kind, Value::from(count)));
        json!({
            "target": args.target.as_str(),
            "method": self.name.as_str(),
            "codec": self.codec.name(),
            "compress": args.compress.to_string(),
            "callers": args.callers,
            "connections": self.connections(args),
            "rate": args.rate,
            "calls": tally.good(),
            "failed": tally.failed(),
            "seconds": rounded(elapsed.as_secs_f64(), 6),
            "calls_per_second": rounded(per_second(tally, *elapsed), 1),
            "p50_us": micros(0.5),
            "p90_us": micros(0.9),
            "p99_us": micros(0.99),
            "p99_9_us": micros(0.999),
            "max_us": micros(1.0),
            "errors": Value::object(errors),
            "not_started": *missed,
            "interrupted": *interrupted,
        })
    }

    fn print(&self, args: &args::Bench, measured: &Measured) {
        let Measured { tally, elapsed, missed, interrupted } = measured;
        let style = Style::stdout();
        let many = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let how = match args.rate {
            Some(rate) => format!("{rate} calls/s by the clock"),
            None => "closed loop".to_owned(),
        };
        output::line(&style.strong(&format!(
            "{} by {}, {} over {}, {how}",
            self.name,
            self.codec,
            many(args.callers, "caller"),
            many(self.connections(args), "connection"),
        )));
        let mut table = Table::new(&["calls", &tally.good().to_string()]);
        let mut row = |name: &str, text: String| table.row(vec![name.to_owned(), text]);
        row("seconds", format!("{:.3}", elapsed.as_secs_f64()));
        row("calls/s", format!("{:.0}", per_second(tally, *elapsed)));
        for (name, q) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)]
        {
            row(name, output::time(tally.quantile(q)));
        }
        row("failed", tally.failed().to_string());
        for (kind, count, example) in tally.errors() {
            row(&format!("  {kind}"), format!("{count}, such as: {example}"));
        }
        if *missed > 0 {
            row("not started", format!("{missed}: the callers could not keep up with the clock"));
        }
        if *interrupted {
            row("interrupted", "what was measured until then".to_owned());
        }
        let lines = table.lines(|_, column, cell| match column {
            0 => style.faint(cell),
            _ => cell.to_owned(),
        });
        lines.iter().for_each(|line| output::line(line));
    }
}

fn per_second(tally: &Tally, elapsed: Duration) -> f64 {
    match elapsed.as_secs_f64() {
        0.0 => 0.0,
        seconds => tally.good() as f64 / seconds,
    }
}

fn rounded(number: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (number * scale).round() / scale
}
