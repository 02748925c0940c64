//! A proxy that does to connections what networks do: it delays, trickles, cuts at a byte, resets,
//! or swallows everything and says nothing.

use crate::Done;
use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
};

/// What is done to the bytes of a connection, in either direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Each piece comes later: this long, and up to as long again by chance.
    Late(Duration),
    /// One byte at a time, with this long in between.
    Trickle(Duration),
    /// Nothing is passed on, and nobody is told; new connections are made and lead nowhere.
    Hole,
    /// Requests are passed on, answers are not: half of the connection is gone.
    HalfOpen,
    /// The connection is closed after so many bytes of requests.
    CutRequest(usize),
    /// The connection is closed after so many bytes of answers.
    CutAnswer(usize),
    /// Every connection is reset now, and new ones at once.
    Reset,
}

/// A proxy before a server, for as long as it lives.
#[derive(Debug)]
pub struct Proxy {
    /// `HOST:PORT`.
    pub place: String,
    fault: watch::Sender<Fault>,
    passed: Arc<Passed>,
    task: tokio::task::JoinHandle<()>,
}

/// What went through.
#[derive(Debug, Default)]
struct Passed {
    requests: AtomicU64,
    answers: AtomicU64,
    connections: AtomicU64,
}

impl Proxy {
    /// Before this place; chance comes from the seed.
    pub async fn before(place: &str, seed: u64) -> Done<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (fault, passed) = (watch::Sender::new(Fault::None), Arc::<Passed>::default());
        let dice = Arc::new(Mutex::new(Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)));
        let line =
            Line { far: place.to_owned(), fault: fault.clone(), passed: Arc::clone(&passed), dice };
        let place = listener.local_addr()?.to_string();
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                line.passed.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(line.clone().carry(near));
            }
        });
        Ok(Proxy { place, fault, passed, task })
    }

    /// Where to call through it.
    pub fn url(&self, protocol: &str) -> String {
        format!("{protocol}://{}", self.place)
    }

    /// Does this from now on, also to connections that are open.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Bytes of requests, bytes of answers, and connections so far.
    pub fn passed(&self) -> (u64, u64, u64) {
        let Passed { requests, answers, connections } = &*self.passed;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(requests), read(answers), read(connections))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Numbers that are the same for the same seed.
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound.max(1)
    }
}

#[derive(Clone)]
struct Line {
    far: String,
    fault: watch::Sender<Fault>,
    passed: Arc<Passed>,
    dice: Arc<Mutex<Dice>>,
}

impl Line {
    async fn carry(self, near: TcpStream) {
        let mut told = self.fault.subscribe();
        // Whoever connects into a hole finds the queue of a listener, and then nothing.
        let fault = *self.fault.borrow();
        let far = match fault {
            Fault::Reset => return reset(near),
            Fault::Hole => {
                let _ = told.wait_for(|fault| *fault != Fault::Hole).await;
                return;
            }
            _ => TcpStream::connect(&self.far).await,
        };
        let Ok(far) = far else { return };
        for socket in [&near, &far] {
            let _ = socket.set_nodelay(true);
        }
        let (mut near_in, mut near_out) = near.into_split();
        let (mut far_in, mut far_out) = far.into_split();
        let done = {
            let there = self.pass(&mut near_in, &mut far_out, true);
            let back = self.pass(&mut far_in, &mut near_out, false);
            let both = async { tokio::try_join!(there, back) };
            tokio::select! {
                cut = both => cut.is_err(),
                _ = told.wait_for(|fault| *fault == Fault::Reset) => true,
            }
        };
        if done && let (Ok(near), Ok(far)) = (near_in.reunite(near_out), far_in.reunite(far_out)) {
            reset(near);
            reset(far);
        }
    }

    /// Passes bytes one way; an error where the connection is to be cut.
    async fn pass(
        &self,
        from: &mut tcp::OwnedReadHalf,
        to: &mut tcp::OwnedWriteHalf,
        requests: bool,
    ) -> io::Result<()> {
        let count = if requests { &self.passed.requests } else { &self.passed.answers };
        let (mut piece, mut sent) = (vec![0; 16 * 1024], 0);
        loop {
            let read = from.read(&mut piece).await?;
            if read == 0 {
                // The other direction may go on.
                let _ = to.shutdown().await;
                return Ok(());
            }
            // What is swallowed counts, too: somebody still sends it.
            count.fetch_add(read as u64, Ordering::Relaxed);
            let mut bytes = &piece[..read];
            // Holes may open and close while bytes wait here: they are lost, as packets are not.
            let fault = *self.fault.borrow();
            let late = |time: Duration| {
                let extra = self.dice.lock().expect("no panic").below(time.as_micros() as u64);
                time + Duration::from_micros(extra)
            };
            let most = match (fault, requests) {
                (Fault::CutRequest(most), true) | (Fault::CutAnswer(most), false) => most,
                _ => usize::MAX,
            };
            match fault {
                Fault::Hole => continue,
                Fault::HalfOpen if !requests => continue,
                Fault::Late(time) => tokio::time::sleep(late(time)).await,
                Fault::Trickle(time) => {
                    for byte in bytes {
                        tokio::time::sleep(time).await;
                        to.write_all(&[*byte]).await?;
                    }
                    bytes = &[];
                }
                _ => {}
            }
            let cut = sent + bytes.len() >= most;
            bytes = &bytes[..bytes.len().min(most.saturating_sub(sent))];
            to.write_all(bytes).await?;
            sent += bytes.len();
            if cut {
                // What was passed on arrives before the end does.
                tokio::time::sleep(Duration::from_millis(2)).await;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
    }
}

/// Closes so that the other end sees a reset.
pub fn reset(socket: TcpStream) {
    // Where it cannot be asked for, the other end sees an end.
    let _ = socket.set_zero_linger();
}
