//! How bytes travel: a stream is a half that is read by one task and a half that may be tried from
//! anywhere. One file per transport.

use bytes::BytesMut;
use std::{
    fmt,
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll},
};

mod any;
mod dial;
mod identity;
mod memory;
mod settings;
mod socket;
mod tcp;
#[cfg(feature = "tls")]
pub(crate) mod tls;
pub(crate) mod told;
mod tunnel;
#[cfg(unix)]
mod unix;

pub(crate) use any::wrap;
pub(crate) use dial::{Dialer, Settings};
pub use identity::Identity;
pub(crate) use memory::{MemoryListener, dial as dial_memory, pair};
pub use settings::Tcp;
pub use socket::{Socket, SocketIo};
pub(crate) use tcp::{adopt, bind as bind_tcp, dial as dial_tcp};
pub(crate) use told::Told;
pub(crate) use tunnel::tunnel;
#[cfg(unix)]
pub(crate) use unix::{UnixListener, adopt as adopt_unix, dial as dial_unix};

/// The half that one task reads.
pub(crate) trait ReadHalf: Send {
    /// Ready when the transport has done what comes before the first byte: shaken hands.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only TLS shakes hands"))]
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = cx;
        Poll::Ready(Ok(()))
    }
    /// Ready when reading may give something. Idle connections wait here, without a buffer.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Reads into the spare capacity of `input`; 0 at the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>>;
}

/// The half that is written: by the connection's task, and tried by callers that find it idle.
pub(crate) trait WriteHalf: Send + Sync {
    /// Writes some of `chunks`.
    fn poll_write(&self, cx: &mut Context<'_>, chunks: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;
    /// Writes some of `chunks` at once, or says `WouldBlock`. Transports that cannot, always do.
    fn try_write(&self, chunks: &[IoSlice<'_>]) -> io::Result<usize> {
        let _ = chunks;
        Err(io::ErrorKind::WouldBlock.into())
    }
    /// Hands on what the transport itself keeps back. Ready at once where it keeps nothing.
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = cx;
        Poll::Ready(Ok(()))
    }
    /// Says that nothing more will be written. The peer reads what is on its way, then the end.
    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<()>;
    /// Who the peer has proved to be; known once something was read.
    fn identity(&self) -> Option<Arc<Identity>> {
        None
    }
}

/// A connection's two halves, and who is at the other end.
pub struct Stream {
    pub(crate) read: Box<dyn ReadHalf>,
    pub(crate) write: Arc<dyn WriteHalf>,
    pub(crate) peer: Peer,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A TCP address.
    Tcp(std::net::SocketAddr),
    /// A Unix socket.
    Unix {
        /// The file that was dialled; none where the connection was accepted: who dials has no
        /// name.
        path: Option<std::path::PathBuf>,
        /// The process at the other end when it connected or began to listen, where the system
        /// tells.
        pid: Option<i32>,
        /// The user that it ran as.
        uid: Option<u32>,
    },
    /// The same process.
    Memory,
    /// A stream that was handed in: nobody said who it is.
    Unknown,
}

impl Peer {
    /// The IP address, where there is one. An IPv4 peer of an IPv6 socket has its IPv4 address.
    pub fn ip(&self) -> Option<std::net::IpAddr> {
        match self {
            Peer::Tcp(address) => Some(address.ip().to_canonical()),
            Peer::Unix { .. } | Peer::Memory | Peer::Unknown => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Tcp(address) => write!(f, "{address}"),
            Peer::Unix { path: Some(path), .. } => write!(f, "unix:{}", path.display()),
            Peer::Unix { path: None, pid, uid } => {
                f.write_str("unix")?;
                pid.iter().try_for_each(|pid| write!(f, ":pid={pid}"))?;
                uid.iter().try_for_each(|uid| write!(f, ":uid={uid}"))
            }
            Peer::Memory => f.write_str("memory"),
            Peer::Unknown => f.write_str("unknown"),
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({})", self.peer)
    }
}
