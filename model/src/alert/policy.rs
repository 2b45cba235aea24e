//! Who is told what, and when: the operator's routes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::finding::Severity;
use crate::incident::Incident;
use crate::name::NodeName;
use crate::pattern::Pattern;

/// All routes and all receivers of a collector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    pub receivers: BTreeSet<String>,
    pub routes: Vec<Route>,
    /// Where the pages are, without a `/` at its end. Empty: nowhere.
    pub page: String,
}

/// What goes to whom. What is empty fits everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub to: BTreeSet<String>,
    /// Nothing that is less.
    pub severity: Severity,
    pub rules: Vec<Pattern>,
    pub nodes: Vec<Pattern>,
    /// By name or id.
    pub clusters: Vec<Pattern>,
    /// `None`: always.
    pub times: Option<Times>,
    pub grouping: Grouping,
    /// What is still there is told again after so long; `None`: never.
    pub repeat_ms: Option<i64>,
    /// Whether the end of what was told is told.
    pub tells_end: bool,
}

/// Which incidents share a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Grouping {
    /// None: one message per cause.
    #[default]
    Incident,
    Rule,
    Node,
    Cluster,
}

/// Hours of certain days, by the clock of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// Empty: every day. Of a night that goes over midnight the day counts on which it begins.
    pub days: Vec<Weekday>,
    /// Minutes since midnight; `from == to` is all day, `from > to` goes over midnight.
    pub from_min: i32,
    pub to_min: i32,
    pub zone: TimeZone,
}

impl Times {
    pub fn hold_at(&self, unix_ms: i64) -> bool {
        let Ok(at) = Timestamp::from_millisecond(unix_ms) else {
            return true;
        };
        let at = at.to_zoned(self.zone.clone());
        let minute = i32::from(at.hour()) * 60 + i32::from(at.minute());
        let is_day = |day: Weekday| self.days.is_empty() || self.days.contains(&day);
        let (today, yesterday) = (at.weekday(), at.weekday().previous());
        if self.from_min == self.to_min {
            return is_day(today);
        }
        if self.from_min < self.to_min {
            return is_day(today) && (self.from_min..self.to_min).contains(&minute);
        }
        (is_day(today) && minute >= self.from_min) || (is_day(yesterday) && minute < self.to_min)
    }
}

impl Route {
    /// Whether this incident of this cluster takes this way now.
    pub fn fits(&self, incident: &Incident, cluster: [&str; 2], unix_ms: i64) -> bool {
        let any = |patterns: &[Pattern], names: &[&str]| {
            patterns.is_empty()
                || names
                    .iter()
                    .any(|name| patterns.iter().any(|pattern| pattern.fits(name)))
        };
        let nodes: Vec<&str> = concerned(incident)
            .into_iter()
            .map(NodeName::as_str)
            .collect();
        incident.said.severity >= self.severity
            && any(&self.rules, &[&incident.rule])
            && any(&self.nodes, &nodes)
            && any(&self.clusters, &cluster)
            && self
                .times
                .as_ref()
                .is_none_or(|times| times.hold_at(unix_ms))
    }

    /// The name of the group that the incident is in; empty: it stands alone.
    pub fn group_of(&self, incident: &Incident) -> String {
        match self.grouping {
            Grouping::Incident => String::new(),
            Grouping::Rule => format!("rule {}", incident.rule),
            Grouping::Cluster => "cluster".to_owned(),
            Grouping::Node => match concerned(incident).first() {
                Some(node) => format!("node {node}"),
                None => String::new(),
            },
        }
    }
}

/// The nodes that the subject names, or else those that tell of it.
fn concerned(incident: &Incident) -> BTreeSet<&NodeName> {
    let named: BTreeSet<&NodeName> = incident.subject.nodes().into_iter().collect();
    if !named.is_empty() {
        return named;
    }
    let told = incident.said.rests_on.iter();
    told.map(|(node, _)| node).collect()
}

impl Policy {
    /// The routes that lead to each receiver.
    pub fn by_receiver(&self) -> BTreeMap<&str, Vec<&Route>> {
        let routes_to = |receiver: &String| {
            let routes = self.routes.iter();
            routes.filter(|route| route.to.contains(receiver)).collect()
        };
        let receivers = self.receivers.iter();
        receivers
            .map(|receiver| (receiver.as_str(), routes_to(receiver)))
            .collect()
    }
}
