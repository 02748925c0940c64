//! Opening a client's connection: the address is dialled, plugins are shown what came of it, and
//! both together have one time.

use super::{
    link::Link,
    over::Connector,
    plugin::{ClientPlugin, panicked},
};
use crate::{
    net::{Socket, Stream, Told},
    server::Moments,
};
use farcall_core::Status;
use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
};
use tokio::time::timeout;

/// What a plugin makes of a connection. See [`ClientPlugin::on_dial`].
pub type Dialling = Pin<Box<dyn Future<Output = Result<Socket, Status>> + Send>>;

impl Link {
    /// A connection, or why there is none.
    pub(super) async fn dial(&self, connector: &mut Connector) -> Result<Stream, Status> {
        let time = self.limits.connect_time;
        let dialled = async {
            let stream = connector.dial(&self.limits).await;
            let stream = stream.map_err(|error| match Told::of(&error) {
                Some(told) => told.status(),
                None => unreached(format!("cannot connect: {error}")),
            })?;
            self.show(stream).await
        };
        timeout(time, dialled).await.unwrap_or_else(|_| {
            Err(unreached(format!("no connection within {time:?} (Limits::connect_time)")))
        })
    }

    /// Shows it to those who want to see it before anything is said over it.
    async fn show(&self, stream: Stream) -> Result<Stream, Status> {
        let Some(hooks) = self.joins.hooks.as_ref().filter(|hooks| hooks.minds(Moments::DIAL))
        else {
            return Ok(stream);
        };
        let mut socket = Socket::new(stream);
        for plugin in hooks.plugins(Moments::DIAL) {
            socket = ask(plugin, socket).await?;
        }
        Ok(socket.into_stream())
    }
}

/// Asks one plugin. One that panics refuses.
async fn ask(plugin: &dyn ClientPlugin, socket: Socket) -> Result<Socket, Status> {
    let asked = catch_unwind(AssertUnwindSafe(|| plugin.on_dial(socket)));
    let Ok(mut dialling) = asked else { return Err(panicked()) };
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| dialling.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| Poll::Ready(Err(panicked())))
    })
    .await
}

fn unreached(text: String) -> Status {
    Status::unavailable(text).with_hint("is the server running, and is the address right?")
}
