//! `farcall ls`: what a server says that it serves.

use crate::{
    files::{How, connected},
    output, usage,
};
use clap::Args;
use farcall::{Client, Format, Shown};

/// What a server says that it serves: services, methods and types
///
/// Asks rpcx's reflection (Reflection.GetServices), which describes services in the words of Go. A
/// server of farcall's has it where it was asked to; `farcall serve` does. Registries are not built
/// yet.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  farcall ls rpcx://127.0.0.1:8972
  farcall ls rpcx://127.0.0.1:8972 Arith")]
pub(crate) struct Ls {
    /// rpcx[+TRANSPORT]://HOST:PORT
    #[arg(value_name = "TARGET")]
    target: String,
    /// This service alone
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    #[command(flatten)]
    how: How,
}

/// Runs the command.
pub(crate) fn run(args: Ls) -> u8 {
    let Ls { target, service, how } = args;
    if !target.starts_with("rpcx") {
        return usage(&format!(
            "`{target}`: servers that speak rpcx can be asked; registries are not built yet"
        ));
    }
    connected(&target, how, async |client: Client| {
        let (method, name) = match &service {
            Some(name) => ("Reflection.GetService", name.clone()),
            None => ("Reflection.GetServices", String::new()),
        };
        let call = client.call_as::<String, String>(method, name).format(Format::MsgPack);
        // Its lines and tabs are its own; nothing else in it moves a cursor.
        let text = call.await?;
        for line in text.trim_end().split('\n') {
            let parts: Vec<_> = line.split('\t').map(|part| Shown(part).to_string()).collect();
            output::line(&parts.join("\t"));
        }
        Ok(())
    })
}
