//! `farcall serve`: the example services on every address asked for, until a signal.

use crate::{
    DONE, FAILED, USAGE,
    args::{self, Serve, Threads},
    call::said,
    log, output, runtime, services,
};
use farcall::{
    Allow, Bound, CallLog, Deny, Limits, Listen, Metrics, RateLimit, Server, Status, Token,
    inherits,
};

/// Where it listens unless it is told.
const USUAL: &str = "tcp://127.0.0.1:8972";

/// Runs the command.
pub(crate) fn run(args: args::Serve) -> u8 {
    log::start();
    services::expect_panics();
    for url in &args.listen {
        if let Err(status) = Listen::parse(url) {
            output::error(&status.to_string());
            return USAGE;
        }
    }
    let rules = match Rules::new(&args) {
        Ok(rules) => rules,
        Err(status) => {
            output::error(&said(&status));
            return USAGE;
        }
    };
    // With threads of its own for connections, the server needs one to accept.
    let accepting = (args.threads == Threads::PerCore).then_some(1).or(args.workers);
    let runtime = match runtime(accepting) {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    match runtime.block_on(serve(args, rules)) {
        Ok(()) => DONE,
        Err(status) => {
            output::error(&status.to_string());
            FAILED
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
            token: args.auth_token.as_ref().map(Token::new),
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

async fn serve(args: args::Serve, rules: Rules) -> Result<(), Status> {
    let instance = args.instance.map(Into::into);
    let settings = services::Settings { factor: args.factor, instance };
    let guarded = rules.token.is_some();
    let Serve {
        drain_delay,
        drain_time,
        listen,
        log_slow,
        metrics,
        peer_rate,
        rate,
        secure,
        files,
        ..
    } = args;
    let drain_delay = drain_delay.unwrap_or_default();
    let limits = Limits { drain_delay, drain_time, ..Limits::default() };
    let server = files.apply(services::with(settings).reflection(), &limits).await?;
    let server = server.limits(limits).list_services().debug_rpc().health();
    // Counted first, so that what the rules refuse is counted too.
    let counted = Metrics::new();
    let (server, page) = match metrics {
        None => (server, None),
        Some(url) => (server.plug(counted.clone()), Some(counted.listen(url).await?)),
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
    let server = match (args.threads, args.workers) {
        (Threads::PerCore, Some(workers)) => server.per_core_of(workers),
        (Threads::PerCore, None) => server.per_core(),
        (Threads::Shared, _) => server,
    };
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
    // It is read until the last call has ended, whatever it hears of signals.
    let shown = tokio::spawn(page.run());
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
