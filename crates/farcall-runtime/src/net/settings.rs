//! What is asked of TCP sockets.

use socket2::{SockRef, TcpKeepalive};
use std::{io, time::Duration};

/// Settings of TCP sockets, on both sides; TLS rides on them. Small writes are always sent at once
/// (`TCP_NODELAY`): batching is done before bytes reach the socket.
///
/// How long a peer may take is said by `Limits`: `connect_time` to open a connection, `silence` to
/// say a first word, `head_time` to complete a message, `write_stall` to take output. These
/// settings find peers that are gone without a word: a machine that lost its power, a network that
/// forgot the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Time without traffic before the system asks whether the peer is still there. Default 30 s.
    /// `None` never asks. Whole seconds; less is one.
    pub keepalive: Option<Duration>,
    /// Time between two such questions. Default 10 s.
    pub keepalive_interval: Duration,
    /// Questions without an answer before the connection counts as lost. Default 3.
    pub keepalive_retries: u32,
    /// Time that written bytes may stay unacknowledged before the connection counts as lost.
    /// Default 20 s. `None` leaves it to the system (minutes). Kept on Linux only.
    pub unacknowledged: Option<Duration>,
    /// Connections that may wait to be accepted; the system has a bound of its own. Default 1,024.
    pub backlog: u32,
}

impl Default for Tcp {
    fn default() -> Tcp {
        Tcp {
            keepalive: Some(Duration::from_secs(30)),
            keepalive_interval: Duration::from_secs(10),
            keepalive_retries: 3,
            unacknowledged: Some(Duration::from_secs(20)),
            backlog: 1024,
        }
    }
}

impl Tcp {
    /// Sets what lasts on a socket. On Linux, what is set on a listener holds for what it accepts.
    pub(crate) fn apply(&self, socket: SockRef<'_>) -> io::Result<()> {
        match self.keepalive {
            Some(idle) => socket.set_tcp_keepalive(&self.questions(idle))?,
            None => socket.set_keepalive(false)?,
        }
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(self.unacknowledged)?;
        Ok(())
    }

    fn questions(&self, idle: Duration) -> TcpKeepalive {
        // The system counts in seconds, and refuses none and too many.
        let second =
            |time: Duration| time.clamp(Duration::from_secs(1), Duration::from_secs(32_767));
        let questions = TcpKeepalive::new().with_time(second(idle));
        #[cfg(any(target_os = "linux", target_os = "macos", windows, target_os = "freebsd"))]
        let questions = questions
            .with_interval(second(self.keepalive_interval))
            .with_retries(self.keepalive_retries.clamp(1, 127));
        questions
    }
}
