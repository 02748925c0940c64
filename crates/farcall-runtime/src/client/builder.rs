//! How a client is set up.

use super::{
    Client, Fail, Handle, Over, Select, ServiceClient, link::Joins, over::Connector, plugin::Hooks,
};
use crate::{
    net::{Settings, Tcp},
    server::Asked,
    target::Target,
};
use farcall_core::{Compress, Format, Limits, Status};
use farcall_wire::Protocol;
use std::{fmt, marker::PhantomData, time::Duration};

/// A client that is being set up.
#[must_use = "a builder does nothing until it is built"]
pub struct ClientBuilder<C> {
    pub(super) url: String,
    pub(super) limits: Limits,
    pub(super) format: Option<Format>,
    pub(super) compress: Compress,
    pub(super) token: Option<String>,
    pub(super) connections: Option<usize>,
    pub(super) local: bool,
    pub(crate) known: Asked,
    pub(super) addresses: Option<Vec<String>>,
    pub(super) select: Select,
    pub(super) fail: Fail,
    pub(super) hooks: Hooks,
    pub(super) transport: Settings,
    pub(super) client: PhantomData<fn() -> C>,
}

impl<C: ServiceClient> ClientBuilder<C> {
    /// For the server at this URL.
    pub fn new(url: impl AsRef<str>) -> ClientBuilder<C> {
        ClientBuilder {
            url: url.as_ref().to_owned(),
            limits: Limits::default(),
            format: None,
            compress: Compress::None,
            token: None,
            connections: None,
            local: false,
            known: Asked::default(),
            addresses: None,
            select: Select::default(),
            fail: Fail::default(),
            hooks: Hooks::default(),
            transport: Settings::default(),
            client: PhantomData,
        }
    }

    /// Sets the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Gives calls this long. Default 10 s.
    pub fn deadline(mut self, time: Duration) -> Self {
        self.limits.call_time = Some(time);
        self
    }

    /// Encodes bodies this way. Default: the protocol's.
    pub fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// Compresses bodies this way. Default not at all.
    pub fn compress(mut self, compress: Compress) -> Self {
        self.compress = compress;
        self
    }

    /// Spreads calls over this many connections, which take turns. Default 1. Over HTTP/1.1 it is
    /// how many there are at most; default `Limits::connections_per_client`.
    pub fn connections(mut self, count: usize) -> Self {
        self.connections = Some(count.max(1));
        self
    }

    /// Sets what is asked of TCP sockets.
    pub fn tcp(mut self, settings: Tcp) -> Self {
        self.transport.tcp = settings;
        self
    }

    /// Sets how servers prove who they are, and how this client does; for targets that go over TLS.
    /// What the URL says goes before it.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::net::tls::ClientTls) -> Self {
        self.transport.tls = Some(tls);
        self
    }

    /// The client; it connects when it is first used.
    pub fn lazy(self) -> Result<C, Status> {
        self.client().map(C::from_client)
    }

    /// The client, connected.
    pub async fn build(self) -> Result<C, Status> {
        let client = self.client()?;
        client.ready().await?;
        Ok(C::from_client(client))
    }

    /// The client, over a server in this process, over a stream of the caller's, or by a protocol
    /// that is not built in. The URL and what is set for sockets are not looked at.
    pub fn over(mut self, protocol: &'static dyn Protocol, io: impl Over) -> Result<C, Status> {
        let joins = Joins::new(&self.limits, std::mem::take(&mut self.hooks));
        let (target, connector) = (Target::given(protocol), Connector::over(io));
        let handle =
            Client::handle_of(target, &self.limits, connector, (self.connections, false), joins);
        self.finish(handle).map(C::from_client)
    }

    fn client(mut self) -> Result<Client, Status> {
        let target = match &self.addresses {
            Some(addresses) => Target::parse_at(&self.url, addresses)?,
            None => Target::parse(&self.url)?,
        };
        let handle = self.handle(target)?;
        self.finish(handle)
    }

    fn finish(self, handle: Handle) -> Result<Client, Status> {
        let client = Client::new(handle);
        client.link().joins.inbox.know(self.known.known()?);
        let format = self.format.unwrap_or(client.defaults.format);
        let client = client.format(format).compress(self.compress).fail(self.fail);
        Ok(match self.token {
            Some(token) => client.auth(token),
            None => client,
        })
    }
}

impl<C> fmt::Debug for ClientBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientBuilder").field(&self.url).finish()
    }
}
