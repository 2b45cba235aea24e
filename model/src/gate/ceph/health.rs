//! Is Ceph worse off than usual? Ok-to-stop says whether data stays available; what it costs if one more fails meanwhile is
//! seen by its health.

use crate::cluster::FreshNode;
use crate::fact::ceph::{Health, HealthCheck, HealthStatus};
use crate::finding::Thing;
use crate::gate::case::Case;
use crate::gate::verdict::{Kind, Reason};
use crate::report::{Facts as _, Family};

/// What these complain of stands for months, and takes nothing away (doc/rados/operations/health-checks.rst).
const USUAL: &[&str] = &[
    "AUTH_INSECURE_GLOBAL_ID_RECLAIM",
    "AUTH_INSECURE_GLOBAL_ID_RECLAIM_ALLOWED",
    "BLUEFS_SPILLOVER",
    "BLUESTORE_NO_PER_PG_OMAP",
    "BLUESTORE_NO_PER_POOL_OMAP",
    "MON_MSGR2_NOT_ENABLED",
    "OSD_UPGRADE_FINISHED",
    "PG_NOT_DEEP_SCRUBBED",
    "PG_NOT_SCRUBBED",
    "POOL_APP_NOT_ENABLED",
    "POOL_TOO_FEW_PGS",
    "POOL_TOO_MANY_PGS",
    "RECENT_CRASH",
    "RECENT_MGR_MODULE_CRASH",
    "TELEMETRY_CHANGED",
    "TOO_FEW_PGS",
];

/// Flags that are set before a maintenance, or that let nothing but scrubbing wait.
const USUAL_FLAGS: &[&str] = &["noout", "norebalance", "noscrub", "nodeep-scrub"];

pub(super) fn look(case: &Case<'_>) -> Vec<Reason> {
    let Some((node, health, status)) = newest(case) else {
        let sentence =
            "what Ceph says of its health is missing or too old: something may be worse there";
        let reason = Reason::warning(Kind::CephHealth, Thing::Cluster, sentence.to_owned());
        return vec![reason.remedy("`ceph health detail` on a node that stays.")];
    };
    let seen = |words: &str| case.seen(node, Family::Ceph, words);
    let checks = health.checks.iter();
    let mut reasons: Vec<Reason> = checks
        .map(|check| {
            let words = check.name.as_deref().unwrap_or(status.as_str());
            complaint(health, status, check).seen(seen(words))
        })
        .collect();
    if reasons.is_empty() && *status != HealthStatus::Ok {
        let sentence = format!("Ceph says {status} and not why");
        let reason = Reason::warning(Kind::CephHealth, Thing::Cluster, sentence);
        reasons.push(
            reason
                .remedy("`ceph health detail` says more.")
                .seen(seen(status.as_str())),
        );
    }
    reasons
}

/// All nodes speak of the same Ceph; the one who asked it last knows best.
fn newest<'a>(case: &'a Case<'_>) -> Option<(&'a FreshNode<'a>, &'a Health, &'a HealthStatus)> {
    let told = case.heard.iter().filter_map(|node| {
        let health = node.ceph()?.health.as_ref()?;
        let age_ms = node.node.held(Family::Ceph)?.age_ms(case.scene.now);
        Some((age_ms, node, health, health.status.as_ref()?))
    });
    let newest = told.min_by_key(|(age_ms, node, ..)| (*age_ms, node.name()));
    newest.map(|(_, node, health, status)| (node, health, status))
}

fn complaint(health: &Health, status: &HealthStatus, check: &HealthCheck) -> Reason {
    let name = check.name.as_deref();
    let summary = check.summary.as_deref().filter(|text| !text.is_empty());
    let severity = check.severity.as_ref().unwrap_or(status);
    let words = match (summary, name) {
        (Some(summary), Some(name)) => format!("{summary} ({name})"),
        (Some(words), None) | (None, Some(words)) => words.to_owned(),
        (None, None) => "a complaint without words".to_owned(),
    };
    let is_muted = check.muted == Some(true)
        || name.is_some_and(|name| health.mutes.iter().any(|muted| muted == name));
    let subject = name.map_or(Thing::Cluster, |name| Thing::Ceph(name.to_owned()));
    if is_muted {
        let sentence = format!("Ceph says {severity}: {words}; somebody has muted it");
        return Reason::note(Kind::CephHealth, subject, sentence);
    }
    let sentence = format!("Ceph says {severity}: {words}");
    let is_usual = name.is_some_and(|name| USUAL.contains(&name)) || has_usual_flags(check);
    if is_usual && *severity == HealthStatus::Warn {
        return Reason::note(Kind::CephHealth, subject, sentence);
    }
    let remedy = "`ceph health detail` says more. Wait until it is mended: what fails meanwhile is one more.";
    Reason::warning(Kind::CephHealth, subject, sentence).remedy(remedy)
}

/// `noout,norebalance flag(s) set`
fn has_usual_flags(check: &HealthCheck) -> bool {
    let summary = check.summary.as_deref().unwrap_or_default();
    let flags = summary.strip_suffix(" flag(s) set");
    let is_usual = |flags: &str| flags.split(',').all(|flag| USUAL_FLAGS.contains(&flag));
    check.name.as_deref() == Some("OSDMAP_FLAGS") && flags.is_some_and(is_usual)
}
