//! The cluster as pmxcfs sees it: `/etc/pve/.members`.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Members {}
