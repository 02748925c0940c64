//! What the integration tests share: a service with every behaviour, servers on free ports, rpcx
//! frames and HTTP requests written by hand, and random values.

pub mod certs;
pub mod dice;
pub mod frames;
pub mod http;
pub mod raw;
pub mod services;
pub mod who;
pub mod windowed;
