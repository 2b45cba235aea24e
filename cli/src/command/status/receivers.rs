//! Chats at which alerts do not arrive, and what is not known of it. Where all is well nothing is said.

use jiff::Timestamp;
use proto::v1;

use crate::client::{Answered, Receivers};
use crate::show;

/// What was said of this cluster's.
pub(super) fn of<'a>(answered: &'a Answered, status: &v1::ClusterStatus) -> Option<&'a Receivers> {
    let cluster = status.cluster.as_ref()?;
    answered.receivers.get(&cluster.id)
}

/// A line for each that is failing.
pub(super) fn failing(receivers: Option<&Receivers>, now: Timestamp) -> Vec<String> {
    match receivers {
        None | Some(Receivers::NotTold) => Vec::new(),
        Some(Receivers::Unknown { why }) => {
            let line = format!("whether alerts arrive is not known: {}", show::foreign(why));
            vec![line]
        }
        Some(Receivers::Told(told)) => {
            let failing = told.receivers.iter();
            let failing = failing.filter(|one| one.failing_since_unix_ms != 0);
            failing.map(|one| line(one, now)).collect()
        }
    }
}

/// `receiver ops-slack (slack): nothing has arrived for 12 min, 3 messages wait: answered 403`
fn line(one: &v1::Receiver, now: Timestamp) -> String {
    // The clocks of two machines: what begins in the future begins now.
    let ms = now
        .as_millisecond()
        .saturating_sub(one.failing_since_unix_ms);
    let age = show::age(u64::try_from(ms).unwrap_or_default());
    let wait = match one.owed {
        None => "how many messages wait is not known".to_owned(),
        Some(0) => "no message waits".to_owned(),
        Some(1) => "1 message waits".to_owned(),
        Some(many) => format!("{many} messages wait"),
    };
    let line = format!(
        "receiver {} ({}): nothing has arrived for {age}, {wait}",
        one.name, one.kind
    );
    let why = match one.why.as_str() {
        "" => String::new(),
        why => format!(": {why}"),
    };
    show::foreign(&(line + &why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fails_is_told() {
        let receiver = |name: &str, failing_since_unix_ms, owed, why: &str| v1::Receiver {
            name: name.to_owned(),
            kind: "slack".to_owned(),
            owed,
            failing_since_unix_ms,
            why: why.to_owned(),
        };
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let since = now.as_millisecond() - 12 * 60_000;
        let told = Receivers::Told(v1::ListReceiversResponse {
            receivers: vec![
                receiver("well", 0, Some(3), ""),
                receiver("ops-slack", since, Some(3), "answered 403"),
                receiver("other", since, Some(1), ""),
                receiver("ahead", i64::MAX, None, "a\nb"),
            ],
            given_up: Some(0),
        });
        assert_eq!(
            failing(Some(&told), now),
            [
                "receiver ops-slack (slack): nothing has arrived for 12 min, 3 messages wait: answered 403",
                "receiver other (slack): nothing has arrived for 12 min, 1 message waits",
                "receiver ahead (slack): nothing has arrived for 0 s, how many messages wait is not known: a\\nb",
            ]
        );
        assert_eq!(failing(Some(&Receivers::NotTold), now), [""; 0]);
        assert_eq!(failing(None, now), [""; 0]);
        let why = "it ended".to_owned();
        assert_eq!(
            failing(Some(&Receivers::Unknown { why }), now),
            ["whether alerts arrive is not known: it ended"]
        );
    }
}
