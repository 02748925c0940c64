//! What is asked of TCP sockets.

use socket2::{SockRef, TcpKeepalive};
use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    io,
    time::Duration,
};

/// Settings of TCP sockets, on both sides; TLS rides on them.
///
/// How long a peer may take is said by `Limits`: `connect_time` to open a connection, `silence` to
/// say a first word, `head_time` to complete a message, `write_stall` to take output. These
/// settings find peers that are gone without a word: a machine that lost its power, a network that
/// forgot the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Whether small writes are sent at once (`TCP_NODELAY`). Default yes: batching is done before
    /// bytes reach the socket, and the system's would only be waiting.
    pub nodelay: bool,
    /// Time without traffic before the system asks whether the peer is still there. Default 30 s.
    /// `None` never asks. Whole seconds; less is one. A server waits up to a quarter less, another
    /// time for each connection, so that a crowd of idle ones is not asked in one instant.
    pub keepalive: Option<Duration>,
    /// Time between two such questions. Default 10 s.
    pub keepalive_interval: Duration,
    /// Questions without an answer before the connection counts as lost. Default 3.
    pub keepalive_retries: u32,
    /// Time that written bytes may stay unacknowledged before the connection counts as lost.
    /// Default 60 s. `None` leaves it to the system (minutes). Kept on Linux only, where it ends
    /// the questions, too: less than these take holds as what they take, or the first that is lost
    /// on the way would end a healthy connection.
    pub unacknowledged: Option<Duration>,
    /// Connections that may wait to be accepted; the system has a bound of its own. Default 1,024.
    pub backlog: u32,
}

impl Default for Tcp {
    fn default() -> Tcp {
        Tcp {
            nodelay: true,
            keepalive: Some(Duration::from_secs(30)),
            keepalive_interval: Duration::from_secs(10),
            keepalive_retries: 3,
            unacknowledged: Some(Duration::from_secs(60)),
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
        socket.set_tcp_user_timeout(self.unacknowledged.map(|time| time.max(self.asking())))?;
        Ok(())
    }

    /// How long it takes to find by questions that a peer is gone.
    #[cfg(target_os = "linux")]
    fn asking(&self) -> Duration {
        let retries = self.keepalive_interval.saturating_mul(self.keepalive_retries);
        self.keepalive.map_or(Duration::ZERO, |idle| idle.saturating_add(retries))
    }

    /// Asks a connection that was accepted at a time of its own.
    pub(crate) fn spread(&self, socket: SockRef<'_>) -> io::Result<()> {
        let Some(idle) = self.keepalive else { return Ok(()) };
        let random = RandomState::new().build_hasher().finish() as u32;
        let less = idle.mul_f64(0.25 * f64::from(random) / f64::from(u32::MAX));
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(second(idle - less)))
    }

    fn questions(&self, idle: Duration) -> TcpKeepalive {
        let questions = TcpKeepalive::new().with_time(second(idle));
        #[cfg(any(target_os = "linux", target_os = "macos", windows, target_os = "freebsd"))]
        let questions = questions
            .with_interval(second(self.keepalive_interval))
            .with_retries(self.keepalive_retries.clamp(1, 127));
        questions
    }
}

/// The system counts in seconds, and refuses none and too many.
fn second(time: Duration) -> Duration {
    time.clamp(Duration::from_secs(1), Duration::from_secs(32_767))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};

    #[test]
    fn questions_are_asked_to_their_end_before_a_connection_counts_as_lost() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let short = Tcp { unacknowledged: Some(Duration::from_secs(5)), ..Tcp::default() };
        let none = Tcp { keepalive: None, ..short };
        for (settings, seconds) in [(Tcp::default(), 60), (short, 60), (none, 5)] {
            settings.apply((&socket).into()).expect("it is set");
            let timeout = socket.tcp_user_timeout().expect("it is read");
            assert_eq!(timeout, Some(Duration::from_secs(seconds)), "{settings:?}");
        }
    }

    #[test]
    fn connections_are_asked_at_times_of_their_own() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            Tcp::default().spread((&socket).into()).expect("it is set");
            seen.insert(socket.tcp_keepalive_time().expect("it is read").as_secs());
        }
        assert!(seen.len() > 3 && seen.iter().all(|s| (22..=30).contains(s)), "{seen:?}");
    }
}
