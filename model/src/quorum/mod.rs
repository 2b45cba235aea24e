//! Quorum as corosync's votequorum decides it: a machine with memory, not a formula.
//!
//! [`config`] takes the options out of a corosync.conf and refuses what corosync refuses. [`voter`] is one node's
//! votequorum: what it knows of the others and what it decides. [`cluster`] is all of them, connected in
//! partitions: what an [`event`] leads to, in every [`order`] in which the nodes may hear each other. [`qnetd`]
//! says which partition the qdevice votes for. [`verdict`] is the answer for one partition, with its reason in one
//! sentence; [`forecast`] says what of it is certain. [`story`] reads events from words.
//!
//! The truth is exec/votequorum.c of corosync 3.1 and man votequorum(5). `cargo xtask oracle` holds this against
//! corosync-vqsim, which is that very code; `model/tests/quorum_exhaustive.rs` against a second, dumb implementation.

pub mod cluster;
pub mod config;
pub mod event;
pub mod forecast;
mod message;
mod order;
pub mod qnetd;
pub mod story;
pub mod verdict;
pub mod voter;
