//! May I? The model's verdict on the cluster as it is seen now, as a message.

use model::gate::{self, Action, CephAnswer, Request, Verdict};
use model::name::NodeName;
use model::whatif::Part;
use proto::v1;
use tonic::Status;

use crate::declared::Declared;
use crate::foresight::network;
use crate::keeper::Now;
use crate::keeper::understanding::cluster_of;
use crate::keeper::view::ClusterView;

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

/// Judges on what is published: nobody waits for the one who keeps it.
pub(crate) fn judge(
    view: &ClusterView,
    declared: &Declared,
    request: &Request,
    asker: &str,
    now: Now,
    ceph_answers: &[CephAnswer],
) -> Result<v1::Verdict, Status> {
    let cluster = cluster_of(view, now);
    let scene = declared
        .scene(&cluster, now)
        .with_leases(view.leases.as_deref())
        .with_ceph_answers(ceph_answers);
    let lease = scene.leases.and_then(|leases| leases.current());
    let is_holder = lease.is_some_and(|lease| lease.grant.owner == asker);
    let verdict = if is_holder {
        gate::check_as_holder(&scene, &view.found, request)
    } else {
        gate::check(&scene, &view.found, request)
    };
    message(verdict)
}

pub(crate) fn message(verdict: Verdict) -> Result<v1::Verdict, Status> {
    proto::verdict::message(verdict)
        .map_err(|error| Status::internal(format!("the verdict is no JSON: {error}")))
}
