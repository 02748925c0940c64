//! Who calls: a check of credentials before a call's body is looked at.

use super::Cx;
use farcall_core::{Code, Result, Status};
use std::{any::Any, fmt, future::Future, hint::black_box, pin::Pin};

/// Checks who calls. See [`Server::auth`](crate::Server::auth).
///
/// ```
/// use farcall_core::{Result, Status};
/// use farcall_runtime::{Auth, Cx};
///
/// /// Who calls, for handlers: `cx.get::<User>()`.
/// struct User(String);
///
/// /// Tokens are `NAME:SECRET` here; yours come from somewhere safer.
/// struct Tokens;
///
/// impl Auth for Tokens {
///     type User = User;
///     async fn check(&self, cx: &Cx) -> Result<User> {
///         match cx.credentials().and_then(|token| token.split_once(':')) {
///             Some((name, "open sesame")) => Ok(User(name.to_owned())),
///             _ => Err(Status::unauthenticated("the credentials are not known")),
///         }
///     }
/// }
/// ```
pub trait Auth: Send + Sync + 'static {
    /// Who calls; handlers find it by [`Cx::get`].
    type User: Send + Sync + 'static;

    /// Tells who calls, or why the call is refused: with the status given, usually
    /// [`Status::unauthenticated`], and nothing else of what there is to call.
    ///
    /// Asked for every call, also of methods that do not exist, on every protocol. Where a protocol
    /// has no place for credentials (net/rpc and JSON-RPC over TCP), or the caller sent none,
    /// [`Cx::credentials`] is none, and the check decides by what is left: the address.
    ///
    /// If the answer is ready at once the call goes on where it is. Otherwise it waits as a task,
    /// counted in `Limits::calls_per_connection` and `Limits::calls`, until the caller's deadline
    /// or the end of the connection. A panic refuses.
    fn check(&self, cx: &Cx) -> impl Future<Output = Result<Self::User>> + Send;
}

/// Whoever was let in, by their own type.
pub(super) type User = Box<dyn Any + Send + Sync>;

/// [`Auth`] without its types.
pub(super) trait Check: Send + Sync {
    fn check<'a>(&'a self, cx: &'a Cx) -> Pin<Box<dyn Future<Output = Result<User>> + Send + 'a>>;
}

impl<A: Auth> Check for A {
    fn check<'a>(&'a self, cx: &'a Cx) -> Pin<Box<dyn Future<Output = Result<User>> + Send + 'a>> {
        Box::pin(async move {
            let user: User = Box::new(Auth::check(self, cx).await?);
            Ok(user)
        })
    }
}

/// One secret that all callers share: `server.auth(Token::new("secret"))`. It is sent bare or, as
/// HTTP wants it, as `Bearer secret`. Compared in a time that does not depend on how much of it was
/// right.
pub struct Token(Vec<u8>);

impl Token {
    /// This secret. One without a character lets nobody in.
    pub fn new(secret: impl Into<String>) -> Token {
        Token(secret.into().into_bytes())
    }

    fn is(&self, given: &str) -> bool {
        let bearer = given.split_once(' ').filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        let given = bearer.map_or(given, |(_, token)| token.trim_start_matches(' ')).as_bytes();
        let Token(secret) = self;
        if secret.is_empty() {
            return false;
        }
        // As many steps as were given, whatever the secret is.
        let secret = black_box(secret.iter().cycle());
        let length = usize::from(self.0.len() != given.len());
        let wrong = given
            .iter()
            .zip(secret)
            .fold(length, |wrong, (given, secret)| black_box(wrong | usize::from(given ^ secret)));
        black_box(wrong) == 0
    }
}

impl Auth for Token {
    type User = ();

    async fn check(&self, cx: &Cx) -> Result<()> {
        match cx.credentials() {
            Some(given) if self.is(given) => Ok(()),
            Some(_) => Err(Status::new(Code::Unauthenticated, "the credentials are wrong")),
            None => Err(Status::new(Code::Unauthenticated, "the credentials are missing")),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn tokens() {
        let token = Token::new("s3cret");
        for given in ["s3cret", "Bearer s3cret", "bearer s3cret", "BEARER  s3cret"] {
            assert!(token.is(given), "{given}");
        }
        let wrong =
            ["", "s3cre", "s3crets", "s3creT", "Bearer", "Bearer ", "Basic s3cret", " s3cret"];
        for given in wrong.into_iter().chain(["s3crets3cret", "bearer bearer s3cret"]) {
            assert!(!token.is(given), "{given}");
        }
        assert!(!Token::new("").is("") && !Token::new("").is("Bearer "));
    }
}
