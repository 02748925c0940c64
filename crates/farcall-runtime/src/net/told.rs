//! An error that says what is wrong with the other end, not with the way to it.

use farcall_core::{Code, Status};
use std::{error::Error, fmt, io};

/// Travels inside of an `io::Error`.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: Code,
    pub(crate) text: String,
    pub(crate) hint: Option<&'static str>,
    /// The peer refused the connection before it read anything of what was sent.
    pub(crate) unread: bool,
}

impl Told {
    /// Finds it in an error.
    pub(crate) fn of(error: &io::Error) -> Option<&Told> {
        error.get_ref()?.downcast_ref()
    }

    /// As an error of input and output.
    pub(crate) fn error(self) -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionAborted, self)
    }

    /// As the status of calls on that connection.
    pub(crate) fn status(&self) -> Status {
        let status = Status::new(self.code, self.text.clone());
        match self.hint {
            Some(hint) => status.with_hint(hint),
            None => status,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Told {}

/// A record of TLS that holds an alert (RFC 8446 §5.1, §6): seven bytes, and the first thing said.
pub(crate) fn is_alert(input: &[u8]) -> bool {
    matches!(input, [21, 3, _, 0, 2, 1 | 2, _])
}

/// The server has answered a plain connection with such an alert, and read nothing of it.
#[cold]
pub(crate) fn wants_tls() -> Told {
    Told {
        code: Code::Unavailable,
        text: "the server speaks TLS on that port, and this client does not".into(),
        hint: Some("say so in the URL: PROTOCOL+tls://HOST:PORT"),
        unread: true,
    }
}
