//! Frames pipelined over few connections, blocking threads, one write for all frames of a read: the
//! least that a batched call can cost. There are no ids, no wake-ups and no futures in it.

use crate::{connect, frame, whole_frames};
use load::{Fallible, Flags, Meter};
use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Barrier},
    thread,
    time::Instant,
};

const BUFFER_BYTES: usize = 1 << 20;

/// Sends back all frames of a read in one write, a thread per connection.
pub(crate) fn serve(addr: &str) -> Fallible<()> {
    let listener = TcpListener::bind(addr)?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        thread::spawn(move || answer(stream));
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut filled = 0;
    loop {
        let n = stream.read(&mut buffer[filled..])?;
        if n == 0 {
            return Ok(());
        }
        filled += n;
        let end = whole_frames(&buffer[..filled]);
        stream.write_all(&buffer[..end])?;
        buffer.copy_within(end..filled, 0);
        filled -= end;
    }
}

/// The client's end: a thread per connection, its share of the callers as frames in flight.
pub(crate) fn load(flags: &Flags) -> Fallible<()> {
    let conns = flags.conns.min(flags.callers);
    let share = flags.callers / conns;
    let calls = (flags.calls / conns).max(share);
    let gate = Arc::new((Barrier::new(conns + 1), Barrier::new(conns + 1)));
    let mut threads = Vec::new();
    for _ in 0..conns {
        let mut pipe = Pipe::new(connect(&flags.addr)?, &frame(flags.payload), share);
        let gate = Arc::clone(&gate);
        let warm = (calls / 10).max(share);
        threads.push(thread::spawn(move || {
            let warmed = pipe.run(warm);
            gate.0.wait();
            gate.1.wait();
            warmed?;
            pipe.run(calls)
        }));
    }

    gate.0.wait();
    let meter = Meter::start(flags.pid)?;
    gate.1.wait();
    let mut latencies = Vec::with_capacity(calls * conns);
    for thread in threads {
        latencies.extend(thread.join().map_err(|_| "a thread panicked")??);
    }
    println!("{}", meter.stop(calls * conns, latencies)?);
    Ok(())
}

/// One connection with a fixed number of frames in flight.
struct Pipe {
    stream: TcpStream,
    frame_bytes: usize,
    in_flight: usize,
    /// As many frames as may be in flight.
    frames: Vec<u8>,
    buffer: Vec<u8>,
}

impl Pipe {
    fn new(stream: TcpStream, frame: &[u8], in_flight: usize) -> Pipe {
        Pipe {
            stream,
            frame_bytes: frame.len(),
            in_flight,
            frames: frame.repeat(in_flight),
            buffer: vec![0; BUFFER_BYTES],
        }
    }

    /// Sends `total` frames, as many as came back at a time; the latency of each, in nanoseconds.
    fn run(&mut self, total: usize) -> Fallible<Vec<u32>> {
        let mut latencies = Vec::with_capacity(total);
        let mut sent = self.in_flight.min(total);
        let mut batches = VecDeque::from([(sent, Instant::now())]);
        self.stream.write_all(&self.frames[..sent * self.frame_bytes])?;
        let mut partial_bytes = 0;
        while latencies.len() < total {
            let n = self.stream.read(&mut self.buffer)?;
            if n == 0 {
                return Err("the server hung up".into());
            }
            partial_bytes += n;
            let came = partial_bytes / self.frame_bytes;
            partial_bytes %= self.frame_bytes;
            settle(&mut batches, came, &mut latencies);

            let next = came.min(total - sent);
            if next > 0 {
                batches.push_back((next, Instant::now()));
                self.stream.write_all(&self.frames[..next * self.frame_bytes])?;
                sent += next;
            }
        }
        Ok(latencies)
    }
}

/// Replies come in the order of the frames, so the oldest batches are settled first.
fn settle(batches: &mut VecDeque<(usize, Instant)>, mut came: usize, latencies: &mut Vec<u32>) {
    let now = Instant::now();
    while came > 0
        && let Some((left, sent)) = batches.front_mut()
    {
        let done = came.min(*left);
        let nanos = u32::try_from((now - *sent).as_nanos()).unwrap_or(u32::MAX);
        latencies.extend(std::iter::repeat_n(nanos, done));
        *left -= done;
        came -= done;
        if *left == 0 {
            batches.pop_front();
        }
    }
}
