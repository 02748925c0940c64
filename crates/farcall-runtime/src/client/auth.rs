//! Credentials, where each protocol wants them.

use super::{Call, Client, ClientBuilder};
use farcall_wire::Protocol;
use std::sync::Arc;

/// What credentials are called where a protocol has no place for them: no such call is sent.
pub(super) const NO_PLACE: &str = "authorization";

/// Puts credentials in their place, instead of any that are there.
pub(super) fn put(meta: &mut Vec<(String, String)>, protocol: &dyn Protocol, token: &str) {
    let key = protocol.auth_key().unwrap_or(NO_PLACE);
    meta.retain(|(name, _)| name != key);
    meta.push((key.to_owned(), protocol.auth_value(token)));
}

impl Client {
    /// Sends this token along with every call: over rpcx as metadata `__AUTH`, over HTTP as
    /// `Authorization: Bearer …` (a token with a space in it names its own scheme). Calls over
    /// protocols that have no place for it (net/rpc, JSON-RPC over TCP) are refused before they are
    /// sent.
    #[must_use]
    pub fn auth(mut self, token: impl AsRef<str>) -> Client {
        let protocol = self.target().protocol;
        let meta = self.defaults.meta.get_or_insert_default();
        put(Arc::make_mut(meta), protocol, token.as_ref());
        self
    }
}

impl<C> ClientBuilder<C> {
    /// Sends this token along with every call; see [`Client::auth`].
    pub fn auth(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }
}

impl<Req, Resp> Call<Req, Resp> {
    /// Sends this token along, instead of the client's; see [`Client::auth`].
    pub fn auth(mut self, token: impl AsRef<str>) -> Self {
        let protocol = self.client().target().protocol;
        put(self.own_meta(), protocol, token.as_ref());
        self
    }
}
