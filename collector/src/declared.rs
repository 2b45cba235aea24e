//! What the operator declared in collector.toml: the same for all clusters of this collector.

use std::sync::Arc;

use model::rule::Thresholds;
use model::topology::Site;

/// Declarations and thresholds; copies share them.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    pub site: Arc<Site>,
    pub thresholds: Arc<Thresholds>,
}
