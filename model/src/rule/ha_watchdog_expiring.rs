//! watchdog-mux says that a client is about to be too late, or was: the node resets itself. The last word of this boot's
//! journal counts.

use super::Tuned;
use crate::cluster::FreshNode;
use crate::fact::journal::{Event, JournalEvent};
use crate::finding::{Finding, Severity, Thing};
use crate::report::{Facts as _, Family};

pub(super) fn look(node: &FreshNode<'_>, _: &Tuned<'_>) -> Vec<Finding> {
    let Some(journal) = node.journal() else {
        return Vec::new();
    };
    let Some(last) = journal
        .events
        .iter()
        .rev()
        .find(|event| is_of_a_watchdog(&event.event))
    else {
        return Vec::new();
    };
    let name = node.name();
    let sentence = match &last.event {
        Event::WatchdogAboutToExpire { .. } => {
            format!(
                "the watchdog of {name} is about to expire: the node resets itself in 10 to 20 s unless its HA manager answers"
            )
        }
        Event::WatchdogExpired { .. }
        | Event::WatchdogClientDidNotStop { .. }
        | Event::WatchdogMuxExitActive => {
            format!("the watchdog of {name} has expired: the node resets itself within 10 s")
        }
        _ => return Vec::new(),
    };
    vec![finding(node, sentence, last)]
}

fn is_of_a_watchdog(event: &Event) -> bool {
    matches!(
        event,
        Event::WatchdogAboutToExpire { .. }
            | Event::WatchdogUpdatedInTime { .. }
            | Event::WatchdogExpired { .. }
            | Event::WatchdogClientDidNotStop { .. }
            | Event::WatchdogClientAdded { .. }
            | Event::WatchdogClientsClosed
            | Event::WatchdogMuxStarted { .. }
            | Event::WatchdogMuxExitActive
            | Event::WatchdogMuxExitClean
    )
}

fn finding(node: &FreshNode<'_>, sentence: String, last: &JournalEvent) -> Finding {
    let name = node.name();
    Finding::new(Severity::Critical, Thing::Node(name.clone()), sentence)
        .seen_in(name, Family::Journal, last.message.clone())
        .remedy(format!(
            "There is no time to mend it. When {name} is back: `journalctl -b -1 -u pve-ha-lrm -u watchdog-mux -u corosync` \
             says what held the HA manager up."
        ))
}

#[cfg(test)]
mod tests {
    use crate::cluster::testing::{World, known};
    use crate::fact::journal::Journal;

    const RULE: &str = "ha-watchdog-expiring";

    fn says(world: &mut World, lines: &[&str]) {
        let events = lines.iter().map(|line| {
            let json = format!(
                r#"{{"time": null, "identifier": "watchdog-mux", "message": "said", {line}}}"#
            );
            serde_json::from_str(&json).unwrap()
        });
        let journal = Journal {
            events: events.collect(),
            ..Journal::default()
        };
        world.edit("pve-02", |report| report.journal = known(journal));
    }

    #[test]
    fn the_last_word_of_the_watchdog_counts() {
        let mut world = World::of(3);
        assert!(world.found(RULE).is_empty());
        let late = r#""event": "watchdog_about_to_expire", "client_pid": 7"#;
        says(&mut world, &[late]);
        assert_eq!(world.found(RULE).len(), 1);
        says(
            &mut world,
            &[
                late,
                r#""event": "watchdog_updated_in_time", "client_pid": 7"#,
            ],
        );
        assert!(world.found(RULE).is_empty());
        says(
            &mut world,
            &[late, r#""event": "watchdog_expired", "client_pid": 7"#],
        );
        let expect = "critical pve-02: the watchdog of pve-02 has expired: the node resets itself within 10 s";
        assert_eq!(world.found(RULE), [expect]);
    }
}
