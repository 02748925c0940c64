//! Calls on behalf of another: what a handler calls belongs to the call it serves.

use super::Client;
use crate::server::Cx;

/// Metadata that follows a call wherever it leads: the W3C's trace context and baggage.
const FOLLOWS: [&str; 3] = ["traceparent", "tracestate", "baggage"];

impl Client {
    /// Calls on behalf of the call that a handler serves: they end when its caller stops waiting,
    /// and its trace goes along (`traceparent`, `tracestate`, `baggage`). A shorter deadline of the
    /// client's own holds.
    ///
    /// ```ignore
    /// async fn total(&self, cx: &Cx, order: Order) -> Result<u64> {
    ///     let prices = PricesClient::from_client(self.prices.client().clone().within(cx));
    ///     prices.of(order).await
    /// }
    /// ```
    #[must_use]
    pub fn within(mut self, cx: &Cx) -> Client {
        if let Some(left) = cx.remaining() {
            let own = self.defaults.timeout.unwrap_or(left);
            self.defaults.timeout = Some(own.min(left));
        }
        for key in FOLLOWS {
            if let Some(value) = cx.meta().get(key) {
                self = self.meta(key, value);
            }
        }
        self
    }
}
