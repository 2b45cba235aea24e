//! Who this node is, and the collectors that it belongs to: its name and its cluster's, what is kept of each enrolment,
//! how it gets a certificate, renews it, and gives it up.
//!
//! The key of a certificate is made here and never leaves the node. What a collector answers is looked at before
//! anything is kept of it; what is kept changes as a whole or not at all ([`generation`]).
//!
//! Not here: the stream to the collector.

mod certificate;
pub(crate) mod enrolled;
pub(crate) mod exchange;
#[cfg(test)]
pub(crate) mod fake;
mod generation;
pub(crate) mod join;
pub(crate) mod join_file;
pub(crate) mod membership;
pub(crate) mod place;
pub(crate) mod renewal;
