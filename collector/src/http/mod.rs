//! HTTP for programs on this machine: whether the collector lives and can do its work, and what it counts.
//!
//! It answers without a login and without TLS, so that it listens on a loopback address alone. Nothing here has an effect, and
//! nothing waits for a disk or for who keeps a cluster: what is answered is what is published already.

mod door;
mod health;
mod metrics;
#[cfg(test)]
mod tests;

pub(crate) use door::Http;
pub(crate) use metrics::Sources;
