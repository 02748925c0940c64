//! One call in flight per connection, one connection per caller, bare tokio sockets: the least that
//! an unbatched call costs.

use crate::{connect, frame, whole_frames};
use load::{Caller, Fallible, Flags, closed_loop};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Larger than any frame here.
const BUFFER_BYTES: usize = 64 << 10;

/// Sends back what comes, frame by frame.
pub(crate) async fn serve(addr: &str) -> Fallible<()> {
    let listener = TcpListener::bind(addr).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer(stream));
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut filled = 0;
    loop {
        let n = stream.read(&mut buffer[filled..]).await?;
        if n == 0 {
            return Ok(());
        }
        filled += n;
        let end = whole_frames(&buffer[..filled]);
        if end > 0 {
            stream.write_all(&buffer[..end]).await?;
            buffer.copy_within(end..filled, 0);
            filled -= end;
        }
    }
}

/// The client's end: `-conns` does not matter here.
pub(crate) async fn load(flags: &Flags) -> Fallible<()> {
    let mut callers = Vec::new();
    for _ in 0..flags.callers {
        let stream = connect(&flags.addr)?;
        stream.set_nonblocking(true)?;
        callers.push(Pinger {
            stream: TcpStream::from_std(stream)?,
            frame: frame(flags.payload),
            buffer: vec![0; BUFFER_BYTES],
        });
    }
    println!("{}", closed_loop(flags, callers).await?);
    Ok(())
}

struct Pinger {
    stream: TcpStream,
    frame: Vec<u8>,
    buffer: Vec<u8>,
}

impl Caller for Pinger {
    async fn call(&mut self) -> Fallible<()> {
        self.stream.write_all(&self.frame).await?;
        let mut got = 0;
        while got < self.frame.len() {
            match self.stream.read(&mut self.buffer[got..]).await? {
                0 => return Err("the server hung up".into()),
                n => got += n,
            }
        }
        Ok(())
    }
}
