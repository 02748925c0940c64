//! Functions and closures as methods.

use super::{Cx, MethodInfo, Methods, Server};
use farcall_core::{Put, Status, Take};
use std::future::Future;

impl Server {
    /// Adds one method that is a function or a closure, to a service of this name: one of its own,
    /// or one that [`add`](Server::add) brings.
    ///
    /// ```ignore
    /// Server::new().func("Arith", "Add", |args: Args| async move { Ok(args.a + args.b) })
    /// ```
    #[must_use]
    pub fn func<Req, Resp, F, Fut>(
        mut self,
        service: impl Into<String>,
        method: impl Into<String>,
        run: F,
    ) -> Server
    where
        Req: Take + Send + 'static,
        Resp: Put + Send + 'static,
        F: Fn(Req) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Resp, Status>> + Send + 'static,
    {
        let mut methods = Methods { service: service.into(), entries: Vec::new() };
        methods.unary(&NAMELESS, move |cx: Cx, request: Req| {
            let running = run(request);
            async move {
                let result = running.await;
                (cx, result)
            }
        });
        let name = method.into();
        self.entries.extend(methods.entries.into_iter().map(|mut entry| {
            entry.name.clone_from(&name);
            entry
        }));
        self
    }
}

/// The names of a function are not known where it is compiled.
static NAMELESS: MethodInfo =
    MethodInfo { service: "", name: "", argument: "", idempotent: false, spawn: false };
