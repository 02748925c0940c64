//! Streaming calls, over a protocol whose windows are so narrow that everything blocks.

mod kit;
mod shapes;
