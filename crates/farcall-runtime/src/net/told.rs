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
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only TLS has something to tell"))]
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
