//! Files over rpcx's file transfer: a folder that gives files and takes some, and a client that
//! sends one and fetches it back. Clients of rpcx-go do the same with `SendFile` and
//! `DownloadFile`.
//!
//! Run it with `cargo run --example files`; it prints `sent 13 bytes, fetched 13`.

use farcall::{Client, Files, Limits, Result, Server, Side, Status};

#[tokio::main]
async fn main() -> Result<()> {
    let place = std::env::temp_dir().join(format!("farcall-files-{}", std::process::id()));
    let cannot = |error: std::io::Error| Status::internal(error.to_string());
    std::fs::create_dir_all(place.join("shared")).map_err(cannot)?;
    std::fs::write(place.join("note.txt"), "hello, files\n").map_err(cannot)?;

    // The bytes go over a port of their own; 1 MiB is what the folder may come to hold.
    let side = Side::listen("tcp://127.0.0.1:0", &Limits::default()).await?;
    let files = Files::of(place.join("shared"))?.take_up_to(1 << 20);
    let bound = Server::new().files(&side, files).listen("tcp://127.0.0.1:0").await?;
    let url = bound.addresses()[0].replace("tcp://", "rpcx://");
    tokio::spawn(bound.run());

    let client = Client::connect(url).await?;
    let sent = client.transfer().send(place.join("note.txt")).await?;
    let fetched = client.transfer().fetch("note.txt", place.join("copy.txt")).await?;
    println!("sent {sent} bytes, fetched {fetched}");

    std::fs::remove_dir_all(place).map_err(cannot)
}
