//! What goes with the node that all depend on: the collector, and the qdevice.

use super::case::Case;
use super::verdict::{Kind, Reason};
use crate::finding::Thing;
use crate::name::NodeName;
use crate::topology::{Place, Service, claims, place};

pub(super) fn look(case: &Case<'_>, reasons: &mut Vec<Reason>) {
    reasons.extend(collector(case));
    look_alone(case, reasons);
}

/// Where no collector is asked, none is lost.
pub(super) fn look_alone(case: &Case<'_>, reasons: &mut Vec<Reason>) {
    let (place, claims) = found(case, Service::Qdevice);
    if let Some(name) = target_of(case, &claims) {
        let subject = Thing::Qdevice;
        let runs = if place.is_some() { "runs" } else { "may run" };
        let sentence =
            format!("the qdevice {runs} on {name}: its votes go too, and are not counted on");
        reasons.push(Reason::warning(Kind::QdeviceHere, subject, sentence));
    }
}

fn collector(case: &Case<'_>) -> Option<Reason> {
    let (place, claims) = found(case, Service::Collector);
    let declare = "Declare it in collector.toml: `[[dependency]]` with `service = \"collector\"`.";
    match (target_of(case, &claims), place) {
        (Some(name), Some(_)) => {
            let sentence =
                format!("this collector runs on {name}: nobody would see whether it comes back");
            let subject = Thing::Node(name.clone());
            Some(Reason::blocker(Kind::CollectorHere, subject, sentence).remedy(format!(
                "Move the collector, or the guest that it is in, away from {name}; best to a machine outside the cluster."
            )))
        }
        (Some(name), None) => {
            let sentence = format!(
                "this collector may run on {name}: several nodes say to have it, or its guest"
            );
            let subject = Thing::Node(name.clone());
            Some(Reason::missing(Kind::CollectorHere, subject, sentence).remedy(declare))
        }
        (None, Some(_)) => None,
        (None, None) => {
            let sentence =
                "where this collector runs is not declared: whether it goes down too is not known";
            let sentence = sentence.to_owned();
            Some(
                Reason::note(Kind::CollectorPlaceUnknown, Thing::Cluster, sentence).remedy(declare),
            )
        }
    }
}

/// Where it is, and every node that says to have it.
fn found(case: &Case<'_>, service: Service) -> (Option<Place>, Vec<NodeName>) {
    let scene = case.scene;
    (
        place(scene.cluster, scene.now, scene.site, service),
        claims(scene.cluster, scene.now, scene.site, service),
    )
}

fn target_of<'a>(case: &Case<'_>, claims: &'a [NodeName]) -> Option<&'a NodeName> {
    claims.iter().find(|name| case.is_target(name))
}
