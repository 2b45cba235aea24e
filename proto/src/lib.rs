//! The wire between agents, collectors and terminals: messages, their conversions from and to the model, and TLS.
//! Nothing is decided here, and nothing kept.
//!
//! The messages are documented in `proto/quorate/v1/*.proto`; `cargo xtask gen` makes [`v1`] of them.

pub mod broken;
pub mod dial;
pub mod fact;
pub mod role;
pub mod tls;
pub mod token;
pub mod verdict;

/// The messages and services, as generated.
#[allow(
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    rustdoc::all,
    reason = "generated"
)]
pub mod v1 {
    include!("generated/quorate.v1.rs");
}

/// The description of all messages and services, for reflection.
#[cfg(feature = "server")]
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/quorate.v1.bin");
