//! A neighbour on the wire: `lldpcli -f json`.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {}
