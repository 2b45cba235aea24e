//! Bonds and their ports.

use crate::change::pair::{Pair, pairs};
use crate::change::sentence::{became, counted, sentence};
use crate::change::{Change, differences};
use crate::fact::bond::{Bond, BondPort, MiiStatus};
use crate::fact::hardware_address::HardwareAddress;
use crate::report::Family;

pub(super) fn changes(before: &[Bond], after: &[Bond]) -> Vec<Change> {
    let mut changes = Vec::new();
    for pair in pairs(before, after, |bond| &bond.name) {
        match pair {
            Pair::Came(bond) => changes.push(whole(bond, format!("{} is new", bond.name))),
            Pair::Went(bond) => changes.push(whole(bond, format!("{} is gone", bond.name))),
            Pair::Stayed(was, is) if was != is => changes.push(changed(was, is)),
            Pair::Stayed(..) => {}
        }
    }
    changes
}

fn whole(bond: &Bond, sentence: String) -> Change {
    Change::new(Family::Bonds, bond.name.as_str(), sentence)
}

fn changed(was: &Bond, is: &Bond) -> Change {
    let found = differences(was, is, &[]);
    let mut clauses = Vec::new();
    if was.mii_status != is.mii_status {
        clauses.push(match is.mii_status {
            Some(MiiStatus::Up) => "is up".to_owned(),
            Some(MiiStatus::Down) => "is down: no port carries traffic".to_owned(),
            ref other => said("status", other.as_ref()),
        });
    }
    for pair in pairs(&was.slaves, &is.slaves, |port| &port.name) {
        match pair {
            Pair::Came(port) => clauses.push(format!("port {} joined", port.name)),
            Pair::Went(port) => clauses.push(format!("port {} left", port.name)),
            Pair::Stayed(was, is) => clauses.extend(port(was, is)),
        }
    }
    if !clauses.is_empty() {
        clauses.push(ports_up(is));
    }
    if was.active_slave != is.active_slave {
        clauses.push(match &is.active_slave {
            Some(port) => format!("{port} is the active port"),
            None => "no port is active".to_owned(),
        });
    }
    if was.partner_mac != is.partner_mac {
        clauses.push(partner(
            "the bond",
            was.partner_mac.as_ref(),
            is.partner_mac.as_ref(),
        ));
    }
    let sentence = sentence(is.name.as_str(), &clauses, &found);
    Change::new(Family::Bonds, is.name.as_str(), sentence).with(found)
}

fn port(was: &BondPort, is: &BondPort) -> Vec<String> {
    let name = format!("port {}", is.name);
    let mut clauses = Vec::new();
    if was.mii_status != is.mii_status {
        clauses.push(match &is.mii_status {
            Some(status) => format!("{name} is {status}"),
            None => format!("the state of {name} is unknown"),
        });
    } else if let (Some(was), Some(is)) = (was.failures, is.failures)
        && is > was
    {
        clauses.push(format!("{name} went down and came back"));
    }
    if was.partner_mac != is.partner_mac {
        clauses.push(partner(
            &name,
            was.partner_mac.as_ref(),
            is.partner_mac.as_ref(),
        ));
    }
    let own = |what: &str| format!("{name}: {what}");
    clauses.extend(became(
        &own("speed"),
        " Mbit/s",
        was.speed_mbps.as_ref(),
        is.speed_mbps.as_ref(),
    ));
    clauses.extend(became(
        &own("duplex"),
        "",
        was.duplex.as_ref(),
        is.duplex.as_ref(),
    ));
    clauses.extend(became(
        &own("aggregator"),
        "",
        was.aggregator_id.as_ref(),
        is.aggregator_id.as_ref(),
    ));
    clauses.extend(became(
        &own("actor churn"),
        "",
        was.actor_churn.as_ref(),
        is.actor_churn.as_ref(),
    ));
    clauses.extend(became(
        &own("partner churn"),
        "",
        was.partner_churn.as_ref(),
        is.partner_churn.as_ref(),
    ));
    clauses
}

fn said(what: &str, status: Option<&MiiStatus>) -> String {
    match status {
        Some(status) => format!("{what} is {status}"),
        None => format!("{what} is unknown"),
    }
}

/// All zero is how the kernel writes that nobody answers.
fn partner(who: &str, was: Option<&HardwareAddress>, is: Option<&HardwareAddress>) -> String {
    match (was, is) {
        (_, None) => format!("the LACP partner of {who} is unknown"),
        (_, Some(is)) if is.is_zero() => match was.filter(|was| !was.is_zero()) {
            Some(was) => format!("{who} hears no LACP partner any more (it was {was})"),
            None => format!("{who} hears no LACP partner"),
        },
        (_, Some(is)) => format!("{who} hears LACP partner {is}"),
    }
}

fn ports_up(bond: &Bond) -> String {
    let up = |port: &&BondPort| port.mii_status == Some(MiiStatus::Up);
    let count = bond.slaves.iter().filter(up).count();
    let all = counted(bond.slaves.len(), "port");
    format!("{count} of {all} up")
}
