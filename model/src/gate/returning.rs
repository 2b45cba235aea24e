//! Does the node come back as it is now? Its files, packages, disks; and whether it is up at all.

use super::case::Case;
use super::verdict::{Kind, Reason};
use crate::cluster::FreshNode;
use crate::fact::power::PowerState;
use crate::finding::Thing;
use crate::report::{Facts as _, Family};
use crate::rule;

/// What decides over its return is known of every node asked about, and nothing stands against it.
#[derive(Debug)]
pub(super) struct ComesBack(());

const RULE: &str = "node-would-not-return";
/// Without these nobody knows what the next boot brings.
const NEEDED: [Family; 4] = [
    Family::Power,
    Family::Boot,
    Family::Interfaces,
    Family::Links,
];

pub(super) fn look(case: &Case<'_>, reasons: &mut Vec<Reason>) -> Option<ComesBack> {
    // A switch's own way back is not for us to know.
    let mut is_any = !case.request.things.is_empty();
    // Those of a node that is out already: it needs no report of its own, and has no vote to lose.
    for name in case.silent_targets().filter(|name| case.is_out(name)) {
        is_any = true;
        let sentence = format!(
            "{name} is out of the membership already, and whether it comes back is not known"
        );
        reasons.push(Reason::warning(
            Kind::TargetSilent,
            Thing::Node(name.clone()),
            sentence,
        ));
    }
    let before = reasons.len();
    for name in case.silent_targets().filter(|name| !case.is_out(name)) {
        let sentence = format!("nothing is heard of the agent of {name}");
        reasons.push(
            Reason::missing(Kind::TargetSilent, Thing::Node(name.clone()), sentence)
                .remedy(format!("`systemctl status quorate-agent` on {name}.")),
        );
    }
    for node in case.targets() {
        state(case, node, reasons);
        for family in NEEDED {
            if !case.is_whole(node, family) {
                reasons.push(unknown(node, family));
            }
        }
    }
    would_not(case, reasons);
    is_any |= case.targets().next().is_some();
    (is_any && reasons.len() == before).then_some(ComesBack(()))
}

fn unknown(node: &FreshNode<'_>, family: Family) -> Reason {
    let name = node.name();
    let sentence = format!(
        "what {name} says of its {} is missing, too old or not whole, so whether it comes back is not known",
        family.key()
    );
    Reason::missing(Kind::ReturnUnknown, Thing::Node(name.clone()), sentence).remedy(format!(
        "`quorate-agent snapshot` on {name} says what cannot be read, and why."
    ))
}

fn state(case: &Case<'_>, node: &FreshNode<'_>, reasons: &mut Vec<Reason>) {
    let name = node.name();
    let Some(power) = node.power() else {
        return;
    };
    let (weight, kind, sentence) = match power.state {
        PowerState::Running => return,
        PowerState::ShutdownScheduled => (
            Reason::blocker as fn(Kind, Thing, String) -> Reason,
            Kind::NodeGoing,
            format!("a shutdown of {name} is scheduled already"),
        ),
        PowerState::ShuttingDown => (
            Reason::blocker as _,
            Kind::NodeGoing,
            format!("{name} is shutting down already"),
        ),
        PowerState::Booting => (
            Reason::blocker as _,
            Kind::NodeComing,
            format!("{name} has not finished booting"),
        ),
        PowerState::Unknown => (
            Reason::missing as _,
            Kind::ReturnUnknown,
            format!("whether {name} is running or on its way down is not known"),
        ),
    };
    let seen = case.seen(node, Family::Power, power.state.to_string());
    reasons.push(weight(kind, Thing::Node(name.clone()), sentence).seen(seen));
}

fn would_not(case: &Case<'_>, reasons: &mut Vec<Reason>) {
    let Some(rule) = rule::named(RULE) else {
        return;
    };
    for found in rule.look(case.scene) {
        let Thing::Node(name) = &found.subject else {
            continue;
        };
        if !case.is_target(name) {
            continue;
        }
        let (subject, sentence) = (found.subject.clone(), found.sentence.clone());
        let reason = Reason::blocker(Kind::WouldNotReturn, subject, sentence);
        reasons.push(case.told(reason, &found));
    }
}
