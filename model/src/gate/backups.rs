//! Backup first: before an upgrade, which guests have no backup that was seen lately. Backups made from elsewhere are in no
//! list of the node, so this is never "no backup".

use super::case::Case;
use super::request::Action;
use super::verdict::{Kind, Reason};
use crate::fact::tasks::Backups;
use crate::finding::Thing;
use crate::name::NodeName;
use crate::report::{Facts as _, Family};

/// A weekly job that ran is recent.
const RECENT_DAYS: i64 = 8;
const DAY_MS: i64 = 86_400_000;

pub(super) fn look(case: &Case<'_>, reasons: &mut Vec<Reason>) {
    if case.request.action != Action::Upgrade {
        return;
    }
    for node in case.targets() {
        let Some(guests) = node.guests() else {
            continue;
        };
        let backups = node.tasks().and_then(|tasks| tasks.backups.as_ref());
        let is_recent =
            |id: u32| backups.is_some_and(|backups| is_recent(backups, id, case.scene.now.unix_ms));
        let (needless, without): (Vec<u32>, Vec<u32>) = guests
            .here
            .iter()
            .filter(|guest| guest.config.as_ref().is_none_or(|config| !config.template))
            .filter(|guest| !is_recent(guest.id))
            .map(|guest| guest.id)
            .partition(|id| case.accepted(&key(*id), "").is_some());
        let name = node.name();
        reasons.extend(needless.iter().map(|id| needs_none(name, *id)));
        if without.is_empty() {
            continue;
        }
        let without: Vec<String> = without.iter().map(ToString::to_string).collect();
        let sentence = format!(
            "no vzdump backup of the last {RECENT_DAYS} days was seen for {} on {name}: {}",
            if without.len() == 1 {
                "one guest"
            } else {
                "guests"
            },
            without.join(", ")
        );
        reasons.push(
            Reason::warning(Kind::NoBackupSeen, Thing::Node(name.clone()), sentence)
                .seen(case.seen(node, Family::Tasks, "list of tasks"))
                .remedy("`vzdump ID --mode snapshot --storage STORAGE`; one made from elsewhere is not seen here."),
        );
    }
}

/// Of one guest it can be accepted that it has none.
fn key(id: u32) -> (Kind, Thing) {
    (Kind::NoBackupSeen, Thing::Guest(id))
}

/// Who accepted it, and why, is said with all that is accepted.
fn needs_none(node: &NodeName, id: u32) -> Reason {
    let (kind, subject) = key(id);
    let sentence =
        format!("no vzdump backup of the last {RECENT_DAYS} days was seen for {subject} on {node}");
    Reason::warning(kind, subject, sentence)
}

/// A job for several guests does not say here for which: it counts for all.
fn is_recent(backups: &Backups, id: u32, now_unix_ms: i64) -> bool {
    let own = backups.newest_of_guest.get(&id).copied();
    let newest = own.max(backups.newest_of_several);
    newest.is_some_and(|at| at.as_millisecond() + RECENT_DAYS * DAY_MS >= now_unix_ms)
}
