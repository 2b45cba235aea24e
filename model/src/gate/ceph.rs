//! May the Ceph daemons of the node be stopped? Only Ceph knows, and only when it is asked at that moment.

use super::case::Case;
use super::verdict::{Kind, Reason};
use crate::finding::Thing;
use crate::report::Family;

/// There is no Ceph on any node asked about.
#[derive(Debug)]
pub(super) struct MayStop(());

pub(super) fn look(case: &Case<'_>, reasons: &mut Vec<Reason>) -> Option<MayStop> {
    let before = reasons.len();
    for node in case
        .targets()
        .filter(|node| !case.is_absent(node, Family::Ceph))
    {
        let name = node.name();
        let sentence = format!(
            "{name} has Ceph, or may have, and this version does not ask Ceph whether its daemons may be stopped"
        );
        reasons.push(
            Reason::missing(Kind::CephNotAsked, Thing::Node(name.clone()), sentence).remedy(
                "Ask on a node that stays: `ceph osd ok-to-stop ID…` with the OSDs of the node, `ceph mon ok-to-stop NAME` \
                 with a name that `ceph mon dump` lists, and `ceph -s`.",
            ),
        );
    }
    (reasons.len() == before).then_some(MayStop(()))
}
