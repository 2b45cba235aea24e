//! The running corosync of this node, asked through its own libraries (libquorum, libvotequorum, libcmap, libcfg).
//!
//! [`run`] attends it for as long as the agent runs: membership and votes at once, because corosync tells them; the
//! state of the links within about a second, because nothing tells them; everything twice a minute. [`read_once`] asks
//! one time, for a snapshot.
//!
//! Every call into the libraries can block without end: a corosync that is stopped (or is not scheduled, which is the
//! same) answers nothing and refuses nothing. So none is made but in a thread that may hang, and whoever waits for the
//! answer has a deadline: [`supervisor::Supervisor`] for the one, the host for the other.
//!
//! What the libraries do not tell is not made up: the tools' own words (`date`, the links' `status`) stay unknown.

mod away;
mod connection;
mod keys;
mod links;
mod pause;
#[cfg(test)]
mod rack;
mod supervisor;
#[cfg(test)]
mod tests;
mod votes;
mod watch;

pub(crate) use connection::read_once;
pub(crate) use supervisor::run;
