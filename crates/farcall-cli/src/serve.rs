//! `farcall serve`: the example services on every address asked for, until a signal.

use crate::{
    DONE, FAILED, USAGE,
    args::{self, Secret, Serve, Shown, Threads},
    call::said,
    log, output, runtime, services, usage,
};
use farcall::{
    Allow, Amount, Bound, CallLog, Code, Deny, Finding, Listen, Metrics, RateLimit, Server, SetBy,
    SourcedLimits, Status, Token, inherits,
};
use std::{net::SocketAddr, path::Path};

/// Where it listens unless it is told.
const USUAL: &str = "tcp://127.0.0.1:8972";

/// Runs the command.
pub(crate) fn run(args: args::Serve) -> u8 {
    log::start();
    services::expect_panics();
    for url in &args.listen {
        if let Err(status) = Listen::parse(url) {
            return usage(&said(&status));
        }
    }
    let rules = match Rules::new(&args) {
        Ok(rules) => rules,
        Err(status) => return usage(&said(&status)),
    };
    let limits = match limits(&args) {
        Ok(limits) => limits,
        Err(why) => return usage(&why),
    };
    // With threads of its own for connections, the server needs one to accept.
    let accepting = (args.threads == Threads::PerCore).then_some(1).or(args.workers);
    let runtime = match runtime(accepting) {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    match runtime.block_on(serve(args, rules, limits)) {
        Ok(()) => DONE,
        Err(status) => {
            output::error(&said(&status));
            if status.code() == Code::InvalidArgument { USAGE } else { FAILED }
        }
    }
}

/// Who may call.
struct Rules {
    allow: Option<Allow>,
    deny: Option<Deny>,
    token: Option<Token>,
}

impl Rules {
    fn new(args: &args::Serve) -> Result<Rules, Status> {
        let some = |ranges: &[String]| !ranges.is_empty();
        Ok(Rules {
            allow: some(&args.allow).then(|| Allow::new(&args.allow)).transpose()?,
            deny: some(&args.deny).then(|| Deny::new(&args.deny)).transpose()?,
            token: args.auth_token.as_ref().map(|secret| Token::new(&secret.text)),
        })
    }

    fn put(self, mut server: Server) -> Server {
        if let Some(deny) = self.deny {
            server = server.plug(deny);
        }
        if let Some(allow) = self.allow {
            server = server.plug(allow);
        }
        match self.token {
            Some(token) => server.auth(token),
            None => server,
        }
    }
}

/// A variable with limits, between semicolons.
const VARIABLE: &str = "FARCALL_LIMITS";

/// The limits of the file, then of the environment, then of the flags.
fn limits(args: &Serve) -> Result<SourcedLimits, String> {
    let mut limits = SourcedLimits::default();
    if let Some(file) = &args.limits {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|error| format!("cannot read {name}: {error}"))?;
        limits.read(&text, &SetBy::File(name))?;
    }
    if let Some(text) = std::env::var_os(VARIABLE) {
        let text = text.into_string().map_err(|_| format!("{VARIABLE} is not UTF-8"))?;
        limits.read(&text, &SetBy::Environment(VARIABLE.to_owned()))?;
    }
    for (name, value) in &args.limit {
        limits.set(name, value, SetBy::Flag("--limit".to_owned()))?;
    }
    let times = [
        ("drain_delay", "--drain-delay", args.drain_delay),
        ("drain_time", "--drain-time", args.drain_time),
    ];
    for (name, flag, time) in times {
        if let Some(time) = time {
            let text = Amount::Time(time).to_string();
            limits.set(name, &text, SetBy::Flag(flag.to_owned()))?;
        }
    }
    Ok(limits)
}

/// Fewer letters can be guessed.
const TOKEN_LETTERS: usize = 16;

/// Whether everybody on the machine may read a file.
#[cfg(unix)]
fn for_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
}

/// Other systems say such things in other words.
#[cfg(not(unix))]
fn for_others(_: &Path) -> bool {
    false
}

/// What is not safe about a token.
fn findings(secret: &Secret) -> Vec<Finding> {
    let mut findings = Vec::new();
    if secret.typed() {
        findings.push(Finding::new(
            "secret-on-command-line",
            "every user of the machine can see --auth-token in the list of processes",
            "put the token into a file that only the server can read: --auth-token @FILE",
        ));
    }
    if let Some(file) = secret.file.as_deref().filter(|file| for_others(file)) {
        let file = file.display();
        findings.push(Finding::new(
            "open-token",
            format!("every user of the machine can read the token in {file}"),
            format!("chmod 600 {file}, and take a new token"),
        ));
    }
    if secret.text.chars().count() < TOKEN_LETTERS {
        findings.push(Finding::new(
            "short-token",
            format!("--auth-token has fewer than {TOKEN_LETTERS} letters and can be guessed"),
            "take a random one: openssl rand -hex 16",
        ));
    }
    findings
}

/// What is not safe about a page of counts: nobody is asked who reads it.
fn open_page(page: &Bound) -> Option<Finding> {
    let of_network = |url: &&String| {
        let place = url.strip_prefix("tcp://").and_then(|place| place.parse::<SocketAddr>().ok());
        place.is_some_and(|place| !place.ip().to_canonical().is_loopback())
    };
    let url = page.addresses().iter().find(of_network)?.clone();
    Some(Finding::new(
        "open-metrics",
        format!("everybody who reaches {url} can read what is called here, and how often"),
        "show the counts on 127.0.0.1 or where Prometheus alone connects: --metrics",
    ))
}

async fn serve(args: Serve, rules: Rules, limits: SourcedLimits) -> Result<(), Status> {
    let instance = args.instance.map(Into::into);
    let settings = services::Settings { factor: args.factor, instance };
    let guarded = rules.token.is_some();
    let Serve {
        listen,
        secure,
        auth_token,
        debug_limits,
        log_slow,
        metrics,
        peer_rate,
        rate,
        files,
        ..
    } = args;
    let server = services::with(settings).reflection();
    let server = files.apply(server, limits.limits()).await?;
    let server = server.limits(limits).list_services().debug_rpc().health();
    // Counted first, so that what the rules refuse is counted too.
    let counted = Metrics::new();
    let (server, page) = match metrics {
        None => (server, None),
        Some(url) => {
            let page = counted.listen(url).await?;
            let server = open_page(&page).into_iter().fold(server, Server::finding);
            (server.plug(counted.clone()), Some(page))
        }
    };
    let server = match log_slow {
        None => server,
        Some(time) => server.plug(CallLog::new().slow(time).only_slow()),
    };
    let mut limit = RateLimit::new();
    if let Some(rate) = rate {
        limit = limit.server(rate);
    }
    if let Some(rate) = peer_rate {
        limit = limit.peer(rate);
    }
    let limited = rate.or(peer_rate).is_some();
    let server = if limited { server.plug(limit) } else { server };
    let mut server = match (args.threads, args.workers) {
        (Threads::PerCore, Some(workers)) => server.per_core_of(workers),
        (Threads::PerCore, None) => server.per_core(),
        (Threads::Shared, _) => server,
    };
    server = match debug_limits {
        Shown::Off => server,
        Shown::Local => server.debug_limits(),
        Shown::Anyone => server.debug_limits_for_anyone(),
    };
    for finding in auth_token.iter().flat_map(findings) {
        server = server.finding(finding);
    }
    let server = secure.apply(rules.put(server)).map_err(Status::invalid_argument)?;
    let mut urls = listen.iter();
    let mut bound = match urls.next() {
        Some(first) => server.listen(first).await?,
        None if inherits()? => server.serve_inherited()?,
        None => server.listen(USUAL).await?,
    };
    for url in urls {
        bound = bound.listen(url).await?;
    }
    announce(&bound, guarded);
    let Some(page) = page else { return bound.run().await };
    let place = page.addresses().concat().replacen("tcp://", "http://", 1);
    output::line(&format!("metrics on {place}/metrics"));
    // It is read until the last call has ended: the signal that ends the services is not for it.
    let shown = tokio::spawn(page.run_until(std::future::pending()));
    let served = bound.run().await;
    shown.abort();
    served
}

fn announce(bound: &Bound, guarded: bool) {
    for address in bound.addresses() {
        output::line(&format!("listening on {address}"));
    }
    let reachable = |address: &String| {
        let (scheme, place) = match address.split_once("://")? {
            ("tcp", place) => ("http", place),
            ("tls", place) => ("https", place),
            _ => return None,
        };
        // Nobody connects to "everywhere".
        let place = place.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]");
        Some(format!("{scheme}://{place}"))
    };
    if let Some(url) = bound.addresses().iter().find_map(reachable) {
        if guarded {
            output::note(&format!(
                "try: curl -H 'Authorization: Bearer TOKEN' -d '{{\"A\":6,\"B\":7}}' \
                 {url}/Arith/Mul"
            ));
            return;
        }
        output::note(&format!(
            "try: curl -d '{{\"A\":6,\"B\":7}}' {url}/Arith/Mul; all methods: curl {url}"
        ));
    }
}
