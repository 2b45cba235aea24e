//! Facts on the wire: a family, how it stands, and its value as the JSON of `quorate-agent snapshot --json`.

use std::sync::Arc;

use jiff::Timestamp;
use model::reading::{Problem, Reading};
use model::report::{BadValue, Fact, Family};

use crate::v1;

/// A fact that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum BadFact {
    /// From a newer agent: to be ignored, not refused.
    #[error("the family {number} of facts is not known here")]
    UnknownFamily { number: i32 },
    #[error("{}: neither known nor failed nor absent", family.key())]
    NoState { family: Family },
    #[error("{}: {at_unix_ms} ms since 1970 is no time", family.key())]
    Time { family: Family, at_unix_ms: i64 },
    #[error("{} is not understood", family.key())]
    Value { family: Family, source: BadValue },
}

/// A fact, and when it was read on its node.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadFact {
    /// Shared with all who look at it: a report can hold megabytes.
    pub fact: Arc<Fact>,
    /// CLOCK_BOOTTIME of the node.
    pub read_at_boottime_ms: u64,
}

impl TryFrom<v1::Fact> for ReadFact {
    type Error = BadFact;

    fn try_from(wire: v1::Fact) -> Result<Self, BadFact> {
        let family = family(wire.family)?;
        let fact = match wire.state.ok_or(BadFact::NoState { family })? {
            v1::fact::State::Known(known) => {
                let at = time(family, known.at_unix_ms)?;
                let problems = known.problems.into_iter().map(problem).collect();
                family
                    .known(&known.json, at, problems)
                    .map_err(|source| BadFact::Value { family, source })?
            }
            v1::fact::State::Failed(why) => family.failed(why),
            v1::fact::State::Absent(v1::Absent {}) => family.absent(),
        };
        Ok(Self {
            fact: Arc::new(fact),
            read_at_boottime_ms: wire.read_at_boottime_ms,
        })
    }
}

impl ReadFact {
    /// As it is sent; nothing for a family that was never read.
    pub fn to_wire(&self) -> Option<v1::Fact> {
        let state = match self.fact.to_json() {
            Reading::Known {
                value,
                at,
                problems,
            } => v1::fact::State::Known(v1::Known {
                json: value.to_string(),
                at_unix_ms: at.as_millisecond(),
                problems: problems.into_iter().map(problem_to_wire).collect(),
            }),
            Reading::Failed { why } => v1::fact::State::Failed(why),
            Reading::Absent => v1::fact::State::Absent(v1::Absent {}),
            Reading::NeverHeard => return None,
        };
        Some(v1::Fact {
            family: family_to_wire(self.fact.family()).into(),
            read_at_boottime_ms: self.read_at_boottime_ms,
            state: Some(state),
        })
    }
}

pub fn time(family: Family, at_unix_ms: i64) -> Result<Timestamp, BadFact> {
    Timestamp::from_millisecond(at_unix_ms).map_err(|_| BadFact::Time { family, at_unix_ms })
}

fn problem(wire: v1::Problem) -> Problem {
    Problem {
        source: wire.source,
        line_number: usize::try_from(wire.line_number)
            .ok()
            .filter(|number| *number > 0),
        line: wire.line,
        why: wire.why,
    }
}

pub fn problem_to_wire(problem: Problem) -> v1::Problem {
    v1::Problem {
        source: problem.source,
        line_number: problem.line_number.unwrap_or_default() as u64,
        line: problem.line,
        why: problem.why,
    }
}

/// Makes of one table the two directions of a family's name.
macro_rules! families {
    ($($name:ident,)+) => {
        pub fn family(number: i32) -> Result<Family, BadFact> {
            match v1::Family::try_from(number) {
                $(Ok(v1::Family::$name) => Ok(Family::$name),)+
                Ok(v1::Family::Unspecified) | Err(_) => Err(BadFact::UnknownFamily { number }),
            }
        }

        pub fn family_to_wire(family: Family) -> v1::Family {
            match family {
                $(Family::$name => v1::Family::$name,)+
            }
        }
    };
}

families! {
    Bonds, Links, Bridges, Interfaces, Corosync, CorosyncConf, Cmap, Quorumtool, Members, Ha, Guests, Tasks, Storage,
    Certificates, Packages, Lldp, Ovs, Ceph, Journal, Power, Boot, Time, Host, Agent,
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use model::fact::lldp::Neighbour;

    use super::*;

    fn wire(family: i32, json: &str) -> v1::Fact {
        v1::Fact {
            family,
            read_at_boottime_ms: 5,
            state: Some(v1::fact::State::Known(v1::Known {
                json: json.to_owned(),
                at_unix_ms: 1_700_000_000_123,
                problems: vec![v1::Problem {
                    source: "proc/net/bonding/bond0".to_owned(),
                    line_number: 3,
                    line: Some("MII Status: ".to_owned()),
                    why: "cut short".to_owned(),
                }],
            })),
        }
    }

    #[test]
    fn every_family_and_every_standing_comes_back() {
        for family in Family::ALL.iter().copied() {
            for fact in [family.absent(), family.failed("gone".to_owned())] {
                let read = ReadFact {
                    fact: Arc::new(fact),
                    read_at_boottime_ms: 7,
                };
                let again = ReadFact::try_from(read.to_wire().unwrap()).unwrap();
                assert_eq!(again, read);
            }
            let never = ReadFact {
                fact: Arc::new(family.never_heard()),
                read_at_boottime_ms: 7,
            };
            assert_eq!(never.to_wire(), None);
        }
        let lldp = wire(v1::Family::Lldp.into(), "[]");
        let read = ReadFact::try_from(lldp.clone()).unwrap();
        assert_eq!(read.to_wire(), Some(lldp));
    }

    #[test]
    fn keys_of_a_newer_version_are_ignored() {
        let mut json = serde_json::to_value(Neighbour::default()).unwrap();
        json["mood"] = "good".into();
        let known = wire(v1::Family::Lldp.into(), &format!("[{json}]"));
        assert!(ReadFact::try_from(known).is_ok());
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let error =
            ReadFact::try_from(wire(v1::Family::Bonds.into(), r#"[{"name": 7}]"#)).unwrap_err();
        assert_eq!(error.to_string(), "bonds is not understood");
        let why = error.source().unwrap().to_string();
        assert!(why.starts_with("[0].name: invalid type"), "{why}");
        let error = ReadFact::try_from(wire(99, "[]")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the family 99 of facts is not known here"
        );
        let mut empty = wire(v1::Family::Bonds.into(), "[]");
        empty.state = None;
        let error = ReadFact::try_from(empty).unwrap_err();
        assert_eq!(
            error.to_string(),
            "bonds: neither known nor failed nor absent"
        );
    }
}
