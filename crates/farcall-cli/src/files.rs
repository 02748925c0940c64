//! `farcall send` and `farcall fetch`: files of servers that have rpcx's file transfer, and the
//! flags by which `farcall serve` is one.

use crate::{DONE, FAILED, INTERRUPTED, interrupted, output, secure::ClientFlags, usage};
use clap::Args;
use farcall::{Client, ClientBuilder, Files, Limits, Server, Side, Status, Target};
use std::{future::Future, path::PathBuf, time::Duration};

/// Sends files to a server that takes them
///
/// The server's rpcx file transfer (_filetransfer) is asked for a place, and the bytes go over a
/// plain TCP connection of their own, whatever the call goes over. A server of farcall's says when
/// a file was kept; one of Go's does not.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  farcall serve --files ./shared
  farcall send rpcx://127.0.0.1:8972 picture.png notes.txt")]
pub(crate) struct Send {
    /// PROTOCOL[+TRANSPORT]://HOST:PORT
    #[arg(value_name = "TARGET")]
    target: String,
    /// What to send
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Metadata for the server's handler; may be given several times
    #[arg(long, value_name = "K=V", value_parser = crate::args::pair)]
    meta: Vec<(String, String)>,
    #[command(flatten)]
    how: How,
}

/// Fetches a file of a server that gives some
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  farcall fetch rpcx://127.0.0.1:8972 picture.png
  farcall fetch rpcx://127.0.0.1:8972 picture.png copy.png")]
pub(crate) struct Fetch {
    /// PROTOCOL[+TRANSPORT]://HOST:PORT
    #[arg(value_name = "TARGET")]
    target: String,
    /// The file's name there
    #[arg(value_name = "NAME")]
    name: String,
    /// Where to write it, a file that does not exist; in this folder, by the same name, unless
    /// given
    #[arg(value_name = "FILE")]
    to: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

/// What both take.
#[derive(Args, Debug)]
pub(crate) struct How {
    /// Token to send with the call
    #[arg(long, value_name = "TOKEN", value_parser = crate::args::token)]
    auth: Option<String>,
    /// Time for connecting, and for the call that asks
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = crate::args::duration)]
    deadline: Duration,
    /// Print a failure as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    secure: ClientFlags,
}

/// Runs `farcall send`.
pub(crate) fn send(args: Send) -> u8 {
    let Send { target, files, meta, how } = args;
    for file in &files {
        // What is no file has no size that could be declared.
        match file.metadata() {
            Ok(found) if found.is_file() => {}
            Ok(_) => return usage(&format!("`{}` is not a file", file.display())),
            Err(error) => return usage(&format!("cannot read `{}`: {error}", file.display())),
        }
    }
    let run = async |client: Client| {
        for file in files {
            let pairs = meta.iter().cloned();
            let transfer = pairs.fold(client.transfer(), |all, (key, value)| all.meta(key, value));
            let bytes = transfer.send(&file).await?;
            output::line(&format!("sent {} ({bytes} bytes)", file.display()));
        }
        Ok(())
    };
    connected(&target, how, run)
}

/// Runs `farcall fetch`.
pub(crate) fn fetch(args: Fetch) -> u8 {
    let Fetch { target, name, to, how } = args;
    let to = match to {
        Some(to) => to,
        // A server must not choose where: only what is a plain name is one here.
        None if name.contains(['/', '\\']) || name.starts_with('.') => {
            return usage(&format!("`{name}` is no plain name: say where to write it"));
        }
        None => PathBuf::from(&name),
    };
    connected(&target, how, async |client: Client| {
        let bytes = client.transfer().fetch(name, &to).await?;
        output::line(&format!("fetched {} ({bytes} bytes)", to.display()));
        Ok(())
    })
}

/// Does something with a client of this target.
pub(crate) fn connected<F>(target: &str, how: How, run: impl FnOnce(Client) -> F) -> u8
where
    F: Future<Output = Result<(), Status>>,
{
    let parsed = Target::parse(target).map_err(|status| crate::call::said(&status));
    if let Err(text) = parsed.and_then(|target| how.secure.check(&target)) {
        return usage(&text);
    }
    let runtime = match crate::runtime(Some(1)) {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let done = runtime.block_on(async {
        let work = async {
            let limits = Limits::default();
            let connect_time = limits.connect_time.min(how.deadline);
            let builder = ClientBuilder::new(target).limits(Limits { connect_time, ..limits });
            let client = how.secure.apply(builder.deadline(how.deadline)).build().await?;
            run(match &how.auth {
                Some(token) => client.auth(token),
                None => client,
            })
            .await
        };
        tokio::select! {
            done = work => Some(done),
            () = interrupted() => None,
        }
    });
    match done {
        Some(Ok(())) => DONE,
        Some(Err(status)) => {
            output::failure(&status, how.json);
            FAILED
        }
        None => INTERRUPTED,
    }
}

/// What `farcall serve` gives and takes.
#[derive(Args, Debug)]
pub(crate) struct ServeFlags {
    /// Give files of this folder, and take some into it: farcall fetch, farcall send, and rpcx's
    /// file transfer
    #[arg(long, value_name = "FOLDER")]
    files: Option<PathBuf>,
    /// Where the bytes of files go: tcp://HOST:PORT, with ?advertise=HOST:PORT where clients are to
    /// dial another address
    #[arg(long, value_name = "URL", default_value = "tcp://127.0.0.1:0", requires = "files")]
    files_listen: String,
    /// Bytes that the folder may come to hold; 0 takes no files
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30, requires = "files")]
    files_quota: u64,
}

impl ServeFlags {
    /// Sets it up.
    pub(crate) async fn apply(&self, server: Server, limits: &Limits) -> Result<Server, Status> {
        let Some(folder) = &self.files else { return Ok(server) };
        let mut files = Files::of(folder)?;
        if self.files_quota > 0 {
            files = files.take_up_to(self.files_quota);
        }
        let side = Side::listen(&self.files_listen, limits).await?;
        let folder = folder.display();
        output::note(&format!(
            "files of {folder}: farcall fetch, farcall send; {}",
            side.address()
        ));
        Ok(server.files(&side, files))
    }
}
