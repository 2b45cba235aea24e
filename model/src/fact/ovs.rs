//! Open vSwitch: `ovs-vsctl show`.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ovs {}
