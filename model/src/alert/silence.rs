//! What people said of alerts: be quiet about this until then; I know of that one.

use serde::{Deserialize, Serialize};

use super::{Alerts, SilenceId, Step};
use crate::finding::{Severity, Thing};
use crate::incident::{Incident, Incidents, Number};
use crate::name::NodeName;
use crate::pattern::Pattern;

/// Incidents of which nobody is told until a moment. What is not named fits everything; something is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub id: SilenceId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Pattern>,
    /// As the incident names it; the name of a node is everything of that node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Pattern>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Number>,
    pub from_unix_ms: i64,
    pub until_unix_ms: i64,
    pub by: String,
    pub reason: String,
    /// Who ended it before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
}

/// Somebody knows of it: no reminder, and no word when it comes back after a blip. That it became worse is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    pub incident: Number,
    pub severity: Severity,
    pub at_unix_ms: i64,
    pub by: String,
    pub reason: String,
}

/// Why something that a person asked for is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(
        "a silence of everything is none that anybody wants: name a rule, a subject or an incident"
    )]
    OfEverything,
    #[error("the silence would be over before it begins: --until is in the past")]
    Past,
    #[error(
        "a silence of more than a year is one that nobody remembers: the latest end is {latest}"
    )]
    TooLong { latest: String },
    #[error(
        "{count} silences hold already, and that is the most: `quorate silence list`, and expire some"
    )]
    TooMany { count: usize },
    #[error("there is no incident #{number} that is open")]
    NoIncident { number: Number },
    #[error("there is no silence {id} that holds: `quorate silence list` has them all")]
    NoSilence { id: SilenceId },
}

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Its id and its beginning are given when it is taken.
    Silence(Silence),
    Expire {
        id: SilenceId,
        by: String,
    },
    Acknowledge {
        incident: Number,
        by: String,
        reason: String,
    },
}

impl Ask {
    /// What is to be written down for it, or why nothing is.
    pub fn step(
        &self,
        alerts: &Alerts,
        incidents: &Incidents,
        now_unix_ms: i64,
    ) -> Result<Step, Refused> {
        match self {
            Self::Silence(asked) => {
                let holding = alerts.silences().filter(|old| old.holds_at(now_unix_ms));
                if let Some(refused) = asked.refusal(now_unix_ms, holding.count()) {
                    return Err(refused);
                }
                if let Some(number) = asked.incident {
                    open(incidents, number)?;
                }
                Ok(Step::Silenced(Silence {
                    id: alerts.next_silence(),
                    from_unix_ms: now_unix_ms,
                    ended_by: None,
                    ..asked.clone()
                }))
            }
            Self::Expire { id, by } => {
                let known = alerts.silence(*id);
                known
                    .filter(|silence| silence.holds_at(now_unix_ms))
                    .ok_or(Refused::NoSilence { id: *id })?;
                let (id, by) = (*id, by.clone());
                Ok(Step::SilenceEnded { id, by })
            }
            Self::Acknowledge {
                incident,
                by,
                reason,
            } => Ok(Step::Acknowledged(Acknowledged {
                incident: *incident,
                severity: open(incidents, *incident)?.said.severity,
                at_unix_ms: now_unix_ms,
                by: by.clone(),
                reason: reason.clone(),
            })),
        }
    }
}

fn open(incidents: &Incidents, number: Number) -> Result<&Incident, Refused> {
    let known = incidents.get(number).filter(|known| known.is_open());
    known.ok_or(Refused::NoIncident { number })
}

impl Acknowledged {
    /// `#12 is known to anna since 2026-11-22 14:03:22 UTC: the new switch comes tomorrow`
    pub fn sentence(&self) -> String {
        format!(
            "#{} is known to {} since {}: {}",
            self.incident,
            self.by,
            super::moment(self.at_unix_ms),
            self.reason
        )
    }
}

/// The longest silence.
const MAX_SILENCE_MS: i64 = 366 * 86_400_000;

impl Silence {
    pub fn holds_at(&self, unix_ms: i64) -> bool {
        (self.from_unix_ms..self.until_unix_ms).contains(&unix_ms)
    }

    pub fn fits(&self, incident: &Incident) -> bool {
        let is_rule = |rule: &Pattern| rule.fits(&incident.rule);
        let is_subject = |subject: &Pattern| {
            let of_node = |node: &NodeName| subject.fits(node.as_str());
            subject.fits(&incident.subject.to_string())
                || incident.subject.nodes().into_iter().any(of_node)
        };
        self.incident.is_none_or(|number| number == incident.number)
            && self.rule.as_ref().is_none_or(is_rule)
            && self.subject.as_ref().is_none_or(is_subject)
    }

    /// Why it is not taken.
    pub fn refusal(&self, now_unix_ms: i64, holding: usize) -> Option<Refused> {
        let latest = now_unix_ms.saturating_add(MAX_SILENCE_MS);
        if self.rule.is_none() && self.subject.is_none() && self.incident.is_none() {
            return Some(Refused::OfEverything);
        }
        if self.until_unix_ms <= now_unix_ms {
            return Some(Refused::Past);
        }
        if self.until_unix_ms > latest {
            let latest = super::moment(latest);
            return Some(Refused::TooLong { latest });
        }
        (holding >= super::MAX_SILENCES).then_some(Refused::TooMany { count: holding })
    }

    /// `rule bond-*, subject pve-03: until 2026-11-23 08:00:00 UTC, by anna: new cables`
    pub fn sentence(&self) -> String {
        let named = [
            self.incident.map(|number| format!("incident #{number}")),
            self.rule.as_ref().map(|rule| format!("rule {rule}")),
            self.subject.as_ref().map(|of| format!("subject {of}")),
        ];
        let named: Vec<String> = named.into_iter().flatten().collect();
        let end = match &self.ended_by {
            Some(by) => format!("ended by {by} at {}", super::moment(self.until_unix_ms)),
            None => format!("until {}", super::moment(self.until_unix_ms)),
        };
        format!(
            "{}: {end}, by {}: {}",
            named.join(", "),
            self.by,
            self.reason
        )
    }
}

impl Thing {
    /// The nodes that it names.
    pub fn nodes(&self) -> Vec<&NodeName> {
        match self {
            Self::Node(node) | Self::Iface(node, _) | Self::Vlan(node, _, _) => vec![node],
            Self::Knet { from, to, .. } => vec![from, to],
            Self::Cluster
            | Self::Network(_)
            | Self::Switch(_)
            | Self::Qdevice
            | Self::Margin
            | Self::Service(_)
            | Self::Guest(_)
            | Self::Ceph(_) => Vec::new(),
        }
    }
}
