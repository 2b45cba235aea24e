//! What a collector showed of its incidents, look by look, over its restarts: nothing that was shown once is lost,
//! doubled, or there under another number.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use model::incident::{MAX_CLOSED, MAX_LINES};
use proto::v1::Incident;

/// What comes back within this time after it was over is the same incident.
const RETURN_MS: i64 = 600_000;

type Key = (String, String);

/// All that was shown so far.
#[derive(Debug, Default)]
pub struct History {
    by_number: BTreeMap<u64, Incident>,
}

impl History {
    /// One more look, at those that are open and those that are over.
    pub fn look(&mut self, incidents: &[Incident]) -> Result<()> {
        let mut open = BTreeSet::new();
        let mut shown = BTreeSet::new();
        for incident in incidents {
            ensure!(shown.insert(incident.number), "twice: {incident:?}");
            let is_open = incident.closed_unix_ms.is_none();
            ensure!(
                !is_open || open.insert(key(incident)),
                "two are open: {incident:?}"
            );
            if let Some(before) = self.by_number.get(&incident.number) {
                grew(before, incident)?;
            } else {
                self.is_new(incident)?;
            }
        }
        let over = incidents.len() - open.len();
        let lost = self.by_number.keys().find(|number| !shown.contains(number));
        ensure!(
            lost.is_none() || over >= MAX_CLOSED,
            "lost: {:?}",
            lost.and_then(|number| self.by_number.get(number))
        );
        let all = incidents.iter();
        self.by_number
            .extend(all.map(|incident| (incident.number, incident.clone())));
        Ok(())
    }

    /// How many there ever were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_number.len()
    }

    /// How often one came back after it was over.
    #[must_use]
    pub fn returns(&self) -> u64 {
        let all = self.by_number.values();
        all.map(|incident| u64::from(incident.returns)).sum()
    }

    /// Nothing like it was there before, or it was over for long.
    fn is_new(&self, incident: &Incident) -> Result<()> {
        let mut alike = self
            .by_number
            .values()
            .filter(|other| key(other) == key(incident));
        let is_late = |other: &Incident| {
            let over = other.closed_unix_ms;
            over.is_some_and(|over| incident.opened_unix_ms - over >= RETURN_MS)
        };
        let other = alike.find(|other| other.number < incident.number && !is_late(other));
        ensure!(
            other.is_none(),
            "{other:?} is there under another number: {incident:?}"
        );
        Ok(())
    }
}

/// What was shown of it before is still so.
fn grew(before: &Incident, now: &Incident) -> Result<()> {
    ensure!(
        key(before) == key(now) && before.opened_unix_ms == now.opened_unix_ms,
        "its number is given to another: {before:?} {now:?}"
    );
    let is_forgotten = now.lines.len() < before.lines.len() || now.returns < before.returns;
    ensure!(!is_forgotten, "of {before:?} only this is left: {now:?}");
    let is_full = now.lines.len() >= MAX_LINES;
    ensure!(
        is_full || now.lines.starts_with(&before.lines),
        "{before:?} had other lines than {now:?}"
    );
    let is_over_still = before.closed_unix_ms == now.closed_unix_ms;
    ensure!(
        before.closed_unix_ms.is_none() || is_over_still || now.returns > before.returns,
        "{before:?} was over, and did not come back: {now:?}"
    );
    Ok(())
}

fn key(incident: &Incident) -> Key {
    (incident.rule.clone(), incident.subject.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::v1::IncidentLine;

    fn incident(number: u64, subject: &str, closed: Option<i64>) -> Incident {
        let line = |sentence: &str| IncidentLine {
            at_unix_ms: 1,
            sentence: sentence.to_owned(),
        };
        let mut lines = vec![line("it is wrong")];
        lines.extend(closed.map(|_| line("over")));
        Incident {
            number,
            rule: "rule".to_owned(),
            subject: subject.to_owned(),
            opened_unix_ms: number.cast_signed() * 1_000,
            closed_unix_ms: closed,
            lines,
            ..Incident::default()
        }
    }

    fn after(incidents: &[Incident]) -> History {
        let mut history = History::default();
        history.look(incidents).unwrap();
        history
    }

    #[test]
    fn what_goes_on_is_fine() {
        let mut history = after(&[incident(1, "a", None)]);
        history
            .look(&[incident(1, "a", None), incident(2, "b", None)])
            .unwrap();
        history
            .look(&[incident(1, "a", Some(9)), incident(2, "b", None)])
            .unwrap();
        let mut again = incident(1, "a", Some(9));
        again.closed_unix_ms = None;
        again.returns = 1;
        history.look(&[again, incident(2, "b", None)]).unwrap();
        assert_eq!((history.count(), history.returns()), (2, 1));
    }

    #[test]
    fn what_is_lost_doubled_or_renamed_is_found() {
        let open = || after(&[incident(1, "a", None)]);
        assert!(open().look(&[]).is_err(), "lost");
        assert!(
            open().look(&[incident(1, "b", None)]).is_err(),
            "given twice"
        );
        let two = [incident(1, "a", None), incident(2, "a", None)];
        assert!(open().look(&two).is_err(), "two are open");
        let mut over = after(&[incident(1, "a", Some(1_500))]);
        let renamed = [incident(1, "a", Some(1_500)), incident(2, "a", None)];
        assert!(over.look(&renamed).is_err(), "under another number");
        let mut over = after(&[incident(1, "a", Some(1_500))]);
        assert!(
            over.look(&[incident(1, "a", None)]).is_err(),
            "its end is forgotten"
        );
    }
}
