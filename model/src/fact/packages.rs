//! Versions of the packages that matter: `pveversion -v`.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Packages {}
