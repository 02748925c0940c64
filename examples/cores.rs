//! A server and clients with a runtime of one thread for each core: `cargo run --example cores`.

use farcall::{Client, Result, Server, Status};
use std::thread;

/// Where the caller of this runs.
fn here() -> String {
    thread::current().name().unwrap_or("a thread without a name").to_owned()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let bound = Server::new()
        .func("Where", "Am", |caller: String| async move {
            Ok::<_, Status>(format!("{caller} is served by {}", here()))
        })
        .per_core()
        .listen("tcp://127.0.0.1:0")
        .await?;
    let url = bound.addresses()[0].replace("tcp://", "rpcx://");
    let stop = bound.shutdown_handle();
    let running = tokio::spawn(bound.run());

    // One client for all threads: each of their runtimes gets a connection of its own.
    let client = Client::builder(url).per_core().lazy()?;
    let callers: Vec<_> = (0..2)
        .map(|number| {
            let client = client.clone();
            thread::spawn(move || -> Result<()> {
                let mut builder = tokio::runtime::Builder::new_current_thread();
                builder.enable_all().on_thread_park(farcall::before_park);
                let runtime = builder.build();
                let runtime = runtime.map_err(|error| Status::internal(error.to_string()))?;
                runtime.block_on(async {
                    for _ in 0..2 {
                        let call = client.call_as("Where.Am", format!("caller {number}"));
                        let said: String = call.await?;
                        println!("{said}");
                    }
                    Ok(())
                })
            })
        })
        .collect();
    let joined = tokio::task::spawn_blocking(|| {
        callers.into_iter().try_for_each(|caller| caller.join().expect("no caller panics"))
    });
    joined.await.map_err(|error| Status::internal(error.to_string()))??;

    stop.shutdown();
    running.await.map_err(|error| Status::internal(error.to_string()))?
}
