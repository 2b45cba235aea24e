//! Ceph's health, monitors and OSDs.

use model::fact::ceph::{HealthStatus, MonQuorum};
use model::report::NodeReport;

use super::page::{Cell, Mark, Page, plain};

pub(super) fn show(page: &mut Page, report: &NodeReport) {
    let Some(ceph) = report.ceph.known() else {
        return;
    };
    page.heading("Ceph");
    let health = ceph.health.as_ref();
    let status = match health.and_then(|health| health.status.as_ref()) {
        Some(HealthStatus::Ok) => Cell::good("HEALTH_OK"),
        Some(other) => Cell::bad(other),
        None => Cell::new("health unknown", Mark::Unknown),
    };
    page.line(&[status]);
    for check in health.iter().flat_map(|health| &health.checks) {
        let name = check.name.as_deref().unwrap_or("check");
        let summary = check.summary.as_deref().unwrap_or_default();
        page.say(format!("{name}: {summary}"));
    }
    match &ceph.quorum {
        Some(quorum) => monitors(page, quorum),
        None => page.line(&[plain("monitors in quorum:"), Cell::unknown()]),
    }
    if let Some(osds) = &ceph.osds {
        page.line(&[
            Cell::labelled("OSDs:", osds.total),
            Cell::labelled("· up", osds.up),
            Cell::labelled("· in", osds.r#in),
        ]);
    }
    for answer in &ceph.ok_to_stop {
        let what = answer.what.as_ref().map_or("unknown", |what| what.as_str());
        page.line(&[
            plain(format!("may {what} {} stop:", answer.ids.join(", "))),
            Cell::verdict(answer.ok, true),
        ]);
    }
}

fn monitors(page: &mut Page, quorum: &MonQuorum) {
    let all = quorum
        .monmap
        .as_ref()
        .and_then(|mons| u32::try_from(mons.len()).ok());
    let of = Cell::labelled("of", quorum.monitors.or(all));
    match &quorum.names {
        Some(names) if names.is_empty() => {
            page.line(&[plain("monitors in quorum:"), Cell::bad("none"), of]);
        }
        Some(names) => page.line(&[
            plain(format!("monitors in quorum: {}", names.join(", "))),
            of,
        ]),
        None => page.line(&[plain("monitors in quorum:"), Cell::unknown(), of]),
    }
}
