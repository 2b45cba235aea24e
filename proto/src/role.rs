//! For whom a node asks: root's programs on it speak to a collector over its agent, with the node's certificate, and say
//! so in this header. An agent sets it for itself only where root told it to ask (`quorate-agent guard-reboot enable`).

pub const ON_BEHALF_OF: &str = "quorate-on-behalf-of";
pub const ROOT: &str = "root";
