//! May I? The model's verdict on the cluster as it is seen now, as a message.

use std::sync::Arc;

use model::gate::{Action, Basis, CephAnswer, Request, Verdict};
use model::identity::ClusterId;
use model::name::NodeName;
use model::whatif::Part;
use proto::v1;
use tonic::Status;

use crate::declared::Declared;
use crate::foresight::network;
use crate::keeper::Now;
use crate::keeper::understanding::cluster_of;
use crate::keeper::view::ClusterView;
use crate::keepers::Keepers;
use crate::verdicts::{Asked, Given};

/// What is asked; an action that this version does not know is nothing that it can judge.
pub(crate) fn request(nodes: Vec<NodeName>, check: &v1::CheckRequest) -> Result<Request, Status> {
    let mut request = Request::of_nodes(nodes, action(check.action)?);
    let switches = check.switches.iter().cloned().map(Part::Switch);
    request.things.extend(switches);
    for link in &check.networks {
        request.things.insert(network(*link)?);
    }
    Ok(request)
}

fn action(action: i32) -> Result<Action, Status> {
    Ok(match v1::Action::try_from(action) {
        Ok(v1::Action::Reboot | v1::Action::Unspecified) => Action::Reboot,
        Ok(v1::Action::Shutdown) => Action::Shutdown,
        Ok(v1::Action::Upgrade) => Action::Upgrade,
        Ok(v1::Action::Network) => Action::Network,
        Err(_) => {
            let why = format!("action: {action} is none that this collector knows");
            return Err(Status::invalid_argument(why));
        }
    })
}

/// All that it is judged by, of what is published: nobody waits for the one who keeps it.
pub(crate) fn basis(
    view: &ClusterView,
    declared: &Declared,
    request: Request,
    asker: &str,
    now: Now,
    ceph_answers: Vec<CephAnswer>,
) -> Basis {
    let lease = view.leases.as_ref().and_then(|leases| leases.current());
    Basis {
        cluster: cluster_of(view, now),
        leases: view.leases.clone(),
        ceph_answers,
        found: Arc::clone(&view.found),
        is_holder: lease.is_some_and(|lease| lease.grant.owner == asker),
        ..declared.basis(request, now)
    }
}

/// A verdict that was judged just now.
pub(crate) struct Judged {
    pub(crate) asker: String,
    pub(crate) asked: Asked,
    pub(crate) verdict: Verdict,
    pub(crate) basis: Basis,
}

impl Judged {
    /// The verdict, with its id.
    pub(crate) fn keep(self, keepers: &Keepers, cluster: ClusterId, view: &ClusterView) -> Verdict {
        let id = keepers.verdicts().keep(Given {
            cluster,
            asker: self.asker,
            asked: self.asked,
            version: keepers.version(),
            revision: view.revision,
            epoch: view.own.epoch,
            basis: self.basis,
            verdict: self.verdict.clone(),
        });
        Verdict { id, ..self.verdict }
    }
}

pub(crate) fn message(verdict: Verdict) -> Result<v1::Verdict, Status> {
    proto::verdict::message(verdict)
        .map_err(|error| Status::internal(format!("the verdict is no JSON: {error}")))
}
