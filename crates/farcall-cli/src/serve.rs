//! `farcall serve`: the example services on every address asked for, until a signal.

use crate::{DONE, FAILED, USAGE, args, log, output, runtime, services};
use farcall::{Bound, Code, Listen, Status};

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
    let runtime = match runtime(args.workers) {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    match runtime.block_on(serve(args)) {
        Ok(()) => DONE,
        Err(status) => {
            output::error(&status.to_string());
            FAILED
        }
    }
}

async fn serve(args: args::Serve) -> Result<(), Status> {
    let instance = args.instance.map(Into::into);
    let settings = services::Settings { factor: args.factor, instance };
    let server = services::with(settings).list_services();
    let server = args.secure.apply(server).map_err(Status::invalid_argument)?;
    let mut urls = args.listen.iter();
    let Some(first) = urls.next() else {
        return Err(Status::new(Code::InvalidArgument, "nowhere to listen"));
    };
    let mut bound = server.listen(first).await?;
    for url in urls {
        bound = bound.listen(url).await?;
    }
    announce(&bound);
    bound.run().await
}

fn announce(bound: &Bound) {
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
        output::note(&format!(
            "try: curl -d '{{\"A\":6,\"B\":7}}' {url}/Arith/Mul; all methods: curl {url}"
        ));
    }
}
