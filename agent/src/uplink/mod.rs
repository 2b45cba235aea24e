//! The way to the collectors: for each that the node is enrolled with, one stream that tells it everything and loses
//! nothing. What is to be sent is decided in [`Session`], which touches nothing; the other files here drive it.

mod board;
mod now;
mod outbox;
mod session;
mod telling;

pub use board::Board;
pub use now::Now;
pub use session::{Effect, MAX_PROBES, Nonsense, Session};
