//! The units of systemd as they are shipped: that systemd understands them, how much they leave open, and what must never
//! stand in them; and what agent and collector tell systemd, which is a socket of the test here.
//!
//! Needs root, systemd's systemd-analyze, e2fsprogs and util-linux.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "all of this is tests"
)]

#[path = "units/files.rs"]
mod files;
#[path = "units/frozen.rs"]
mod frozen;
#[path = "units/told.rs"]
mod told;
