//! What the operator declared in collector.toml: the same for all clusters of this collector.

use std::sync::Arc;

use model::cluster::{Cluster, Now};
use model::gate::{Basis, Request};
use model::rule::{Scene, Thresholds};
use model::topology::Site;

/// Declarations and thresholds; copies share them.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    pub site: Arc<Site>,
    pub thresholds: Arc<Thresholds>,
    /// How long anything must have been there until it opens an incident.
    pub window_ms: u64,
}

impl Declared {
    pub(crate) fn scene<'a>(&'a self, cluster: &'a Cluster, now: Now) -> Scene<'a> {
        Scene::new(cluster, now, &self.thresholds, &self.site)
    }

    /// Of what is asked at this moment; nothing of the cluster is in it yet.
    pub(crate) fn basis(&self, request: Request, now: Now) -> Basis {
        Basis {
            cluster: Cluster::default(),
            now,
            thresholds: Arc::clone(&self.thresholds),
            site: Arc::clone(&self.site),
            leases: None,
            ceph_answers: Vec::new(),
            found: Arc::default(),
            request,
            is_holder: false,
        }
    }
}
