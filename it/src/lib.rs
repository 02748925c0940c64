//! What the integration tests share: a service with every behaviour, servers on free ports, and
//! rpcx frames and HTTP requests written by hand.

pub mod frames;
pub mod http;
pub mod services;
