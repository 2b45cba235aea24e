//! A port on which frames arrive damaged, or cannot be sent: a bad cable, transceiver or port. The link stays up.
//!
//! `rx_dropped` is not looked at: frames of unknown protocols raise it on healthy ports.

use super::{Tuned, link_flapping, stack};
use crate::cluster::FreshNode;
use crate::fact::link::Link;
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

const WINDOW_MS: u64 = 600_000;

pub(super) fn look(node: &FreshNode<'_>, tuned: &Tuned<'_>) -> Vec<Finding> {
    let links = node.links().into_iter().flatten();
    let nics = links.filter(|link| stack::is_nic(link));
    nics.filter_map(|link| bad(node, link, &tuned.interface(&link.name)))
        .collect()
}

fn bad(node: &FreshNode<'_>, link: &Link, tuned: &Tuned<'_>) -> Option<Finding> {
    let past = node.node.past.ports.get(&link.name)?;
    // Frames are lost while a link comes and goes, and that has its own rule.
    if link_flapping::times(node, link, tuned).is_some() {
        return None;
    }
    let counters = [
        (&past.damaged, "frames came damaged"),
        (&past.tx_errors, "frames could not be sent"),
    ];
    let rising = counters.into_iter().filter_map(|(counter, what)| {
        let rose = counter.rose_within(WINDOW_MS, node.now);
        (rose >= u64::from(tuned.port_errors())).then(|| format!("{rose} {what}"))
    });
    let rising: Vec<String> = rising.collect();
    if rising.is_empty() {
        return None;
    }
    let (name, port) = (node.name(), &link.name);
    let said = rising.join(" and ");
    let sentence = format!("on {port} of {name} {said} within 10 minutes");
    let found = Finding::new(Severity::Warning, Thing::Iface(name.clone(), port.clone()), sentence)
        .seen_in(name, Family::Links, format!("{port}: {said}"))
        .remedy(format!(
            "Change the cable or the transceiver of {port}, then the switch port; look at the switch's counters of the \
             other side too. `ip -s -s link show {port}` on {name} shows what is counted."
        ))
        .way_back("Put the old cable or transceiver back.");
    Some(found)
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, value};
    use crate::fact::link::Statistics;

    const RULE: &str = "link-errors";

    fn count(world: &mut World, statistics: &Statistics) {
        world.edit("pve-03", |report| {
            value(&mut report.links)[0].statistics = Some(statistics.clone());
        });
    }

    #[test]
    fn damaged_frames_that_rise_are_told_until_they_rise_no_more() {
        let mut world = World::healthy();
        let mut statistics = Statistics {
            rx_crc_errors: Some(4_000),
            ..Statistics::default()
        };
        count(&mut world, &statistics);
        assert!(
            world.found(RULE).is_empty(),
            "what was counted before is not news"
        );
        world.advance_s(30);
        statistics.rx_crc_errors = Some(4_025);
        count(&mut world, &statistics);
        let expect =
            "warning pve-03/eno1: on eno1 of pve-03 25 frames came damaged within 10 minutes";
        assert_eq!(world.found(RULE), [expect]);
        world.advance_s(700);
        assert!(world.found(RULE).is_empty());
    }

    #[test]
    fn dropped_frames_few_errors_and_a_counter_that_began_anew_are_nothing() {
        let mut world = World::healthy();
        let mut statistics = Statistics {
            rx_dropped: Some(0),
            rx_crc_errors: Some(90),
            tx_errors: Some(0),
            ..Statistics::default()
        };
        count(&mut world, &statistics);
        world.advance_s(120);
        statistics.rx_dropped = Some(1_000_000);
        statistics.tx_errors = Some(3);
        statistics.rx_crc_errors = Some(50);
        count(&mut world, &statistics);
        assert!(world.found(RULE).is_empty());
    }
}
