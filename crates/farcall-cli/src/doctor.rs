//! `farcall doctor`: the limits of a running server, where each came from, and what is not safe.
//!
//! The page is read as a call over HTTP, so that TLS, sockets, tokens and deadlines are those of
//! every other call.

use crate::{
    DONE, FAILED, args,
    call::said,
    output::{self, Table},
    runtime,
    style::Style,
    usage,
};
use farcall::{Address, Client, ClientBuilder, Code, Limits, Shown, Status, Target, Value, json};
use std::{fmt::Write as _, net::IpAddr};

/// Runs the command.
pub(crate) fn run(args: args::Doctor) -> u8 {
    let place = match Place::parse(&args.address) {
        Ok(place) => place,
        Err(text) => return usage(&text),
    };
    match Target::parse(&place.url).map(|target| args.secure.check(&target)) {
        Ok(Ok(())) => {}
        Ok(Err(text)) => return usage(&text),
        Err(status) => return usage(&said(&status)),
    }
    let runtime = match runtime(Some(1)) {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let page = match runtime.block_on(read(&args, &place)) {
        Ok(page) => page,
        Err(status) => {
            output::failure(&status, args.json);
            return FAILED;
        }
    };
    let page = match (&args.auth, place.open) {
        (Some(_), true) => with_finding(page),
        _ => page,
    };
    match args.json {
        true => output::value(&page),
        false => print(&args.address, &page),
    }
    let unsafe_ones = page.get("findings").map_or(0, |findings| list(findings).len());
    if args.strict && unsafe_ones > 0 { FAILED } else { DONE }
}

/// Where the page is.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// As a target for calls over HTTP.
    url: String,
    /// What is sent there can be read on its way.
    open: bool,
}

impl Place {
    /// Reads `HOST:PORT`, what servers print (`tcp://`, `tls://`, `unix://`), or a target.
    fn parse(address: &str) -> Result<Place, String> {
        let Some((scheme, rest)) = address.split_once("://") else {
            return Place::parse(&format!("tcp://{address}"));
        };
        let as_target = match scheme {
            "tcp" => format!("http://{rest}"),
            "tls" => format!("https://{rest}"),
            "unix" => {
                let path = rest.split('?').next().unwrap_or_default();
                format!("http+unix://{}", path.replace('/', "%2F"))
            }
            _ => address.to_owned(),
        };
        // What may be said where one listens says nothing here.
        let as_target = match (scheme, as_target.split_once("?speak=")) {
            ("tcp" | "tls", Some((target, _))) => target.to_owned(),
            _ => as_target,
        };
        let target = Target::parse(&as_target).map_err(|status| said(&status))?;
        let options = as_target.split_once('?').map_or("", |(_, options)| options);
        Ok(match &target.address {
            Address::Tcp(host) => Place { url: format!("http://{host}"), open: !is_local(host) },
            Address::Tls(host, _) => {
                let files = options.split('&').filter(|option| !option.starts_with("path="));
                let files: Vec<_> = files.filter(|option| !option.is_empty()).collect();
                let mark = if files.is_empty() { "" } else { "?" };
                Place { url: format!("https://{host}{mark}{}", files.join("&")), open: false }
            }
            Address::Unix(path) => {
                let path = path.display().to_string().replace('%', "%25").replace('/', "%2F");
                let path = path.replace('?', "%3F");
                Place { url: format!("http+unix://{path}"), open: false }
            }
            Address::Several(_) => {
                return Err(format!("`{address}` are several servers: name one of them"));
            }
            Address::Memory(_) | Address::Inherited(_) | Address::Given => {
                return Err(format!("`{address}` cannot be reached from another process"));
            }
        })
    }
}

/// Whether what goes to `host:port` stays on this machine.
fn is_local(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let loopback = |ip: IpAddr| ip.to_canonical().is_loopback();
    bare.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(loopback)
}

/// Reads the page.
async fn read(args: &args::Doctor, place: &Place) -> Result<Value, Status> {
    let limits = Limits::default();
    let connect_time = limits.connect_time.min(args.deadline);
    let limits = Limits { connect_time, call_time: Some(args.deadline), ..limits };
    let builder = ClientBuilder::<Client>::new(&place.url).limits(limits);
    let mut client = args.secure.apply(builder).build().await?;
    if let Some(token) = &args.auth {
        client = client.auth(&token.text);
    }
    let page = client.call_as::<Value, Value>("debug.limits", json!({})).await;
    let page = page.map_err(|status| match status.code() {
        Code::NotFound | Code::Unimplemented => status.with_hint(
            "the server does not show its limits: it is built without Server::debug_limits, or \
             was started with --debug-limits off",
        ),
        Code::Unauthenticated => status.with_hint("send its token: --auth @FILE"),
        _ => status,
    })?;
    // A page that says nothing of what is unsafe must not read as if nothing were.
    match is_page(&page) {
        true => Ok(page),
        false => Err(Status::data_loss("what is at /debug/limits are no limits of farcall")),
    }
}

/// Whether this is what a server of farcall shows.
fn is_page(page: &Value) -> bool {
    let texts = |item: &Value, keys: &[&str]| {
        keys.iter().all(|key| matches!(item.get(key), Some(Value::Text(_))))
    };
    let all = |key: &str, keys: &[&str]| match page.get(key) {
        Some(Value::List(items)) => items.iter().all(|item| texts(item, keys)),
        _ => false,
    };
    texts(page, &["farcall", "client_certificates"])
        && matches!(page.get("auth"), Some(Value::Bool(_)))
        && all("limits", &["name", "text", "default", "set_by", "of"])
        && all("listeners", &["url", "reached_from"])
        && all("findings", &["name", "text", "mend"])
        && page.get("limits").is_some_and(|limits| !list(limits).is_empty())
}

/// What only the caller can know.
fn with_finding(page: Value) -> Value {
    let Value::Map(mut entries) = page else { return page };
    let finding = json!({
        "name": "token-in-the-open",
        "text": "this call sent the token to another machine without TLS",
        "mend": "call over TLS, and take a new token",
    });
    let is_findings = |key: &Value| key.as_str() == Some("findings");
    match entries.iter_mut().find(|(key, _)| is_findings(key)) {
        Some((_, Value::List(findings))) => findings.push(finding),
        _ => entries.push(("findings".into(), Value::List(vec![finding]))),
    }
    Value::Map(entries)
}

fn list(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        _ => &[],
    }
}

/// Text under a key; nothing of it moves a terminal's cursor.
fn text(value: &Value, key: &str) -> String {
    match value.get(key) {
        Some(Value::Text(text)) => Shown(text).to_string(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn print(address: &str, page: &Value) {
    let style = Style::stdout();
    let of = |key: &str| page.get(key).map(list).unwrap_or_default();
    output::line(&style.strong(&format!("farcall {} at {address}", text(page, "farcall"))));
    let mut table = Table::new(&["limit", "value", "default", "set by", "of"]);
    let limits = of("limits");
    for limit in limits {
        let cells = ["name", "text", "default", "set_by", "of"].map(|key| text(limit, key));
        table.row(cells.into());
    }
    let changed = |row: usize| {
        let limit = row.checked_sub(1).and_then(|at| limits.get(at));
        limit.is_some_and(|limit| text(limit, "set_by") != "default")
    };
    let lines = table.lines(|row, column, cell| match (row, column) {
        (0, _) => style.faint(cell),
        (row, 1 | 3) if changed(row) => style.strong(cell),
        (_, 2 | 4) => style.faint(cell),
        _ => cell.to_owned(),
    });
    lines.iter().for_each(|line| output::line(line.trim_end()));
    output::line("");
    for door in of("listeners") {
        let tls = if door.get("tls") == Some(&Value::Bool(true)) { "TLS" } else { "no TLS" };
        let speaks: Vec<_> = door.get("speaks").map(list).unwrap_or_default().iter().collect();
        let speaks: Vec<_> = speaks.into_iter().filter_map(Value::as_str).collect();
        let from = text(door, "reached_from");
        let mut line = format!("{}: {tls}, reached from {from}", text(door, "url"));
        let _ = write!(line, ", speaks {}", speaks.join(", "));
        output::line(&Shown(&line).to_string());
    }
    let auth = page.get("auth") == Some(&Value::Bool(true));
    output::line(match auth {
        true => "callers are asked for credentials",
        false => "callers are not asked for credentials",
    });
    let certificates = match text(page, "client_certificates").as_str() {
        "none" => "not asked for".to_owned(),
        other => other.to_owned(),
    };
    output::line(&format!("client certificates: {certificates}"));
    output::line("");
    let findings = of("findings");
    for finding in findings {
        output::line(&format!(
            "{} {}: {}",
            style.bad("not safe:"),
            style.strong(&text(finding, "name")),
            text(finding, "text")
        ));
        output::line(&format!("  {}", text(finding, "mend")));
    }
    match findings.len() {
        0 => output::line(&style.good("nothing is known to be unsafe")),
        count => output::line(&format!("{count} not safe")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        for (address, url, open) in [
            ("127.0.0.1:8972", "http://127.0.0.1:8972", false),
            ("localhost:8972", "http://localhost:8972", false),
            ("[::1]:1", "http://[::1]:1", false),
            ("example.org:8972", "http://example.org:8972", true),
            ("tcp://10.0.0.1:1?speak=http", "http://10.0.0.1:1", true),
            ("tls://example.org:1", "https://example.org:1", false),
            ("rpcx+tls://h:1/Arith/Mul?ca=%2Fa", "https://h:1?ca=%2Fa", false),
            ("unix:///run/a.sock", "http+unix://%2Frun%2Fa.sock", false),
            ("netrpc+unix://%2Frun%2Fa.sock", "http+unix://%2Frun%2Fa.sock", false),
            ("https://h:1/x", "https://h:1", false),
        ] {
            let place = Place { url: url.to_owned(), open };
            assert_eq!(Place::parse(address), Ok(place), "{address}");
        }
        for (address, why) in [
            ("127.0.0.1", "no port"),
            ("mem://here", "not a target"),
            ("rpcx+mem://here", "from another process"),
            ("smtp://h:1", "not built"),
        ] {
            let error = Place::parse(address).expect_err(address);
            assert!(error.contains(why), "{address}: {error}");
        }
    }
}
