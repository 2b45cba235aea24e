//! A shutdown that systemd-logind announces, or takes back. All else of a node's power is told value by value.

use serde_json::Value;

use crate::change::Change;
use crate::fact::power::{ShutdownKind, ShutdownMode};

const ANNOUNCED: &str = "announced";

pub(super) fn told(mut changes: Vec<Change>) -> Vec<Change> {
    for change in &mut changes {
        let announced = change.changes.iter().find(|one| one.path == ANNOUNCED);
        if let Some(announced) = announced {
            change.sentence = sentence(&announced.before, &announced.after);
        }
    }
    changes
}

fn sentence(before: &Value, after: &Value) -> String {
    if after.is_null() {
        return format!("{} that was announced was taken back", what(before));
    }
    format!(
        "systemd-logind announced {}: the node is about to go down",
        what(after)
    )
}

fn what(announced: &Value) -> &'static str {
    let mode = announced.get("mode").and_then(Value::as_str);
    let kind = mode.map(|mode| ShutdownKind::of(&ShutdownMode::from_word(mode)));
    match kind {
        Some(ShutdownKind::Reboot) => "a reboot",
        Some(ShutdownKind::Shutdown | ShutdownKind::Unknown) | None => "a shutdown",
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use crate::change::changes;
    use crate::cluster::testing::known;
    use crate::fact::power::{AnnouncedShutdown, Power, PowerState, ShutdownMode};
    use crate::report::Fact;

    fn sentences(before: &Power, after: &Power) -> Vec<String> {
        let fact = |power: &Power| Fact::Power(known(power.clone()));
        let told = changes(&fact(before), &fact(after)).into_iter();
        told.map(|change| change.sentence).collect()
    }

    #[test]
    fn an_announcement_is_told_in_words_and_so_is_that_it_was_taken_back() {
        let running = Power {
            state: PowerState::Running,
            ..Power::default()
        };
        let mut going = running.clone();
        going.announce(Some(AnnouncedShutdown {
            at: Timestamp::UNIX_EPOCH,
            mode: Some(ShutdownMode::Reboot),
        }));
        let state = "power state is shutting_down, was running";
        let told = "systemd-logind announced a reboot: the node is about to go down";
        assert_eq!(sentences(&running, &going), [state, told]);
        let back = sentences(&going, &running);
        assert_eq!(back[1], "a reboot that was announced was taken back");
    }
}
