//! The one error that crosses the wire.

use crate::Shown;
use bytes::Bytes;
use std::{fmt, time::Duration};

/// The result of a call.
pub type Result<T, E = Status> = std::result::Result<T, E>;

/// What kind of failure: gRPC's codes, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// The caller gave up.
    Cancelled = 1,
    /// A failure without a code, such as a text error from a Go peer.
    Unknown = 2,
    /// The arguments are wrong, whatever the state of the system.
    InvalidArgument = 3,
    /// Time ran out.
    DeadlineExceeded = 4,
    /// Something asked for does not exist.
    NotFound = 5,
    /// Something to be created exists.
    AlreadyExists = 6,
    /// The caller is known and may not.
    PermissionDenied = 7,
    /// A limit was reached.
    ResourceExhausted = 8,
    /// The system is not in the state that the call needs.
    FailedPrecondition = 9,
    /// The call lost a race.
    Aborted = 10,
    /// Past the valid range.
    OutOfRange = 11,
    /// No such service or method, or not over this protocol.
    Unimplemented = 12,
    /// A bug.
    Internal = 13,
    /// The service cannot be reached now.
    Unavailable = 14,
    /// Data is lost.
    DataLoss = 15,
    /// The caller is not known.
    Unauthenticated = 16,
}

impl Code {
    /// The code of a number; unknown numbers are `Unknown`.
    pub fn from_number(number: i64) -> Code {
        use Code::*;
        let all = [
            Cancelled,
            Unknown,
            InvalidArgument,
            DeadlineExceeded,
            NotFound,
            AlreadyExists,
            PermissionDenied,
            ResourceExhausted,
            FailedPrecondition,
            Aborted,
            OutOfRange,
            Unimplemented,
            Internal,
            Unavailable,
            DataLoss,
            Unauthenticated,
        ];
        all.into_iter().find(|c| *c as i64 == number).unwrap_or(Unknown)
    }

    /// The name as gRPC spells it in text: `deadline exceeded`.
    pub fn name(self) -> &'static str {
        match self {
            Code::Cancelled => "cancelled",
            Code::Unknown => "unknown",
            Code::InvalidArgument => "invalid argument",
            Code::DeadlineExceeded => "deadline exceeded",
            Code::NotFound => "not found",
            Code::AlreadyExists => "already exists",
            Code::PermissionDenied => "permission denied",
            Code::ResourceExhausted => "resource exhausted",
            Code::FailedPrecondition => "failed precondition",
            Code::Aborted => "aborted",
            Code::OutOfRange => "out of range",
            Code::Unimplemented => "unimplemented",
            Code::Internal => "internal",
            Code::Unavailable => "unavailable",
            Code::DataLoss => "data loss",
            Code::Unauthenticated => "unauthenticated",
        }
    }
}

/// The text of [`Status::leaving`], which is all that some protocols carry.
pub const LEAVING: &str = "the server is leaving; this call was not run";

/// Whether the request left this machine: what decides if a call may be repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sent {
    /// It did not, or the peer said that it turned it away before anything was run: repeating is
    /// safe.
    #[default]
    No,
    /// It may have: only idempotent calls may be repeated.
    Maybe,
    /// It did, and was answered.
    Yes,
}

/// Who said it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// This side.
    #[default]
    Local,
    /// The peer. Such a status is not passed on to a caller of ours as if it were our own.
    Remote,
}

/// Why a call failed: a code, a text, whether the request left, who said it, and where.
///
/// Handlers make one with [`Status::new`] or the constructors named after the codes; only what is
/// written on purpose crosses the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Status(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    code: Code,
    text: String,
    origin: Origin,
    sent: Sent,
    /// Address of the peer, where one is known.
    peer: Option<String>,
    attempts: u32,
    /// What to try.
    hint: Option<&'static str>,
    /// When to try again, where that is known.
    retry_after: Option<Duration>,
    /// A typed error, as JSON.
    detail: Option<Bytes>,
    /// The attempts before this one.
    earlier: Vec<Status>,
}

/// An error type that travels: what `#[derive(Fault)]` makes of an enum.
pub trait TypedFault: Sized {
    /// The status that carries it.
    fn into_status(self) -> Status;
    /// The error that a status carries, if it is one of this type.
    fn from_status(status: &Status) -> Option<Self>;
}

impl Status {
    /// A failure with a code and a text that the peer will see.
    #[cold]
    pub fn new(code: Code, text: impl Into<String>) -> Status {
        Status(Box::new(Inner {
            code,
            text: text.into(),
            origin: Origin::Local,
            sent: Sent::No,
            peer: None,
            attempts: 0,
            hint: None,
            retry_after: None,
            detail: None,
            earlier: Vec::new(),
        }))
    }

    /// A failure that the peer reported: the request was sent, and answered.
    #[cold]
    pub fn remote(code: Code, text: impl Into<String>) -> Status {
        let mut status = Status::new(code, text);
        status.0.origin = Origin::Remote;
        if !status.is_leaving() {
            status.0.sent = Sent::Yes;
        }
        status
    }

    /// What a server that is leaving answers to calls that it does not run any more. Its text is
    /// known to every client of ours: there the call counts as not sent.
    #[cold]
    pub fn leaving() -> Status {
        Status::new(Code::Unavailable, LEAVING)
    }

    /// Whether a server that is leaving did not run the call: another may be asked.
    pub fn is_leaving(&self) -> bool {
        self.0.code == Code::Unavailable && self.0.sent == Sent::No && self.0.text == LEAVING
    }

    /// What kind of failure.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The text, as it crosses or crossed the wire.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Who said it.
    pub fn origin(&self) -> Origin {
        self.0.origin
    }

    /// Whether the request left.
    pub fn sent(&self) -> Sent {
        self.0.sent
    }

    /// The address of the peer, where one is known.
    pub fn peer(&self) -> Option<&str> {
        self.0.peer.as_deref()
    }

    /// How many attempts were made.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// How the attempts before the last one failed, the first first; where no address could be
    /// reached, why each of them could not.
    pub fn earlier(&self) -> &[Status] {
        &self.0.earlier
    }

    /// What to try, where there is something.
    pub fn hint(&self) -> Option<&'static str> {
        self.0.hint
    }

    /// How long to wait before trying again, where the one who refused said so. HTTP tells it in
    /// the field `Retry-After`, in whole seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The typed error that a handler failed with, if it is one of this type:
    /// `status.fault::<Refused>()`.
    pub fn fault<E: TypedFault>(&self) -> Option<E> {
        E::from_status(self)
    }

    /// The typed error as it travels: a JSON object whose one key is the variant, and whose value
    /// is an object of its fields.
    pub fn detail(&self) -> Option<&Bytes> {
        self.0.detail.as_ref()
    }

    /// Carries a typed error along.
    #[must_use]
    pub fn with_detail(mut self, json: impl Into<Bytes>) -> Status {
        self.0.detail = Some(json.into());
        self
    }

    /// Says whether the request left.
    #[must_use]
    pub fn with_sent(mut self, sent: Sent) -> Status {
        self.0.sent = sent;
        self
    }

    /// Says where the peer is, unless that is known already.
    #[must_use]
    pub fn with_peer(mut self, peer: impl fmt::Display) -> Status {
        self.0.peer.get_or_insert_with(|| peer.to_string());
        self
    }

    /// Says how many attempts were made.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Status {
        self.0.attempts = attempts;
        self
    }

    /// Says how the attempts before failed.
    #[must_use]
    pub fn with_earlier(mut self, earlier: Vec<Status>) -> Status {
        self.0.earlier = earlier;
        self
    }

    /// Says how long to wait before trying again.
    #[must_use]
    pub fn with_retry_after(mut self, time: Duration) -> Status {
        self.0.retry_after = Some(time);
        self
    }

    /// Says what to try.
    #[must_use]
    pub fn with_hint(mut self, hint: &'static str) -> Status {
        self.0.hint = Some(hint);
        self
    }
}

macro_rules! constructors {
    ($($name:ident $code:ident;)*) => {
        impl Status { $(
            #[doc = concat!("A failure with [`Code::", stringify!($code), "`].")]
            pub fn $name(text: impl Into<String>) -> Status {
                Status::new(Code::$code, text)
            }
        )* }
    };
}
constructors! {
    cancelled Cancelled; unknown Unknown; invalid_argument InvalidArgument;
    deadline_exceeded DeadlineExceeded; not_found NotFound; already_exists AlreadyExists;
    permission_denied PermissionDenied; resource_exhausted ResourceExhausted;
    failed_precondition FailedPrecondition; aborted Aborted; out_of_range OutOfRange;
    unimplemented Unimplemented; internal Internal; unavailable Unavailable; data_loss DataLoss;
    unauthenticated Unauthenticated;
}

/// `Result<T, String>` and `Result<T, &str>` are handlers' errors too: code `Unknown`, as a Go
/// peer's plain error.
impl From<String> for Status {
    fn from(text: String) -> Status {
        Status::unknown(text)
    }
}

impl From<&str> for Status {
    fn from(text: &str) -> Status {
        Status::unknown(text)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            code,
            text,
            origin,
            sent,
            peer,
            attempts,
            hint,
            earlier,
            detail: _,
            retry_after: _,
        } = &*self.0;
        write!(f, "{}", code.name())?;
        if !text.is_empty() {
            write!(f, ": {}", Shown(text))?;
        }
        let who = match origin {
            Origin::Local => "here",
            Origin::Remote => "by the peer",
        };
        write!(f, " [said {who}")?;
        if let Some(peer) = peer {
            write!(f, ", peer {peer}")?;
        }
        match attempts {
            0 => {}
            1 => write!(f, ", attempt 1")?,
            several => write!(f, ", {several} attempts")?,
        }
        let left = match sent {
            Sent::No if *origin == Origin::Remote => "not run",
            Sent::No => "not sent",
            Sent::Maybe => "perhaps sent",
            Sent::Yes => "sent",
        };
        write!(f, ", {left}]")?;
        for status in earlier {
            let peer = status.peer().unwrap_or("before");
            write!(f, "; {peer}: {}", Shown(status.text()))?;
        }
        match hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Status({self})")
    }
}

impl std::error::Error for Status {}
