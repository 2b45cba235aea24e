//! High availability, and versions of packages.

use std::collections::BTreeMap;

use model::fact::ha::{Armed, Ha, HaStatus};
use model::fact::ha_config::HaConfig;
use model::fact::packages::Packages;
use model::report::NodeReport;

use super::page::{Cell, Mark, Page, known, plain};

/// How many unfinished packages are named; the JSON holds more.
const MAX_UNSETTLED: usize = 10;

pub(super) fn show(page: &mut Page, report: &NodeReport) {
    let Some(ha) = report.ha.known() else {
        return;
    };
    page.heading("High availability");
    if let Some(status) = &ha.status {
        answered(page, status);
    }
    if let Some(manager) = &ha.manager {
        page.line(&[
            Cell::labelled("master", manager.master_node.as_ref()),
            Cell::labelled("· written", manager.timestamp),
        ]);
        let odd = manager
            .node_status
            .iter()
            .filter(|(_, state)| state.as_str() != "online");
        for (node, state) in odd {
            page.line(&[Cell::bad(format!("{node} is {state} to the manager"))]);
        }
        if let Some(disarm) = &manager.disarm {
            page.line(&[
                Cell::labelled("fencing of the whole cluster:", disarm.state.as_ref()),
                Cell::labelled("· services meanwhile:", disarm.mode.as_ref()),
            ]);
        }
    }
    configured(page, &ha.config);
    watchdogs(page, ha);
    services(page, ha);
}

fn configured(page: &mut Page, config: &HaConfig) {
    if let Some(datacenter) = &config.datacenter {
        let policy = datacenter.shutdown_policy.as_ref();
        let network = datacenter.migration_network.as_deref();
        page.line(&[
            plain(format!(
                "on shutdown: {}",
                policy.map_or("conditional (the default)", |policy| policy.as_str())
            )),
            plain(format!(
                "· migrations over: {}",
                network.unwrap_or("the node's own address")
            )),
        ]);
    }
    if let Some(resources) = &config.resources {
        page.say(format!("services configured: {}", resources.len()));
    }
}

/// What `ha-manager status` says.
fn answered(page: &mut Page, status: &HaStatus) {
    let mut cells = vec![plain("quorate:"), Cell::verdict(status.quorate, true)];
    if let Some(fencing) = &status.fencing {
        cells.push(plain(format!("· fencing {}", fencing.state)));
    }
    if let Some(master) = &status.master {
        cells.push(plain(format!("· master {}", master.node)));
        cells.push(known(master.state.as_ref()));
    }
    page.line(&cells);
    let rows: Vec<Vec<Cell>> = status
        .lrms
        .iter()
        .map(|lrm| {
            let watchdog = lrm.watchdog.as_ref();
            vec![
                plain(&lrm.node),
                known(lrm.state.as_ref()),
                plain(
                    watchdog
                        .map(|watchdog| format!("watchdog {watchdog}"))
                        .unwrap_or_default(),
                ),
            ]
        })
        .collect();
    page.table(&rows);
}

/// By `lrm_status`, and as of the time inside: without quorum the files are yesterday's.
fn watchdogs(page: &mut Page, ha: &Ha) {
    let rows: Vec<Vec<Cell>> = ha
        .lrm
        .iter()
        .map(|(node, lrm)| {
            let armed = match ha.armed(node) {
                Armed::Yes => plain("armed: it resets itself without quorum"),
                Armed::No => plain("not armed"),
                Armed::Unknown => Cell::new("armed unknown", Mark::Unknown),
            };
            vec![
                plain(node),
                Cell::labelled("LRM", lrm.state.as_ref()),
                armed,
                Cell::labelled("as of", lrm.timestamp),
            ]
        })
        .collect();
    page.table(&rows);
}

fn services(page: &mut Page, ha: &Ha) {
    let mut by_state: BTreeMap<String, usize> = BTreeMap::new();
    let of_status = ha.status.as_ref().map(|status| &status.services);
    let states: Vec<Option<String>> = match of_status.filter(|services| !services.is_empty()) {
        Some(services) => services
            .iter()
            .map(|service| service.state.as_ref().map(ToString::to_string))
            .collect(),
        None => ha
            .manager
            .iter()
            .filter_map(|manager| manager.service_status.as_ref())
            .flat_map(BTreeMap::values)
            .map(|service| service.state.as_ref().map(ToString::to_string))
            .collect(),
    };
    for state in states {
        let state = state.unwrap_or_else(|| "unknown".to_owned());
        *by_state.entry(state).or_default() += 1;
    }
    if !by_state.is_empty() {
        let said: Vec<String> = by_state
            .iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        page.say(format!("services: {}", said.join(", ")));
    }
}

pub(super) fn packages(page: &mut Page, report: &NodeReport) {
    let Some(packages) = report.packages.known() else {
        return;
    };
    page.heading("Packages");
    page.line(&[
        Cell::labelled("pve-manager", packages.manager_version.as_ref()),
        Cell::labelled("· running kernel", packages.running_kernel.as_ref()),
    ]);
    if let (Some(installed), Some(running)) =
        (&packages.manager_version, &packages.manager_running_version)
        && installed != running
    {
        page.line(&[Cell::bad(format!(
            "the tools still run pve-manager {running}"
        ))]);
    }
    let quorum = [
        "corosync",
        "libknet1",
        "ifupdown2",
        "pve-cluster",
        "pve-ha-manager",
    ];
    let said: Vec<String> = quorum
        .iter()
        .filter_map(|name| Some(format!("{name} {}", packages.versions.get(*name)?)))
        .collect();
    if !said.is_empty() {
        page.say(said.join(" · "));
    }
    for name in &packages.not_correctly_installed {
        page.line(&[Cell::bad(format!("{name} is not correctly installed"))]);
    }
    unsettled(page, packages);
}

/// What a stopped upgrade left behind.
fn unsettled(page: &mut Page, packages: &Packages) {
    let Some(unsettled) = &packages.unsettled else {
        page.line(&[plain("unfinished packages:"), Cell::unknown()]);
        return;
    };
    for one in unsettled.iter().take(MAX_UNSETTLED) {
        let again = if one.reinstall_required {
            ", and has to be installed anew"
        } else {
            ""
        };
        let said = format!("{} is {}{again}", one.package, one.state);
        page.line(&[Cell::bad(said)]);
    }
    let kept = u32::try_from(unsettled.len().saturating_sub(MAX_UNSETTLED)).unwrap_or(u32::MAX);
    let more = kept.saturating_add(packages.unsettled_not_kept);
    if more > 0 {
        page.line(&[Cell::bad(format!("{more} more are unfinished"))]);
    }
}
