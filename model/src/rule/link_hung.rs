//! A port whose card hangs: the kernel says so, the link stays up, and nothing leaves. Nothing else shows it on the node
//! (e1000e's `Detected Hardware Unit Hang` and the transmit queue that timed out).

use std::collections::BTreeMap;

use super::{Tuned, stack};
use crate::cluster::FreshNode;
use crate::fact::journal::{Event, JournalEvent, JournalTime};
use crate::finding::{Finding, Severity, Thing};
use crate::name::IfaceName;
use crate::report::{Facts as _, Family};

/// What stands on a card is back so long after its reset.
const RETURNS_MS: i64 = 60_000;

#[derive(Default)]
struct Hang<'a> {
    times: u32,
    last: Option<&'a JournalEvent>,
    /// The link came back, or the card was reset, after the last of them.
    is_past: bool,
    /// That was a moment ago: what it took with it is not back yet.
    is_just_past: bool,
}

pub(super) fn look(node: &FreshNode<'_>, tuned: &Tuned<'_>) -> Vec<Finding> {
    let Some(journal) = node.journal() else {
        return Vec::new();
    };
    // The entries have the node's own time. So has the newest of them, and that is not later than now.
    let newest = journal.events.iter().filter_map(at_ms).max();
    let skew = node.node.seen.skew_ms;
    let told = skew.map(|ahead| node.now.unix_ms.saturating_add(ahead));
    let Some(now_ms) = newest.max(told) else {
        return Vec::new();
    };
    let since = now_ms.saturating_sub(i64::from(tuned.nic_hang_window_s()) * 1_000);
    let mut hangs: BTreeMap<&IfaceName, Hang<'_>> = BTreeMap::new();
    for event in journal
        .events
        .iter()
        .filter(|event| at_ms(event).is_some_and(|at| at >= since))
    {
        match &event.event {
            Event::NicHang { iface, .. } | Event::NicTransmitTimeout { iface, .. } => {
                let hang = hangs.entry(iface).or_default();
                hang.times = hang.times.saturating_add(1);
                hang.last = Some(event);
                hang.is_past = false;
            }
            Event::NicLinkUp { iface, .. } | Event::NicReset { iface, .. } => {
                if let Some(hang) = hangs.get_mut(iface) {
                    hang.is_past = true;
                    hang.is_just_past =
                        at_ms(event).is_some_and(|at| at.saturating_add(RETURNS_MS) > now_ms);
                }
            }
            _ => {}
        }
    }
    hangs
        .into_iter()
        .filter_map(|(iface, hang)| told_of(node, iface, &hang, tuned))
        .collect()
}

fn at_ms(event: &JournalEvent) -> Option<i64> {
    match event.time.as_ref()? {
        JournalTime::Exact(at) => Some(at.as_millisecond()),
        JournalTime::Civil(_) | JournalTime::SinceBootUs(_) => None,
    }
}

fn told_of(
    node: &FreshNode<'_>,
    iface: &IfaceName,
    hang: &Hang<'_>,
    tuned: &Tuned<'_>,
) -> Option<Finding> {
    let last = hang.last?;
    let name = node.name();
    let times = if hang.times == 1 {
        "once".to_owned()
    } else {
        format!("{} times", hang.times)
    };
    let minutes = tuned.nic_hang_window_s() / 60;
    let said =
        format!("the kernel of {name} said {times} within {minutes} minutes that {iface} hangs");
    let (severity, sentence) = if hang.is_past {
        (Severity::Warning, format!("{said}; it was reset since"))
    } else {
        (
            Severity::Critical,
            format!("{said}: its link stays up and nothing leaves"),
        )
    };
    let found = Finding::new(severity, Thing::Iface(name.clone(), iface.clone()), sentence)
        .seen_in(name, Family::Journal, last.message.clone())
        .remedy(format!(
            "Only if the node is reachable without {iface}: `ip link set {iface} down`, then `up`. For e1000e, `ethtool \
             -K {iface} tso off gso off` keeps it from coming back."
        ))
        .way_back(format!("`ethtool -K {iface} tso on gso on`; `ip link set {iface} up`."));
    Some(if hang.is_past && !hang.is_just_past {
        found
    } else {
        found.takes(stack::taken_with(node, iface))
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::cluster::testing::{World, iface, known};
    use crate::fact::journal::Journal;

    const RULE: &str = "link-hung";

    fn event(world: &World, seconds_ago: i64, event: Event) -> JournalEvent {
        let at = world.now.unix_ms - seconds_ago * 1_000;
        JournalEvent {
            time: Some(JournalTime::Exact(Timestamp::from_millisecond(at).unwrap())),
            boot_id: None,
            cursor: None,
            hostname: None,
            identifier: Some("kernel".to_owned()),
            unit: None,
            pid: None,
            priority: Some(3),
            repeated: None,
            message: "e1000e 0000:00:1f.6 eno3: Detected Hardware Unit Hang:".to_owned(),
            event,
        }
    }

    fn tell(world: &mut World, events: Vec<JournalEvent>) {
        world
            .cluster
            .nodes
            .values_mut()
            .for_each(|node| node.seen.skew_ms = Some(0));
        world.edit("pve-03", |report| {
            report.journal = known(Journal {
                events,
                ..Journal::default()
            });
        });
    }

    fn hang() -> Event {
        Event::NicHang {
            iface: iface("eno3"),
            driver: Some("e1000e".to_owned()),
        }
    }

    #[test]
    fn a_card_that_hangs_is_told_while_its_link_is_up() {
        let mut world = World::healthy();
        assert!(world.found(RULE).is_empty());
        let events = vec![event(&world, 20, hang()), event(&world, 5, hang())];
        tell(&mut world, events);
        let expect = "critical pve-03/eno3: the kernel of pve-03 said 2 times within 30 minutes that eno3 hangs: its \
                      link stays up and nothing leaves";
        assert_eq!(world.found(RULE), [expect]);
        let found = crate::rule::named(RULE).unwrap().look(&world.scene());
        assert!(
            found[0]
                .takes
                .iter()
                .any(|thing| matches!(thing, Thing::Knet { .. }))
        );
        let reset = Event::NicReset {
            iface: iface("eno3"),
            driver: None,
        };
        let events = vec![event(&world, 20, hang()), event(&world, 5, reset)];
        tell(&mut world, events);
        assert!(
            world.found(RULE)[0].starts_with("warning pve-03/eno3: the kernel of pve-03 said once")
        );
    }

    #[test]
    fn an_old_hang_is_past() {
        let mut world = World::healthy();
        let events = vec![event(&world, 4_000, hang())];
        tell(&mut world, events);
        assert!(world.found(RULE).is_empty());
    }
}
