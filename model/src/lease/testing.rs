//! Leases for the tests of all that looks at them.

use std::collections::{BTreeMap, BTreeSet};

use super::healthy::before;
use super::{Grant, Lease, Leases, Number, Step, Transition};
use crate::cluster::testing::{World, name};
use crate::gate::Action;

/// A lease to reboot this node, as of now.
pub(crate) fn granted(world: &World, number: Number, node: &str) -> Transition {
    let node = name(node);
    let grant = Grant {
        nodes: BTreeSet::from([node.clone()]),
        action: Action::Reboot,
        owner: "root@pve-02".to_owned(),
        reason: "new kernel".to_owned(),
        planned_s: 600,
        overrode: None,
        stood_against: BTreeSet::new(),
        waits_for_end: false,
        request_id: String::new(),
        before: BTreeMap::from([(node.clone(), before(&world.scene(), &node))]),
    };
    Transition {
        number,
        at_unix_ms: world.now.unix_ms,
        step: Step::Granted(Box::new(grant)),
    }
}

pub(crate) fn held(world: &World, node: &str) -> Lease {
    let mut leases = Leases::default();
    leases.fold(&granted(world, 1, node));
    leases.current().unwrap().clone()
}

pub(crate) fn take(world: &mut World, node: &str) {
    let number = world.leases.as_ref().unwrap().next_number();
    let step = granted(world, number, node);
    world.leases.as_mut().unwrap().fold(&step);
}

/// What becomes of the lease that is held.
pub(crate) fn step(world: &mut World, step: Step) {
    let leases = world.leases.as_mut().unwrap();
    let transition = Transition {
        number: leases.current().unwrap().number,
        at_unix_ms: world.now.unix_ms,
        step,
    };
    leases.fold(&transition);
}
