//! Which pages of other origins may call (the Fetch standard, "CORS protocol").

use std::time::Duration;

/// Which web pages of other origins may call over HTTP. A server without one refuses them all.
///
/// ```
/// use farcall_core::Cors;
/// let cors = Cors::origins(["https://app.example"]).credentials();
/// # assert!(cors.allows(b"https://app.example") && !cors.allows(b"https://app.example.evil"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// None: any.
    origins: Option<Vec<String>>,
    credentials: bool,
    max_age: Duration,
    exposed: Vec<String>,
}

impl Cors {
    /// Pages of any origin, without credentials.
    pub fn any() -> Cors {
        Cors {
            origins: None,
            credentials: false,
            max_age: Duration::from_secs(600),
            exposed: Vec::new(),
        }
    }

    /// Pages of these origins, each written as browsers do: `https://app.example`, with a port
    /// where it is not the usual one.
    pub fn origins<N: Into<String>>(origins: impl IntoIterator<Item = N>) -> Cors {
        Cors { origins: Some(origins.into_iter().map(Into::into).collect()), ..Cors::any() }
    }

    /// Lets pages send cookies and passwords that the browser keeps for this server. Only with
    /// [`origins`](Cors::origins): a server that allows any origin refuses to start with it.
    #[must_use]
    pub fn credentials(mut self) -> Cors {
        self.credentials = true;
        self
    }

    /// How long browsers may remember what was allowed, in whole seconds. Default 10 minutes.
    #[must_use]
    pub fn max_age(mut self, time: Duration) -> Cors {
        self.max_age = time;
        self
    }

    /// Names of more fields of answers that pages may read. Without credentials they may read all.
    #[must_use]
    pub fn expose<N: Into<String>>(mut self, fields: impl IntoIterator<Item = N>) -> Cors {
        self.exposed.extend(fields.into_iter().map(Into::into));
        self
    }

    /// Whether pages of this origin may call.
    pub fn allows(&self, origin: &[u8]) -> bool {
        let same = |allowed: &String| allowed.as_bytes().eq_ignore_ascii_case(origin);
        self.origins.as_ref().is_none_or(|origins| origins.iter().any(same))
    }

    /// Whether any origin is allowed, so that answers need not say which.
    pub fn is_any(&self) -> bool {
        self.origins.is_none()
    }

    /// Whether credentials are allowed.
    pub fn has_credentials(&self) -> bool {
        self.credentials
    }

    /// See [`max_age`](Cors::max_age).
    pub fn seconds(&self) -> u64 {
        self.max_age.as_secs()
    }

    /// See [`expose`](Cors::expose).
    pub fn exposed(&self) -> &[String] {
        &self.exposed
    }
}
