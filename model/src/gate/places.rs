//! What goes with the node that all depend on: the collector, and the qdevice.

use super::case::Case;
use super::verdict::{Kind, Reason};
use crate::finding::Thing;
use crate::topology::{Place, Service, place};

pub(super) fn look(case: &Case<'_>, reasons: &mut Vec<Reason>) {
    let scene = case.scene;
    let of = |service| place(scene.cluster, scene.now, scene.site, service);
    match of(Service::Collector) {
        Some(Place::Node(name)) if case.is_target(&name) => {
            let sentence =
                format!("this collector runs on {name}: nobody would see whether it comes back");
            reasons.push(
                Reason::blocker(Kind::CollectorHere, Thing::Node(name.clone()), sentence).remedy(format!(
                    "Move the collector, or the guest that it is in, away from {name}; best to a machine outside the cluster."
                )),
            );
        }
        Some(_) => {}
        None => {
            let sentence =
                "where this collector runs is not declared: whether it goes down too is not known";
            reasons.push(
                Reason::note(Kind::CollectorPlaceUnknown, Thing::Cluster, sentence.to_owned())
                    .remedy("Declare it in collector.toml: `[[dependency]]` with `service = \"collector\"`."),
            );
        }
    }
    if let Some(Place::Node(name)) = of(Service::Qdevice)
        && case.is_target(&name)
    {
        let sentence =
            format!("the qdevice runs on {name}: its votes go too, and are not counted on");
        reasons.push(Reason::warning(Kind::QdeviceHere, Thing::Qdevice, sentence));
    }
}
