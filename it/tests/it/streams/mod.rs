//! Streaming calls, over a protocol whose windows are so narrow that everything blocks.

mod ends;
mod hostile;
mod kit;
mod mixed;
mod pressure;
mod shapes;
mod slots;
mod wire;
