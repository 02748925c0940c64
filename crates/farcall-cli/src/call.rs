//! `farcall call`: one call, JSON in, JSON out.

use crate::{
    DONE, FAILED, INTERRUPTED, args, curl, interrupted, output,
    style::Style,
    timed::{Steps, timed},
    typed, usage,
};
use bytes::Bytes;
use farcall::{
    Bounds, Client, ClientBuilder, Format, Limits, Meta, Shown, Status, Target, Value,
    format::{decode_within, encode_to_vec},
    json,
};
use std::{
    io::Read,
    time::{Duration, Instant},
};

/// Runs the command.
pub(crate) fn run(args: args::Call) -> u8 {
    if args.curl {
        return show_curl(&args);
    }
    let plan = match Plan::new(&args) {
        Ok(plan) => plan,
        Err(text) => return usage(&text),
    };
    // One call needs one thread.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&format!("cannot start: {error}"));
            return FAILED;
        }
    };
    let result = runtime.block_on(async {
        tokio::select! {
            result = plan.carry_out(&args) => Some(result),
            () = interrupted() => None,
        }
    });
    match result {
        Some(Ok(())) => DONE,
        Some(Err(Failed::Usage(text))) => usage(&text),
        Some(Err(Failed::Call(status))) => {
            output::failure(&status, args.json);
            FAILED
        }
        None => INTERRUPTED,
    }
}

/// Prints the call as a line for a shell, and calls nobody.
fn show_curl(args: &args::Call) -> u8 {
    match curl::line(args) {
        Ok(line) if args.json => output::value(&curl::as_value(&line)),
        Ok(line) => {
            if let Some(note) = &line.note {
                output::note(&format!("note: {note}"));
            }
            output::line(&line.text);
        }
        Err(text) => return usage(&text),
    }
    DONE
}

/// Why there is no answer.
enum Failed {
    /// The argument does not fit.
    Usage(String),
    /// The call failed.
    Call(Status),
}

impl From<Status> for Failed {
    fn from(status: Status) -> Failed {
        Failed::Call(status)
    }
}

/// What to call, with what.
struct Plan {
    /// `Service.Method`
    name: String,
    codec: Format,
    argument: Argument,
}

/// What the call carries.
enum Argument {
    /// A value that describes itself.
    Value(Value),
    /// JSON that a type will read.
    Typed(typed::Known, Bytes),
    /// Bytes as they are.
    Raw(Bytes),
}

impl Plan {
    fn new(args: &args::Call) -> Result<Plan, String> {
        let target = Target::parse(&args.target).map_err(|status| said(&status))?;
        args.secure.check(&target)?;
        let (service, method) = path(&target, &args.target)?;
        if args.auth.is_some() && target.protocol.auth_key().is_none() {
            return Err(format!("{} has no place for --auth", target.protocol.name()));
        }
        let name = format!("{service}.{method}");
        let codec = codec(args, &target);
        let text = read(args.argument.as_deref(), codec)?;
        let argument = match codec {
            Format::Raw => Argument::Raw(text),
            // Its own types are read off the value, which may say what JSON cannot.
            Format::Gob => match typed::known(service, method) {
                Some(known) if !says_types(&text)? => Argument::Typed(known, text),
                _ => Argument::Value(exact(codec, parse(&text)?)?),
            },
            Format::MsgPack => Argument::Value(exact(codec, parse(&text)?)?),
            Format::Protobuf => match typed::known(service, method) {
                Some(known) => Argument::Typed(known, text),
                None => {
                    return Err(format!(
                        "protobuf needs a schema, and none is known for {name}: use --codec json \
                         or msgpack, or raw with bytes that are encoded already"
                    ));
                }
            },
            _ => Argument::Value(parse(&text)?),
        };
        Ok(Plan { name, codec, argument })
    }

    async fn carry_out(&self, args: &args::Call) -> Result<(), Failed> {
        let talk = Talk { style: Style::stderr(), on: args.verbose };
        let deadline = args.deadline;
        talk.say(&format!("{} {} at {}", talk.style.strong("call"), self.name, args.target));
        let began = Instant::now();
        let client = connect(args).await.inspect_err(|status| talk.attempts(status))?;
        let connected = began.elapsed();
        let (protocol, address) = (client.target().protocol.name(), &client.target().address);
        let took = output::time(connected);
        talk.say(&format!("  {protocol} over {address}, found and connected in {took}"));

        let mut client = args
            .several
            .mark(client)
            .format(self.codec)
            .compress(args.compress)
            .deadline(deadline.saturating_sub(connected).max(Duration::from_millis(1)));
        for (key, value) in &args.meta {
            client = client.meta(key, value);
        }
        if let Some(token) = &args.auth {
            client = client.auth(&token.text);
        }
        talk.sent(self, args);
        let began = Instant::now();
        let (answer, steps) = self.send(&client, args.oneway).await?;
        let answer = answer.inspect_err(|status| {
            talk.attempts(status);
            talk.say(&format!("failed after {}", output::time(steps.total())));
            talk.say(&format!("  {steps}"));
        })?;
        match answer {
            Some((reply, meta)) => {
                talk.answered(&reply, &meta, &steps);
                match reply {
                    Reply::Value(value) => output::value(&value),
                    Reply::Raw(bytes) => output::data(&bytes),
                }
            }
            None => {
                // Nothing else would wait until it is written.
                let left = deadline.saturating_sub(began.elapsed());
                let closed = tokio::time::timeout(left, client.close()).await;
                closed.unwrap_or_else(|_| Err(unwritten()))?;
                talk.say(&format!("  on its way after {}", output::time(began.elapsed())));
            }
        }
        Ok(())
    }
}

impl Plan {
    /// Makes the call and times it.
    async fn send(&self, client: &Client, oneway: bool) -> Result<(Answered, Steps), Failed> {
        let as_value = |answer: Result<Option<(Value, Meta)>, Status>| {
            answer.map(|answer| answer.map(|(value, meta)| (Reply::Value(value), meta)))
        };
        Ok(match &self.argument {
            Argument::Value(value) => {
                let call = typed::send(client, &self.name, value.clone(), oneway);
                let (answer, steps) = timed(call).await;
                (as_value(answer), steps)
            }
            Argument::Typed(known, text) => {
                let start = (known.start)(client, &self.name, text, oneway);
                let call = start.map_err(|fault| {
                    Failed::Usage(format!("the argument does not fit {}: {fault}", self.name))
                })?;
                let (answer, steps) = timed(call).await;
                (as_value(answer), steps)
            }
            Argument::Raw(body) => {
                let call = typed::send::<Bytes, Bytes>(client, &self.name, body.clone(), oneway);
                let (answer, steps) = timed(call).await;
                (answer.map(|answer| answer.map(|(body, meta)| (Reply::Raw(body), meta))), steps)
            }
        })
    }

    /// The bytes that the argument takes, before compression.
    fn size(&self) -> Option<usize> {
        match &self.argument {
            Argument::Value(value) => {
                encode_to_vec(self.codec, value).ok().map(|bytes| bytes.len())
            }
            Argument::Typed(known, text) => (known.size)(self.codec, text).ok(),
            Argument::Raw(body) => Some(body.len()),
        }
    }
}

/// What came of a call; nothing comes back from a one-way call.
type Answered = Result<Option<(Reply, Meta)>, Status>;

/// What came back.
enum Reply {
    Value(Value),
    Raw(Bytes),
}

/// Connects within the deadline of the whole.
async fn connect(args: &args::Call) -> Result<Client, Status> {
    let limits = Limits::default();
    let connect_time = limits.connect_time.min(args.deadline);
    let builder = ClientBuilder::new(&args.target).limits(Limits { connect_time, ..limits });
    args.several.apply(args.secure.apply(builder)).build().await
}

fn unwritten() -> Status {
    Status::deadline_exceeded("the call could not be written before the deadline")
}

/// Says what happens, if anyone wants to know.
struct Talk {
    style: Style,
    on: bool,
}

impl Talk {
    fn say(&self, text: &str) {
        if self.on {
            output::note(text);
        }
    }

    fn sent(&self, plan: &Plan, args: &args::Call) {
        let compress = args.compress;
        let oneway = if args.oneway { ", one way" } else { "" };
        let size = plan.size().map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
        let how = format!("{}{size}, compression {compress}{oneway}", plan.codec);
        self.say(&format!("{} {how}, deadline {:?}", self.style.strong("sent"), args.deadline));
        self.meta(&args.meta);
        if args.auth.is_some() {
            self.say("  with a token");
        }
        let argument = match &plan.argument {
            Argument::Value(value) => output::render(value, false),
            Argument::Typed(_, text) => String::from_utf8_lossy(text).trim().to_owned(),
            Argument::Raw(_) => return,
        };
        self.say(&self.style.faint(&format!("  {argument}")));
    }

    fn answered(&self, reply: &Reply, meta: &Meta, steps: &Steps) {
        let size = match reply {
            Reply::Raw(bytes) => format!(", {} bytes", bytes.len()),
            Reply::Value(_) => String::new(),
        };
        let after = output::time(steps.total());
        self.say(&format!("{} after {after}{size}", self.style.strong("answered")));
        self.say(&format!("  {steps}"));
        self.meta(&meta.pairs());
    }

    /// What was tried before the last attempt.
    fn attempts(&self, status: &Status) {
        for (at, earlier) in status.earlier().iter().enumerate() {
            let (peer, text) = (earlier.peer().unwrap_or("?"), Shown(earlier.text()));
            self.say(&format!("  attempt {} at {peer}: {text}", at + 1));
        }
    }

    fn meta(&self, pairs: &[(String, String)]) {
        for (key, value) in pairs {
            self.say(&format!("  {}: {}", Shown(key), Shown(value)));
        }
    }
}

/// A status about what was typed, without what only calls have.
pub(crate) fn said(status: &Status) -> String {
    match status.hint() {
        Some(hint) => format!("{}; {hint}", status.text()),
        None => status.text().to_owned(),
    }
}

/// The service and the method that a target names.
pub(crate) fn path<'a>(target: &'a Target, url: &str) -> Result<(&'a str, &'a str), String> {
    match (&target.service, &target.method) {
        (Some(service), Some(method)) => Ok((service, method)),
        (Some(_), None) => Err(format!("`{url}` names no method: add /Method")),
        (None, _) => Err(format!("`{url}` names no service and method: add /Service/Method")),
    }
}

/// How the body travels: as asked for, or as JSON, the one that everyone reads, where it can.
pub(crate) fn codec(args: &args::Call, target: &Target) -> Format {
    args.codec.unwrap_or(match target.protocol.default_format() {
        Format::Gob => Format::Gob,
        _ => Format::Json,
    })
}

/// The argument's text: what was typed, standard input for `-`, a file's content for `@FILE`.
pub(crate) fn read(argument: Option<&str>, codec: Format) -> Result<Bytes, String> {
    let blank = if codec == Format::Raw { "" } else { "{}" };
    match argument {
        None => Ok(Bytes::from_static(blank.as_bytes())),
        Some("-") => {
            let mut text = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut text);
            read.map_err(|error| format!("cannot read standard input: {error}"))?;
            Ok(text.into())
        }
        Some(text) => match text.strip_prefix('@') {
            Some(file) => match std::fs::read(file) {
                Ok(text) => Ok(text.into()),
                Err(error) => Err(format!("cannot read `{file}`: {error}")),
            },
            None => Ok(Bytes::copy_from_slice(text.as_bytes())),
        },
    }
}

/// Reads JSON.
pub(crate) fn parse(text: &Bytes) -> Result<Value, String> {
    decode_within(Format::Json, text.clone(), Bounds::default())
        .map_err(|fault| format!("the argument is not JSON: {fault}"))
}

/// What JSON says of its own types, for formats that keep them.
pub(crate) fn exact(codec: Format, value: Value) -> Result<Value, String> {
    match codec {
        Format::Gob | Format::MsgPack => {
            json::exact(codec, value).map_err(|status| format!("the argument: {}", said(&status)))
        }
        _ => Ok(value),
    }
}

/// Whether some JSON says types of its own: then it is not read as the type that is known.
fn says_types(text: &Bytes) -> Result<bool, String> {
    let value = parse(text)?;
    Ok(exact(Format::Gob, value.clone())? != value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_must_name_a_method() {
        for (url, want) in [
            ("rpcx://h:1", Err("names no service")),
            ("rpcx://h:1/Arith", Err("names no method")),
            ("rpcx://h:1/Arith/Mul", Ok(("Arith", "Mul"))),
        ] {
            let target = Target::parse(url).expect(url);
            match (path(&target, url), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want),
                (Err(got), Err(want)) => assert!(got.contains(want), "{got}"),
                (got, _) => panic!("{url}: {got:?}"),
            }
        }
    }
}
