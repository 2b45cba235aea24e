//! Quorum as corosync's votequorum decides it: a machine with memory, not a formula.
