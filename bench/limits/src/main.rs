//! `limits ping-pong-server|ping-pong-client|echo-server|echo-client`: what sockets alone can do on
//! this machine. No RPC framework can beat the first without batching, nor the second at all.

mod echo;
mod ping_pong;

use load::{Fallible, Flags, Payload, exit, on_tokio};
use std::{net::TcpStream, process::ExitCode, thread, time::Duration};

const USAGE: &str = "usage: limits ping-pong-server|ping-pong-client|echo-server|echo-client \
    [-addr A] [-conns N] [-callers N] [-calls N] [-payload tiny|581] [-workers N] [-pid P]";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    exit(Flags::parse(args).and_then(|flags| run(&command, &flags)))
}

fn run(command: &str, flags: &Flags) -> Fallible<()> {
    match command {
        "ping-pong-server" => on_tokio(flags.workers, ping_pong::serve(&flags.addr)),
        "echo-server" => echo::serve(&flags.addr),
        "ping-pong-client" => on_tokio(flags.workers, ping_pong::load(flags)),
        "echo-client" => echo::load(flags),
        _ => Err(USAGE.into()),
    }
}

/// The frame both limits send: four bytes of length, big endian, then as many bytes as the payload
/// has in protobuf. Nobody looks inside.
fn frame(payload: Payload) -> Vec<u8> {
    let length = payload.bytes();
    let mut frame = (length as u32).to_be_bytes().to_vec();
    frame.resize(4 + length, 7);
    frame
}

/// Where the last whole frame in `bytes` ends.
fn whole_frames(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some((length, _)) = bytes[end..].split_first_chunk::<4>() {
        let next = end + 4 + u32::from_be_bytes(*length) as usize;
        if next > bytes.len() {
            break;
        }
        end = next;
    }
    end
}

/// Connects, as soon as the server listens.
fn connect(addr: &str) -> Fallible<TcpStream> {
    let mut left = 100;
    loop {
        match TcpStream::connect(addr) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) if left == 0 => return Err(error.into()),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
        left -= 1;
    }
}
