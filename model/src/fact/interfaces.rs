//! What `/etc/network/interfaces` says shall be.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interfaces {}
