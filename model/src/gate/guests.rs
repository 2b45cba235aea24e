//! What stops with the node.

use super::case::Case;
use super::verdict::{Kind, Reason};
use crate::finding::Thing;
use crate::report::{Facts as _, Family};

pub(super) fn look(case: &Case<'_>, reasons: &mut Vec<Reason>) {
    if !case.request.action.stops_guests() {
        return;
    }
    for node in case.targets() {
        let Some(guests) = node.guests() else {
            continue;
        };
        let running = guests
            .here
            .iter()
            .filter(|guest| guest.running == Some(true))
            .count();
        if running > 0 {
            let name = node.name();
            let sentence = match running {
                1 => format!("1 guest runs on {name} and stops with it, unless HA moves it"),
                many => format!(
                    "{many} guests run on {name} and stop with it, but for those that HA moves"
                ),
            };
            let seen = case.seen(node, Family::Guests, format!("{running} running"));
            reasons.push(
                Reason::note(Kind::GuestsStop, Thing::Node(name.clone()), sentence).seen(seen),
            );
        }
    }
}
