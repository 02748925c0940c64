//! HTTP/1.1, both sides: the same however the bytes are cut; answers that our own client reads, as
//! many as there were requests; requests that say what was asked and nothing else; and what is
//! behind `CONNECT`.

#![no_main]

use farcall_core::{Compress, Found, Limits, MethodId, Routes, Shaped, Streams};
use farcall_fuzz::{Table, feed, limits, serve, settings, site::Site};
use farcall_wire::{
    CallHead, Event, Fed, Head, Out, OverHttp, Place, Protocol, Side, Tunnel, Wire, compress,
    http1::{self, Http, Opening},
    jsonrpc,
    netrpc::NetRpc,
    rpcx::Rpcx,
};
use libfuzzer_sys::fuzz_target;
use std::{collections::BTreeSet, sync::Mutex, time::Duration};

fuzz_target!(|data: &[u8]| {
    let Some(([flags, cuts, dice], bytes)) = settings(data) else { return };
    let which = flags >> 2 & 3;
    match flags & 3 {
        0 => server(&Site::new(which), bytes, [flags, cuts, dice]),
        1 => client(&Http, bytes, [flags, cuts, dice]),
        2 => client(posts(which), bytes, [flags, cuts, dice]),
        _ if which < 2 => tunnel(which == 0, bytes, [flags, cuts, dice]),
        _ => asks(bytes, which == 2),
    }
});

fn most(flags: u8) -> usize {
    1 + usize::from(flags >> 4)
}

/// JSON-RPC over HTTP.
fn posts(which: u8) -> &'static dyn Protocol {
    let version: &dyn Protocol = if which & 1 == 0 { &jsonrpc::V2 } else { &jsonrpc::V1 };
    let Some(OverHttp::Requests(posts)) = version.over_http() else { panic!("it goes over HTTP") };
    posts
}

fn server(site: &Site, bytes: &[u8], [flags, cuts, dice]: [u8; 3]) {
    let limits = limits();
    let open = || Http.open(Side::Server, &limits);
    feed::check(&open, site, bytes, cuts, most(flags));
    let served = serve::serve(&mut *open(), site, &feed::pieces(bytes, cuts), dice);
    let all = (served.answered.len(), served.out.len());
    let (answered, end) = served.became.map_or(all, |(_, answered, end)| (answered, end));
    // The calls of a batch have one answer.
    let requests: BTreeSet<u64> = served.answered[..answered].iter().copied().collect();
    let (mut said, behind) = served.out.split_at(end);
    if let Some((name, ..)) = served.became {
        let (protocol, status) = connected(name);
        let status = format!("HTTP/1.0 {status}\n\n");
        said = said.strip_suffix(status.as_bytes()).expect("it is connected");
        let mut client = protocol.open(Side::Client, &Limits::default());
        let replies = feed::feed(&mut *client, &(), &[behind], usize::MAX);
        assert!(replies.end.is_ok(), "{served:?} {replies:?}");
        let calls = served.answered.len() - answered;
        assert!(served.end.is_err() || replies.events.len() >= calls, "{served:?}");
    }
    // Answers to HEAD have a length and no body: only who asked can read them.
    if bytes.windows(5).any(|word| word == b"HEAD ") {
        return;
    }
    let (count, has_304) = answers(said);
    assert!(count >= requests.len(), "{served:?}");
    // To a client that asked for no such thing, 304 is the end.
    if !has_304 {
        // `100 Continue` may be the last that was said, to a request whose body has not come.
        let mut client = asked(&Http, count + 1, &Limits::default());
        let replies = feed::feed(&mut *client, &(), &[said], usize::MAX);
        assert!(replies.end.is_ok() && replies.events.len() == count, "{served:?} {replies:?}");
    }
}

fn connected(name: &str) -> (&'static dyn Protocol, &'static str) {
    let protocol: &dyn Protocol = if name == "rpcx" { &Rpcx } else { &NetRpc };
    assert_eq!(protocol.name(), name);
    (protocol, protocol.connected().expect("it is reached by `CONNECT`"))
}

/// A client that waits for so many answers.
fn asked(protocol: &dyn Protocol, count: usize, limits: &Limits) -> Box<dyn Wire> {
    let mut wire = protocol.open(Side::Client, limits);
    let mut out = Out::new();
    for seq in 1..=count as u64 {
        call(&mut *wire, &mut out, seq, ["Arith", "Mul"], &[], seq % 3 == 0);
    }
    wire
}

fn call(
    wire: &mut dyn Wire,
    out: &mut Out,
    seq: u64,
    [service, method]: [&str; 2],
    meta: &[(String, String)],
    oneway: bool,
) {
    let head = CallHead {
        seq,
        service,
        method,
        format: farcall_core::Format::Json,
        compress: if oneway { Compress::None } else { Compress::Gzip },
        oneway,
        timeout: (seq % 2 == 0).then_some(Duration::from_micros(1500)),
        meta,
        shape: &<() as Shaped>::SHAPE,
        streams: Streams::default(),
    };
    let mark = wire.begin(Head::Call(head), out);
    out.tail().extend_from_slice(b"null");
    wire.end(mark, out);
}

fn client(protocol: &dyn Protocol, bytes: &[u8], [flags, cuts, dice]: [u8; 3]) {
    let limits = limits();
    let count = usize::from(dice % 8);
    let seen = feed::check(&|| asked(protocol, count, &limits), &(), bytes, cuts, most(flags));
    assert!(seen.out.is_empty() && seen.events.len() <= count);
    for (index, event) in seen.events.iter().enumerate() {
        let Event::Reply(reply) = event else { panic!("{event:?}") };
        assert_eq!(reply.seq, index as u64 + 1);
        // Whoever shows it may.
        drop((reply.meta.pairs(), reply.error.as_ref().map(ToString::to_string)));
        let most = limits.unfolded_bytes;
        if let Ok(body) = compress::unfold(reply.compress, reply.body.bytes.clone(), most) {
            assert!(body.len() <= most || reply.compress == Compress::None);
        }
    }
}

/// What a server answers to `CONNECT`, and what is behind it.
fn tunnel(rpcx: bool, bytes: &[u8], [flags, cuts, _]: [u8; 3]) {
    let limits = limits();
    let protocol: &dyn Protocol = if rpcx { &Rpcx } else { &NetRpc };
    let Some(OverHttp::Tunnel(tunnel)) = protocol.over_http() else { panic!("it is a tunnel") };
    let whole = opening(tunnel, &limits, &[bytes]);
    let cut = opening(tunnel, &limits, &feed::pieces(bytes, cuts.max(1)));
    assert_eq!(whole, cut);
    if let Ok(Some(end)) = whole {
        let open = || protocol.open(Side::Client, &limits);
        feed::check(&open, &(), &bytes[end..], cuts, most(flags));
    }
}

fn opening(tunnel: Tunnel, limits: &Limits, pieces: &[&[u8]]) -> Result<Option<usize>, String> {
    let (mut opening, _) = Opening::new(tunnel, None, limits.head_bytes);
    let mut all = Vec::new();
    for piece in pieces {
        all.extend_from_slice(piece);
        match opening.read(&all) {
            Ok(None) => {}
            said => return said,
        }
    }
    Ok(None)
}

/// Whatever a call's names and metadata are, a server finds one request, and these.
fn asks(bytes: &[u8], json_rpc: bool) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut texts = bytes.split(|b| *b == 0).map(text);
    let mut next = || texts.next().unwrap_or_default();
    let (host, service, method) = (next(), next(), next());
    let mut meta = Vec::new();
    while meta.len() < 8
        && let (Some(key), Some(value)) = (texts.next(), texts.next())
    {
        meta.push((key, value));
    }
    let (protocol, limits): (&dyn Protocol, _) = (
        if json_rpc { posts(0) } else { &Http },
        Limits { head_bytes: 1 << 20, name_bytes: 1 << 20, ..Limits::default() },
    );
    let mut client = protocol.open_to(&Place { host: &host, path: None }, &limits);
    let mut out = Out::new();
    call(&mut *client, &mut out, 1, [&service, &method], &meta, false);
    call(&mut *client, &mut out, 2, ["Arith", "Mul"], &[], false);
    let said = feed::take(&mut out);
    let names = Names(Mutex::new(Vec::new()));
    let mut server = Http.open(Side::Server, &limits);
    let seen = feed::feed(&mut *server, &names, &[&said], usize::MAX);
    let found = names.0.into_inner().unwrap_or_default();
    if seen.end == Err(http1::Broken::Host.into()) {
        // Nobody is dialled at what is no host.
        return assert!(found.is_empty() && !host.bytes().all(|b| b.is_ascii_alphanumeric()));
    }
    assert_eq!(seen.end, Ok(Fed::Hungry { need: 0 }), "{}", text(&said));
    let last = (b"Arith".to_vec(), b"Mul".to_vec());
    assert_eq!(found.last(), Some(&last), "{}", text(&said));
    if json_rpc {
        // What has no dot is no name there.
        return assert!(found.len() <= 2 && seen.events.len() <= 2, "{found:?}");
    }
    assert_eq!(found, [(service.into_bytes(), method.into_bytes()), last]);
    let [Event::Call(first), Event::Call(_)] = &seen.events[..] else { panic!("{seen:?}") };
    let pairs = first.meta.pairs();
    for (key, _) in pairs.iter().filter(|(key, _)| !key.starts_with("x-meta")) {
        let ours = ["host", "content-type", "content-length", "accept-encoding", "x-timeout-ms"];
        let known = meta.iter().any(|(k, _)| k.eq_ignore_ascii_case(key));
        assert!(ours.contains(&&**key) || known, "{key:?} of {meta:?}");
    }
}

/// Every method is there; keeps what was looked for.
struct Names(Mutex<Vec<(Vec<u8>, Vec<u8>)>>);

impl Routes for Names {
    fn find(&self, service: &[u8], method: &[u8]) -> Found {
        let mut names = self.0.lock().expect("one thread");
        names.push((service.to_vec(), method.to_vec()));
        Found::Method(MethodId(0))
    }

    fn names(&self, each: &mut dyn FnMut(&str, &str)) -> bool {
        Table.names(each)
    }
}

/// Reads answers as RFC 9112 §6.3 says; how many there are, and whether 304 is among them.
fn answers(mut rest: &[u8]) -> (usize, bool) {
    let (mut count, mut has_304) = (0, false);
    while !rest.is_empty() {
        let end = rest.windows(4).position(|w| w == b"\r\n\r\n").expect("a whole head");
        // A browser is told the names of fields that it asked for, whatever they are.
        let head = String::from_utf8_lossy(&rest[..end]);
        assert!(!head.replace("\r\n", "").contains(['\r', '\n', '\0']), "{head:?}");
        let status: u16 = head
            .strip_prefix("HTTP/1.1 ")
            .and_then(|line| line.get(..3)?.parse().ok())
            .expect("a line of status");
        rest = &rest[end + 4..];
        if status < 200 {
            continue;
        }
        let mut lengths = head.split("\r\n").filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim())
        });
        let length = lengths.next();
        assert!(lengths.next().is_none(), "{head}");
        if !matches!(status, 204 | 304) {
            let length: usize = length.and_then(|length| length.parse().ok()).expect("a length");
            std::str::from_utf8(&rest[..length]).expect("text");
            rest = &rest[length..];
        }
        has_304 |= status == 304;
        count += 1;
    }
    (count, has_304)
}
