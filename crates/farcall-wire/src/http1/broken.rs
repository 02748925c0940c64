//! The ways in which a peer can break HTTP/1.1, one variant each, and the status that says so.

use std::fmt;

/// How a peer broke HTTP/1.1. All of them are answered and close the connection: where two readers
/// may see two different messages, neither is served (RFC 9112 §11.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Broken {
    /// The first line is not `METHOD SP target SP HTTP/x.y`.
    RequestLine,
    /// The method is not a token.
    Method,
    /// The method is a token that nobody here knows.
    MethodUnknown,
    /// The target is not a path, nor another form its method may have.
    Target,
    /// The first line alone fills the head.
    TargetLong {
        /// `Limits::head_bytes`.
        limit: usize,
    },
    /// An absolute target of another scheme than `http`.
    Scheme,
    /// A version other than 1.0 and 1.1.
    Version,
    /// `CONNECT` to where nothing is reached by it.
    Connect,
    /// `CONNECT` with a body.
    ConnectBody,
    /// `CONNECT` to a protocol that this server was told not to speak.
    ConnectOff {
        /// Its name.
        protocol: &'static str,
    },
    /// A carriage return without a line feed.
    BareCr,
    /// A line feed without a carriage return.
    BareLf,
    /// A field that goes on in the next line.
    Folded,
    /// A field without a colon.
    NoColon,
    /// A field without a name.
    NameEmpty,
    /// A space between a field's name and its colon.
    SpaceBeforeColon,
    /// A byte that no field name may have.
    Name {
        /// The byte.
        byte: u8,
    },
    /// A byte that no field value may have.
    Value {
        /// The byte.
        byte: u8,
    },
    /// The head is longer than allowed.
    HeadLong {
        /// `Limits::head_bytes`.
        limit: usize,
    },
    /// More fields than allowed.
    FieldsMany {
        /// `Limits::head_fields`.
        limit: usize,
    },
    /// HTTP/1.1 without `Host`.
    HostMissing,
    /// More than one `Host`.
    HostRepeated,
    /// `Host` is not a host and a port.
    Host,
    /// `Content-Length` is not one decimal number.
    Length,
    /// More than one `Content-Length`, equal or not.
    LengthRepeated,
    /// Both `Content-Length` and `Transfer-Encoding`.
    LengthAndCoding,
    /// A `Transfer-Encoding` other than `chunked`.
    Coding,
    /// More than one `Transfer-Encoding`.
    CodingRepeated,
    /// `Transfer-Encoding` in HTTP/1.0, which does not have it.
    CodingOld,
    /// An expectation other than `100-continue`.
    Expectation,
    /// The body is longer than allowed.
    BodyLong {
        /// `Limits::message_bytes`.
        limit: usize,
    },
    /// A chunk does not begin with its size in hexadecimal digits.
    ChunkSize,
    /// A chunk is longer or shorter than its size.
    ChunkEnd,
    /// The extensions of a body's chunks are longer than allowed.
    ChunkLong {
        /// `Limits::head_bytes`.
        limit: usize,
    },
    /// The fields behind a chunked body are longer than allowed.
    TrailersLong {
        /// `Limits::head_bytes`.
        limit: usize,
    },
    /// The first line of an answer is not `HTTP/1.x SP status SP reason`.
    StatusLine,
    /// An answer that nobody asked for.
    Unasked,
    /// More answers of the kind 1xx than can be meant before the one that counts.
    InterimMany {
        /// How many are let pass.
        limit: usize,
    },
    /// 101: another protocol, which nobody asked for.
    Switched,
    /// A body where the status allows none.
    BodyForbidden {
        /// The status.
        status: u16,
    },
}

impl Broken {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Broken::Connect => 405,
            Broken::ConnectOff { .. } => 404,
            Broken::BodyLong { .. } => 413,
            Broken::TargetLong { .. } => 414,
            Broken::Expectation => 417,
            Broken::HeadLong { .. }
            | Broken::FieldsMany { .. }
            | Broken::ChunkLong { .. }
            | Broken::TrailersLong { .. } => 431,
            // RFC 9112 §6.1 for codings, RFC 9110 §9.1 for methods.
            Broken::MethodUnknown | Broken::Coding => 501,
            Broken::Version => 505,
            _ => 400,
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Broken::RequestLine => {
                "the first line is not METHOD, target and HTTP/1.1, one space each"
            }
            Broken::Method => "the method has a character that no method may have",
            Broken::MethodUnknown => "no such method; call by POST",
            Broken::Target => "the target must be a path, its other characters percent-encoded",
            Broken::TargetLong { limit } => {
                return write!(f, "the first line has over {limit} bytes (Limits::head_bytes)");
            }
            Broken::Scheme => "an absolute target must begin with http://",
            Broken::Version => "only HTTP/1.1 and HTTP/1.0 are spoken here",
            Broken::Connect => "nothing is reached by CONNECT here; call by POST",
            Broken::ConnectBody => "CONNECT has no body",
            Broken::ConnectOff { protocol } => {
                return write!(f, "`{protocol}` is not spoken on this server (Server::speak)");
            }
            Broken::BareCr => "a carriage return stands without a line feed",
            Broken::BareLf => "a line ends in a line feed without a carriage return",
            Broken::Folded => "a header field goes on in the next line; write it in one",
            Broken::NoColon => "a header field has no colon",
            Broken::NameEmpty => "a header field has no name",
            Broken::SpaceBeforeColon => "a space stands before the colon of a header field",
            Broken::Name { byte } => {
                return write!(f, "the name of a header field has the byte {byte:#04x}");
            }
            Broken::Value { byte } => {
                return write!(f, "the value of a header field has the byte {byte:#04x}");
            }
            Broken::HeadLong { limit } => {
                return write!(f, "the head has over {limit} bytes (Limits::head_bytes)");
            }
            Broken::FieldsMany { limit } => {
                return write!(f, "the head has over {limit} fields (Limits::head_fields)");
            }
            Broken::HostMissing => "HTTP/1.1 wants a Host field",
            Broken::HostRepeated => "there is more than one Host field",
            Broken::Host => "the Host field is not a host and a port",
            Broken::Length => "Content-Length must be one decimal number",
            Broken::LengthRepeated => "there is more than one Content-Length",
            Broken::LengthAndCoding => "Content-Length and Transfer-Encoding exclude each other",
            Broken::Coding => "the only Transfer-Encoding understood here is chunked",
            Broken::CodingRepeated => "there is more than one Transfer-Encoding",
            Broken::CodingOld => "HTTP/1.0 has no Transfer-Encoding; send Content-Length",
            Broken::Expectation => "the only expectation understood here is 100-continue",
            Broken::BodyLong { limit } => {
                return write!(f, "the body has over {limit} bytes (Limits::message_bytes)");
            }
            Broken::ChunkSize => "a chunk must begin with its size in hexadecimal digits",
            Broken::ChunkEnd => "a chunk does not end where its size says",
            Broken::ChunkLong { limit } => {
                return write!(f, "chunk extensions of over {limit} bytes (Limits::head_bytes)");
            }
            Broken::TrailersLong { limit } => {
                return write!(f, "trailers of over {limit} bytes (Limits::head_bytes)");
            }
            Broken::StatusLine => "an answer does not begin with HTTP/1.1, a status and a reason",
            Broken::Unasked => "an answer came that nobody had asked for",
            Broken::InterimMany { limit } => {
                return write!(f, "more than {limit} answers 1xx came before the one that counts");
            }
            Broken::Switched => "the server switched to a protocol that nobody had asked for",
            Broken::BodyForbidden { status } => {
                return write!(f, "an answer {status} has a body, which it must not have");
            }
        })
    }
}

impl std::error::Error for Broken {}

impl From<Broken> for crate::Broken {
    #[cold]
    fn from(broken: Broken) -> crate::Broken {
        crate::Broken::Http(broken)
    }
}
