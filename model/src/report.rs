//! Everything that one node can tell at one moment, and one part of it as it was just read.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::fact::agent::Agent;
use crate::fact::bond::Bond;
use crate::fact::boot::Boot;
use crate::fact::bridge::Bridge;
use crate::fact::ceph::Ceph;
use crate::fact::certificate::Certificate;
use crate::fact::clock::Clock;
use crate::fact::cmap::Cmap;
use crate::fact::corosync::Corosync;
use crate::fact::corosync_conf::CorosyncConfFiles;
use crate::fact::guests::Guests;
use crate::fact::ha::Ha;
use crate::fact::host::HostLoad;
use crate::fact::interfaces::Interfaces;
use crate::fact::journal::Journal;
use crate::fact::link::Link;
use crate::fact::lldp::Neighbour;
use crate::fact::members::Members;
use crate::fact::ovs::Ovs;
use crate::fact::packages::Packages;
use crate::fact::power::Power;
use crate::fact::quorumtool::Quorumtool;
use crate::fact::storage::Storage;
use crate::fact::tasks::Tasks;
use crate::reading::{Problem, Reading, Standing};

/// `[3].mtu_bytes: invalid type: string "big", expected u32`
pub type BadValue = serde_path_to_error::Error<serde_json::Error>;

/// Makes of one table of fact families the report that holds them all, the fact that is one of them, and their names.
macro_rules! families {
    ($($key:ident: $family:ident($value:ty),)+) => {
        /// Every fact family of one node, each with how well it is known. The field names are the keys of
        /// `quorate-agent snapshot --json`, a contract.
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        pub struct NodeReport {
            $(pub $key: Reading<$value>,)+
        }

        /// By way of a JSON value, as single facts are: facts have 150 types, and each way of writing them down is
        /// a quarter of a megabyte of the agent.
        impl Serialize for NodeReport {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut object = serializer.serialize_map(None)?;
                $(object.serialize_entry(stringify!($key), &as_json(&self.$key))?;)+
                object.end()
            }
        }

        /// One family, as it was just read.
        #[derive(Debug, Clone, PartialEq)]
        // Facts are moved once or twice, never held in lists.
        #[allow(clippy::large_enum_variant)]
        pub enum Fact {
            $($family(Reading<$value>),)+
        }

        /// The name of a family.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Family {
            $($family,)+
        }

        impl Family {
            pub const ALL: &[Self] = &[$(Self::$family,)+];

            /// Its key in `quorate-agent snapshot --json`.
            pub fn key(self) -> &'static str {
                match self {
                    $(Self::$family => stringify!($key),)+
                }
            }

            /// What is to be said of a family that nobody has told of.
            pub fn never_heard(self) -> Fact {
                match self {
                    $(Self::$family => Fact::$family(Reading::NeverHeard),)+
                }
            }

            /// What is to be said of a family that is not there.
            pub fn absent(self) -> Fact {
                match self {
                    $(Self::$family => Fact::$family(Reading::Absent),)+
                }
            }

            /// The family as it was read, its value as JSON. The error says where in the JSON it is wrong.
            pub fn known(
                self,
                json: &str,
                at: Timestamp,
                problems: Vec<Problem>,
            ) -> Result<Fact, BadValue> {
                let mut json = serde_json::Deserializer::from_str(json);
                match self {
                    $(Self::$family => {
                        let value = serde_path_to_error::deserialize(&mut json)?;
                        Ok(Fact::$family(Reading::Known { value, at, problems }))
                    })+
                }
            }

            /// What is to be said of a family that could not be read at all.
            pub fn failed(self, why: String) -> Fact {
                match self {
                    $(Self::$family => Fact::$family(Reading::Failed { why }),)+
                }
            }
        }

        impl Fact {
            pub fn family(&self) -> Family {
                match self {
                    $(Self::$family(_) => Family::$family,)+
                }
            }

            /// The reading, with its value as JSON.
            pub fn to_json(&self) -> Reading<Value> {
                match self {
                    $(Self::$family(reading) => as_json(reading),)+
                }
            }

            pub fn standing(&self) -> Standing<'_> {
                match self {
                    $(Self::$family(reading) => Standing::of(reading),)+
                }
            }
        }

        /// Whoever holds facts hands out the values that are known, by the names of their families.
        pub trait Facts {
            /// The fact of a family, if the holder vouches for it.
            fn fact(&self, family: Family) -> Option<&Fact>;

            $(fn $key(&self) -> Option<&$value> {
                match self.fact(Family::$family)? {
                    Fact::$family(reading) => reading.known(),
                    _ => None,
                }
            })+
        }

        impl NodeReport {
            /// What is known of a node before it has said anything.
            pub fn never_heard() -> Self {
                Self { $($key: Reading::NeverHeard,)+ }
            }

            /// Puts a fact in its place and hands out what stood there.
            pub fn replace(&mut self, fact: Fact) -> Fact {
                match fact {
                    $(Fact::$family(reading) => {
                        Fact::$family(std::mem::replace(&mut self.$key, reading))
                    })+
                }
            }

            /// One family, as it stands here.
            pub fn fact(&self, family: Family) -> Fact {
                match family {
                    $(Family::$family => Fact::$family(self.$key.clone()),)+
                }
            }

            /// How every family stands, in the order of the table.
            pub fn standings(&self) -> Vec<(Family, Standing<'_>)> {
                vec![$((Family::$family, Standing::of(&self.$key)),)+]
            }
        }
    };
}

/// A family is written as its key.
impl Serialize for Family {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

impl<'de> Deserialize<'de> for Family {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = <Cow<'_, str>>::deserialize(deserializer)?;
        let family = Self::ALL.iter().find(|family| family.key() == key);
        let expected = || D::Error::custom(format!("{key:?} is no family of facts"));
        family.copied().ok_or_else(expected)
    }
}

fn as_json<T: Serialize>(reading: &Reading<T>) -> Reading<Value> {
    // What cannot be written as JSON (a map with keys that are no text) does not stand in any fact.
    let value = |value| serde_json::to_value(value).unwrap_or(Value::Null);
    reading.as_ref().map(value)
}

families! {
    bonds: Bonds(Vec<Bond>),
    links: Links(Vec<Link>),
    bridges: Bridges(Vec<Bridge>),
    interfaces: Interfaces(Interfaces),
    corosync: Corosync(Corosync),
    corosync_conf: CorosyncConf(CorosyncConfFiles),
    cmap: Cmap(Cmap),
    quorumtool: Quorumtool(Quorumtool),
    members: Members(Members),
    ha: Ha(Ha),
    guests: Guests(Guests),
    tasks: Tasks(Tasks),
    storage: Storage(Storage),
    certificates: Certificates(Vec<Certificate>),
    packages: Packages(Packages),
    lldp: Lldp(Vec<Neighbour>),
    ovs: Ovs(Ovs),
    ceph: Ceph(Ceph),
    journal: Journal(Journal),
    power: Power(Power),
    boot: Boot(Boot),
    time: Time(Clock),
    host: Host(HostLoad),
    agent: Agent(Agent),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_takes_the_place_of_the_one_before() {
        let mut report = NodeReport::never_heard();
        let before = report.replace(Fact::Members(Reading::Absent));
        assert_eq!(before, Fact::Members(Reading::NeverHeard));
        assert_eq!(report.members, Reading::Absent);
        assert_eq!(before.family().key(), "members");
        assert_eq!(report.standings().len(), Family::ALL.len());
    }
}
