//! Are all the others there, and is none of them on its way down or up?

use super::case::Case;
use super::verdict::{Kind, Reason, Seen};
use crate::cluster::FreshNode;
use crate::fact::power::PowerState;
use crate::finding::Thing;
use crate::name::NodeName;
use crate::report::{Facts as _, Family};

/// Every node that stays is in the membership, by all who are heard.
#[derive(Debug)]
pub(super) struct AllThere(());

/// Every node that stays is in the membership, by the word of the node asked about. Whether it is on its way down is not in
/// that.
#[derive(Debug)]
pub(super) struct AllMembers(());

pub(super) fn look_alone(case: &Case<'_>, reasons: &mut Vec<Reason>) -> Option<AllMembers> {
    let names = case.names();
    let before = reasons.len();
    for (id, name) in names.iter().filter(|(_, name)| !case.is_target(name)) {
        match case.is_member(*id) {
            Some(true) => {}
            Some(false) => reasons.push(down(case, name)),
            None => reasons.push(uncertain(name)),
        }
    }
    let is_all = !names.is_empty() && reasons.len() == before;
    is_all.then_some(AllMembers(()))
}

pub(super) fn look(case: &Case<'_>, reasons: &mut Vec<Reason>) -> Option<AllThere> {
    let names = case.names();
    if names.is_empty() {
        // That nobody told the nodelist is said by the votes.
        return None;
    }
    let mut is_known = true;
    let mut silent = Vec::new();
    for (id, name) in names.iter().filter(|(_, name)| !case.is_target(name)) {
        match case.is_member(*id) {
            Some(true) if case.node(name).is_none() && !has_gone(case, name) => silent.push(name),
            Some(true) => {}
            Some(false) => reasons.push(down(case, name)),
            None => {
                is_known = false;
                reasons.push(uncertain(name));
            }
        }
        // Out of the membership it is down already.
        if case.is_member(*id) != Some(false) && has_gone(case, name) {
            reasons.push(gone(case, name));
        }
    }
    for node in case.others() {
        reasons.extend(power(case, node));
    }
    match silent.as_slice() {
        [] => {}
        [one] => {
            let sentence = format!(
                "the agent of {one} is silent; all who are heard have it in the membership"
            );
            reasons.push(
                Reason::warning(Kind::AgentSilent, Thing::Node((*one).clone()), sentence)
                    .remedy(format!("`systemctl status quorate-agent` on {one}.")),
            );
        }
        several => {
            is_known = false;
            let names: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
            let sentence = format!("{} agents are silent: {}", several.len(), names.join(", "));
            reasons.push(
                Reason::missing(Kind::AgentsSilent, Thing::Cluster, sentence)
                    .remedy("`systemctl status quorate-agent` on each of them."),
            );
        }
    }
    is_known.then_some(AllThere(()))
}

/// On a node that goes down the agent is gone long before corosync, which waits for guests: its last word stands.
fn has_gone(case: &Case<'_>, name: &NodeName) -> bool {
    let known = case.scene.cluster.nodes.get(name);
    case.node(name).is_none() && known.is_some_and(|node| node.going_down().is_some())
}

fn gone(case: &Case<'_>, name: &NodeName) -> Reason {
    let sentence = format!(
        "{name} was shutting down when it was heard last, and is not back yet: never two nodes at once"
    );
    let power = case.scene.cluster.nodes.get(name);
    let held = power.and_then(|node| node.held(Family::Power));
    let seen = held.map(|held| Seen {
        node: name.clone(),
        family: Family::Power.key(),
        words: PowerState::ShuttingDown.to_string(),
        age_ms: held.age_ms(case.scene.now),
    });
    Reason::blocker(Kind::NodeGoing, Thing::Node(name.clone()), sentence)
        .seen(seen)
        .remedy(format!("Wait until {name} is back and healthy."))
}

fn uncertain(name: &NodeName) -> Reason {
    let sentence = format!("whether {name} is in the membership is not certain");
    Reason::missing(Kind::NodeDown, Thing::Node(name.clone()), sentence)
        .remedy("Wait until the membership has settled, and ask again.")
}

fn down(case: &Case<'_>, name: &NodeName) -> Reason {
    let sentence = format!("{name} is not in the membership: two nodes would be missing at once");
    let told = case.heard.iter().filter_map(|node| {
        let words = format!("{name} is not among the members");
        node.corosync()?;
        case.seen(node, Family::Corosync, words)
    });
    Reason::blocker(Kind::NodeDown, Thing::Node(name.clone()), sentence)
        .seen(told.take(2))
        .remedy(format!(
            "Bring {name} back first: its console, `systemctl status corosync` there."
        ))
}

fn power(case: &Case<'_>, node: &FreshNode<'_>) -> Option<Reason> {
    let name = node.name();
    let subject = Thing::Node(name.clone());
    let Some(power) = node.power() else {
        let sentence = format!("whether {name} is on its way down is not known");
        return Some(Reason::warning(Kind::PowerUnknown, subject, sentence));
    };
    let seen = case.seen(node, Family::Power, power.state.to_string());
    let reason = match power.state {
        PowerState::Running => return None,
        PowerState::ShuttingDown => Reason::blocker(
            Kind::NodeGoing,
            subject,
            format!("{name} is shutting down: never two nodes at once"),
        )
        .remedy(format!("Wait until {name} is back and healthy.")),
        PowerState::ShutdownScheduled => Reason::blocker(
            Kind::NodeGoing,
            subject,
            format!("a shutdown of {name} is scheduled: never two nodes at once"),
        )
        .remedy(format!("`shutdown -c` on {name} takes it back.")),
        PowerState::Booting => Reason::blocker(
            Kind::NodeComing,
            subject,
            format!("{name} has not finished booting"),
        )
        .remedy(format!(
            "`systemctl list-jobs` on {name} shows what it waits for."
        )),
        PowerState::Unknown => Reason::warning(
            Kind::PowerUnknown,
            subject,
            format!("whether {name} is on its way down is not known"),
        ),
    };
    Some(reason.seen(seen))
}
