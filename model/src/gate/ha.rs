//! What does the HA manager do with the node's services, and can it?

use super::case::Case;
use super::request::Action;
use super::room::{self, Leaving};
use super::verdict::{Kind, Reason};
use crate::cluster::FreshNode;
use crate::fact::ha::{Armed, Ha, HaService, ServiceState};
use crate::fact::ha_config::{HaConfig, ShutdownPolicy};
use crate::finding::Thing;
use crate::name::NodeName;
use crate::report::{Facts as _, Family};

/// What HA does with every service of the nodes asked about is known, and nothing holds their shutdown up.
#[derive(Debug)]
pub(super) struct NothingStuck(());

pub(super) fn look(case: &Case<'_>, reasons: &mut Vec<Reason>) -> Option<NothingStuck> {
    let before = reasons.len();
    let (mut told, mut leaving) = (Vec::new(), Vec::new());
    for node in case.targets() {
        match ha_of(case, node) {
            Some(ha) => leaving.extend(services(case, node, ha, reasons, &mut told)),
            None if case.is_absent(node, Family::Ha) => {}
            None => {
                let name = node.name();
                let sentence = format!(
                    "what {name} says of HA is missing, too old or not whole, so what becomes of its services is not known"
                );
                reasons.push(
                    Reason::missing(Kind::HaUnknown, Thing::Node(name.clone()), sentence).remedy(
                        format!(
                            "`quorate-agent snapshot` on {name} says what cannot be read, and why."
                        ),
                    ),
                );
            }
        }
    }
    let is_clear = reasons.len() == before;
    reasons.extend(told);
    room::look(case, &leaving, reasons);
    is_clear.then_some(NothingStuck(()))
}

/// What the node says of HA; of one that is out of the membership, what those say who are in it.
fn ha_of<'a>(case: &'a Case<'_>, node: &'a FreshNode<'_>) -> Option<&'a Ha> {
    // Without quorum the files of HA read as they did yesterday.
    let tells = |node: &&FreshNode<'_>| {
        let is_quorate = node.corosync().and_then(|it| it.quorate) == Some(true);
        is_quorate && case.is_whole(node, Family::Ha)
    };
    let of_others = || {
        case.others()
            .find(tells)
            .filter(|_| case.is_out(node.name()))
    };
    Some(node).filter(tells).or_else(of_others)?.ha()
}

/// Gives those that HA takes elsewhere.
fn services<'a>(
    case: &Case<'_>,
    node: &'a FreshNode<'_>,
    ha: &'a Ha,
    reasons: &mut Vec<Reason>,
    told: &mut Vec<Reason>,
) -> Vec<Leaving<'a>> {
    let name = node.name();
    let all = ha
        .manager
        .as_ref()
        .and_then(|manager| manager.service_status.as_ref());
    let here: Vec<(&String, &HaService)> = all
        .into_iter()
        .flatten()
        // One whose node cannot be read is on every node.
        .filter(|(_, service)| service.node.as_ref().is_none_or(|on| on == name))
        .collect();
    if case.request.action == Action::Network {
        told.extend(watchdog(case, node, ha));
        return Vec::new();
    }
    let in_transit = |service: &HaService| {
        matches!(
            service.state,
            Some(
                ServiceState::Migrate
                    | ServiceState::Relocate
                    | ServiceState::Fence
                    | ServiceState::Recovery
            )
        )
    };
    let mut leaving = Vec::new();
    for (id, service) in &here {
        let subject = Thing::Service((*id).clone());
        if in_transit(service) {
            let sentence = format!("HA is moving {id}, which {name} has or takes");
            reasons.push(
                Reason::blocker(Kind::ServiceStuck, subject, sentence)
                    .seen(case.seen(node, Family::Ha, "manager_status"))
                    .remedy("`ha-manager status` shows when it is done."),
            );
            continue;
        }
        let what = what_becomes(&ha.config, case.request.action);
        if what == Becomes::Moves
            && let Some(why) = room::tied(case, node, id)
        {
            let sentence = format!(
                "{id} cannot leave {name} ({why}), and with shutdown_policy migrate the shutdown waits for it for ever"
            );
            reasons.push(
                Reason::blocker(Kind::ServiceStuck, subject, sentence)
                    .seen(case.seen(node, Family::Guests, why))
                    .remedy(format!("Stop it first (`ha-manager set {id} --state stopped`), or free it of what ties it."))
                    .way_back(format!("`ha-manager set {id} --state started`")),
            );
        } else {
            let sentence = format!("{id}: HA {}", what.words(name));
            told.push(Reason::note(Kind::ServiceMoves, subject, sentence));
            let is_to_run = !matches!(
                service.state,
                Some(ServiceState::Stopped | ServiceState::Disabled | ServiceState::Ignored)
            );
            let service = id.as_str();
            leaving.extend(
                (what != Becomes::Freezes && is_to_run).then_some(Leaving { node, service }),
            );
        }
    }
    leaving
}

/// A change of the network moves no service, and may cut the node off.
fn watchdog(case: &Case<'_>, node: &FreshNode<'_>, ha: &Ha) -> Option<Reason> {
    let name = node.name();
    if ha.armed(name) == Armed::No {
        return None;
    }
    let sentence = format!(
        "the watchdog of {name} is armed or may be: if the change cuts it off for a minute, it resets itself"
    );
    Some(
        Reason::warning(Kind::WatchdogArmed, Thing::Node(name.clone()), sentence)
            .seen(case.seen(node, Family::Ha, "lrm_status"))
            .remedy(format!(
                "`ha-manager crm-command node-maintenance enable {name}` moves its services away first."
            ))
            .way_back(format!("`ha-manager crm-command node-maintenance disable {name}`")),
    )
}

/// What HA does with the services of a node that goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Becomes {
    Freezes,
    IsTakenOver,
    Moves,
}

impl Becomes {
    fn words(self, node: &NodeName) -> String {
        match self {
            Self::Freezes => format!("stops it, and starts it again on {node}"),
            Self::IsTakenOver => "stops it, and another node takes it over".to_owned(),
            Self::Moves => "moves it to another node first".to_owned(),
        }
    }
}

fn what_becomes(config: &HaConfig, action: Action) -> Becomes {
    let policy = config.datacenter.as_ref();
    let policy = policy.and_then(|datacenter| datacenter.shutdown_policy.as_ref());
    match policy {
        Some(ShutdownPolicy::Freeze) => Becomes::Freezes,
        Some(ShutdownPolicy::Failover) => Becomes::IsTakenOver,
        Some(ShutdownPolicy::Migrate) => Becomes::Moves,
        // What is not known may be the one that can hold the shutdown up.
        Some(ShutdownPolicy::Other(_)) => Becomes::Moves,
        Some(ShutdownPolicy::Conditional) | None if action == Action::Shutdown => {
            Becomes::IsTakenOver
        }
        Some(ShutdownPolicy::Conditional) | None => Becomes::Freezes,
    }
}
