//! May I, asked of the node itself because no collector answers. It knows its own state and its own membership; who holds the
//! lease, who else is on its way down, and what the others see it does not know, so it is never better than WARN.

use super::case::Case;
use super::verdict::{Kind, OwnWord, Reason, Verdict};
use super::{Action, Request, backups, ceph, guests, ha, members, places, redundancy, returning};
use super::{tasks, votes};
use crate::finding::{Finding, Thing};
use crate::name::NodeName;
use crate::rule::Scene;

/// Judges on the word of this node alone: the cluster of the scene is what it says ([`crate::cluster::Cluster::of_one`]).
pub fn check_local(
    scene: &Scene<'_>,
    found: &[Finding],
    node: &NodeName,
    action: Action,
) -> Verdict {
    let request = Request::of_nodes([node.clone()], action);
    let case = Case::new(scene, &request, false);
    let mut reasons = request.unknown_nodes(scene);
    let votes = votes::look_alone(&case, &mut reasons);
    let members = members::look_alone(&case, &mut reasons);
    let returns = returning::look(&case, &mut reasons);
    let tasks = tasks::look(&case, &mut reasons);
    let ha = ha::look(&case, &mut reasons);
    let ceph = ceph::look(&case, &mut reasons);
    places::look_alone(&case, &mut reasons);
    redundancy::look(&case, found, &mut reasons);
    guests::look(&case, &mut reasons);
    backups::look(&case, &mut reasons);
    let evidence = || Some(OwnWord::of(votes?, members?, returns?, tasks?, ha?, ceph?));
    Verdict::of_own_word(&request, evidence().as_ref(), whose(node), reasons)
}

fn whose(node: &NodeName) -> Reason {
    let sentence = format!(
        "this is {node}'s own word alone: whether somebody holds the lease, or another node is on its way down, it does not \
         know"
    );
    Reason::warning(Kind::OwnWordAlone, Thing::Node(node.clone()), sentence).remedy(
        "Ask the people who may be at it too, and look at the other nodes; `quorate check` asks the collector once it answers.",
    )
}
