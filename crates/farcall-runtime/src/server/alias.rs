//! More names for methods that there are.

use super::{Server, router::Router};
use farcall_core::Status;

/// A name, and what it stands for.
pub(super) struct Alias {
    name: (String, String),
    of: (String, String),
}

impl Server {
    /// Lets a method be called by another name too: `alias("Calc", "Times", "Arith", "Mul")`, in
    /// the order of rpcx's alias plugin. As there, the call is the method's own from then on:
    /// handlers, plugins and replies see its own names. Lists of services do not show aliases.
    ///
    /// A method that does not exist, or a name that is taken, is an error of
    /// [`listen`](Server::listen).
    #[must_use]
    pub fn alias(
        mut self,
        service: impl Into<String>,
        method: impl Into<String>,
        of_service: impl Into<String>,
        of_method: impl Into<String>,
    ) -> Server {
        let (name, of) = ((service.into(), method.into()), (of_service.into(), of_method.into()));
        self.aliases.push(Alias { name, of });
        self
    }
}

/// Adds the names to the table.
pub(super) fn add(aliases: Vec<Alias>, router: &mut Router) -> Result<(), Status> {
    aliases.into_iter().try_for_each(|Alias { name, of }| router.alias(name, &of))
}
