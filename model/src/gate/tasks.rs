//! Does something run on the node that somebody waits for: a migration, a backup, a guest that is held?

use super::case::Case;
use super::verdict::{Kind, Reason};
use crate::cluster::FreshNode;
use crate::fact::guests::Guest;
use crate::fact::tasks::RunningTask;
use crate::finding::Thing;
use crate::report::{Facts as _, Family};

/// The lists of tasks and guests of every node asked about are known, and nothing runs there.
#[derive(Debug)]
pub(super) struct NothingRuns(());

pub(super) fn look(case: &Case<'_>, reasons: &mut Vec<Reason>) -> Option<NothingRuns> {
    let before = reasons.len();
    for node in case.targets() {
        for family in [Family::Tasks, Family::Guests] {
            // A node without Proxmox VE has neither.
            if !case.is_whole(node, family) && !case.is_absent(node, family) {
                reasons.push(unknown(node, family));
            }
        }
        if node.guests().is_some_and(|guests| guests.left_out > 0) {
            reasons.push(unknown(node, Family::Guests));
        }
        running(case, node, reasons);
        held(case, node, reasons);
    }
    let is_clear = reasons.len() == before;
    elsewhere(case, reasons);
    is_clear.then_some(NothingRuns(()))
}

fn unknown(node: &FreshNode<'_>, family: Family) -> Reason {
    let name = node.name();
    let sentence = format!(
        "what {name} says of its {} is missing, too old or not whole, so whether something runs there is not known",
        family.key()
    );
    Reason::missing(Kind::TasksUnknown, Thing::Node(name.clone()), sentence).remedy(format!(
        "`quorate-agent snapshot` on {name} says what cannot be read, and why."
    ))
}

/// A task that was killed stands in the list as if it ran: only its process tells. Whose process cannot be seen, runs.
fn minds(task: &&RunningTask) -> bool {
    task.alive != Some(false) && task.task.kind.minds_a_reboot()
}

fn running(case: &Case<'_>, node: &FreshNode<'_>, reasons: &mut Vec<Reason>) {
    let name = node.name();
    let tasks = node.tasks().into_iter().flat_map(|tasks| &tasks.running);
    for task in tasks.filter(minds) {
        let about = task.task.id.as_ref();
        let about = about.map_or_else(String::new, |id| format!(" of {id}"));
        let sentence = format!(
            "a task runs on {name}: {}{about}, since {}",
            task.task.kind, task.task.started
        );
        let seen = case.seen(
            node,
            Family::Tasks,
            format!("{} (pid {})", task.task.kind, task.task.pid),
        );
        reasons.push(
            Reason::blocker(Kind::TaskRuns, Thing::Node(name.clone()), sentence)
                .seen(seen)
                .remedy("Wait until it has ended: the task log of the web interface shows how far it is."),
        );
    }
}

fn held(case: &Case<'_>, node: &FreshNode<'_>, reasons: &mut Vec<Reason>) {
    let lock = |guest: &Guest| {
        let lock = guest.config.as_ref()?.lock.clone()?;
        Some((guest.id, lock))
    };
    let name = node.name();
    let guests = node.guests().into_iter().flat_map(|guests| &guests.here);
    for (id, lock) in guests.filter_map(lock) {
        let sentence =
            format!("guest {id} on {name} is held ({lock}): something is being done to it");
        reasons.push(
            Reason::blocker(Kind::GuestHeld, Thing::Guest(id), sentence)
                .seen(case.seen(node, Family::Guests, format!("lock: {lock}")))
                .remedy(format!(
                    "Wait until it is done. If nothing runs any more, `qm unlock {id}` (`pct unlock {id}`) lets it go."
                )),
        );
    }
}

/// A migration is a task of the node that the guest leaves; where it goes, the task does not say.
fn elsewhere(case: &Case<'_>, reasons: &mut Vec<Reason>) {
    for node in case.others() {
        let name = node.name();
        let tasks = node.tasks().into_iter().flat_map(|tasks| &tasks.running);
        let moving = tasks
            .filter(minds)
            .find(|task| task.task.kind.is_migration());
        if let Some(task) = moving {
            let where_to = if case.request.nodes.is_empty() {
                "which way it takes is not said: it may be over"
            } else {
                "where it goes is not said: it may be to"
            };
            let sentence = format!(
                "a migration runs on {name} ({}), and {where_to} {}",
                task.task.kind,
                case.request.names()
            );
            reasons.push(
                Reason::warning(Kind::TaskElsewhere, Thing::Node(name.clone()), sentence)
                    .seen(case.seen(node, Family::Tasks, task.task.kind.to_string()))
                    .remedy("Wait until it has ended."),
            );
        }
    }
}
