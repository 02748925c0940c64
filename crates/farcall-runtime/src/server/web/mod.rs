//! HTTP beside the calls: pages that a server shows or that are mounted on it.
//!
//! A page is an entry of the router like a method, and its requests pass where calls pass: the
//! same limits, the same context, the same place for whoever guards the server.

mod debug;
mod limits;
mod message;
mod pages;
mod paths;
#[cfg(feature = "tower")]
mod tower;

pub use message::{HttpRequest, HttpResponse};
pub(crate) use pages::Mounted;
pub use pages::{Answering, IntoPage, Page};
pub(crate) use paths::{Paths, Web};
#[cfg(feature = "tower")]
pub use tower::{ByTower, HttpBody, HttpService};
