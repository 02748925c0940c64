//! `/debug/limits`: every limit with where it came from, and what else a review asks for.

use super::{HttpRequest, HttpResponse};
use crate::{net::Peer, server::Shared};
use farcall_core::{Amount, Limits, Value};
use std::net::IpAddr;

/// The page, for who may read it.
pub(super) fn page(server: &Shared, request: &HttpRequest) -> HttpResponse {
    match may_read(server, request) {
        Ok(()) => HttpResponse::json(text(server)).field("Cache-Control", "no-store"),
        Err(why) => {
            let message = Value::Text(format!("the limits are not shown: {why}"));
            let body =
                format!("{{\"error\":{{\"code\":\"permission_denied\",\"message\":{message}}}}}");
            HttpResponse::json(body).status(403)
        }
    }
}

/// Credentials were looked at before, where the server looks at any. Where it does not, only this
/// machine may read.
fn may_read(server: &Shared, request: &HttpRequest) -> Result<(), &'static str> {
    let known = server.settings.auth || request.cx().identity().is_some();
    if known || server.settings.shown_to_anyone {
        return Ok(());
    }
    let local = match request.cx().peer() {
        Peer::Tcp(address) => address.ip().to_canonical().is_loopback(),
        Peer::Unix { .. } => true,
        // In a process, requests may have come from anywhere before.
        Peer::Memory | Peer::Unknown => false,
    };
    if !local {
        return Err(
            "this server does not ask who calls, and so shows them on its own machine only",
        );
    }
    if ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
        .iter()
        .any(|name| request.field(name).is_some())
    {
        return Err("this server does not ask who calls, and the request came through a proxy");
    }
    match request.field("host") {
        Some(host) if !is_local(&host) => {
            Err("this server does not ask who calls, and another site may have given its own name \
                 to this address: ask for 127.0.0.1")
        }
        _ => Ok(()),
    }
}

/// Whether a `Host` is an address or a name of this machine. A site can have its name lead here, so
/// that its scripts read what a browser on this machine may (DNS rebinding).
fn is_local(host: &str) -> bool {
    let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if digits(port) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.is_empty() || name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

/// JSON for programs, a line for each limit for people.
fn text(server: &Shared) -> String {
    let settings = &server.settings;
    let doors = settings.doors.get().map(Vec::as_slice).unwrap_or_default().iter().map(|door| {
        let speaks = door.speaks.iter().map(|name| Value::from(*name)).collect();
        Value::object([
            ("url", Value::from(door.url.as_str())),
            ("tls", Value::Bool(door.tls)),
            ("reached_from", Value::from(door.reach.name())),
            ("speaks", Value::List(speaks)),
        ])
    });
    let findings = server.findings().into_iter().map(|finding| {
        Value::object([
            ("name", Value::from(finding.name)),
            ("text", Value::from(finding.text)),
            ("mend", Value::from(finding.mend)),
        ])
    });
    let pages = settings.pages.iter().map(|page| Value::from(*page)).collect();
    format!(
        "{{\"farcall\":{},\n\"limits\":{},\n\"listeners\":{},\n\"auth\":{},\n\
         \"client_certificates\":{},\n\"pages\":{},\n\"findings\":{}}}\n",
        Value::from(env!("CARGO_PKG_VERSION")),
        lines(limits(server)),
        lines(doors),
        settings.auth,
        Value::from(settings.clients.name()),
        Value::List(pages),
        lines(findings),
    )
}

fn limits(server: &Shared) -> impl Iterator<Item = Value> {
    let defaults = Limits::default();
    Limits::TABLE.iter().map(move |limit| {
        let (now, default) = (limit.get(&server.limits), limit.get(&defaults));
        let unit = match default {
            Amount::Bytes(_) => "bytes",
            Amount::Count(_) => "",
            Amount::Time(_) | Amount::None | Amount::Times(..) => "seconds",
        };
        Value::object([
            ("name", Value::from(limit.name)),
            ("value", plain(now)),
            ("unit", Value::from(unit)),
            ("text", Value::from(now.to_string())),
            ("default", Value::from(default.to_string())),
            ("set_by", Value::from(server.settings.limits.set_by(limit.name).to_string())),
            ("of", Value::from(limit.held_by.name())),
            ("bounds", Value::from(limit.bounds())),
        ])
    })
}

/// A number of bytes, things or seconds; null where there is no bound; two numbers for two times.
fn plain(amount: Amount) -> Value {
    match amount {
        Amount::Bytes(number) | Amount::Count(number) => Value::from(number),
        Amount::Time(time) => Value::Float(time.as_secs_f64()),
        Amount::None => Value::Null,
        Amount::Times(first, last) => {
            Value::List([first, last].map(|time| Value::Float(time.as_secs_f64())).into())
        }
    }
}

/// A list with a line for each item.
fn lines(items: impl Iterator<Item = Value>) -> String {
    let lines: Vec<_> = items.map(|item| item.to_string()).collect();
    match lines.is_empty() {
        true => "[]".to_owned(),
        false => format!("[\n{}\n]", lines.join(",\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn hosts() {
        let local =
            ["127.0.0.1:8972", "localhost", "LOCALHOST:1", "[::1]:8972", "[::1]", "10.0.0.1"];
        assert!(local.into_iter().chain([""]).all(is_local));
        let named =
            ["evil.example:8972", "127.0.0.1.evil.example", "localhost.evil.example", "a:b"];
        assert!(!named.into_iter().any(is_local));
    }
}
