//! Streams that Go wrote, decoded with and without types, however they are cut, and written again;
//! what fits what; input that was made to harm.

mod compat;
mod hostile;
mod kit;
mod own;
mod typed;
mod vectors;
