//! The keys of corosync's two maps (man cmap_keys(8)) that are read, and how.
//!
//! They are chosen: each costs a round trip, and the map holds secrets (`totem.key`). Whole branches are read only
//! where their names cannot be known before; the library's iterator says neither that it broke off nor why, so that
//! it is used for as little as can be.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use model::fact::cmap::CmapValue;
use model::reading::Problem;
use rust_corosync::{CsError, cmap};

use super::away::Away;
use crate::secret;

/// The branches of the configuration, as it is in force.
const CONFIGURED_BELOW: &[&str] = &[
    "nodelist.",
    "quorum.",
    "totem.interface.",
    "runtime.config.totem.",
];
const CONFIGURED: &[&str] = &[
    "totem.version",
    "totem.cluster_name",
    "totem.config_version",
    "totem.transport",
    "totem.secauth",
    "totem.crypto_cipher",
    "totem.crypto_hash",
    "totem.crypto_model",
    "totem.ip_version",
    "totem.link_mode",
    "totem.netmtu",
    "totem.knet_mtu",
    "totem.token",
    "totem.token_coefficient",
    "totem.token_retransmits_before_loss_const",
    "totem.consensus",
    "totem.block_unlisted_ips",
];
/// Commands of the operator's stand here, with whatever their arguments hold.
const NEVER_BELOW: &str = "quorum.device.heuristics.exec_";

const MEMBERS_BELOW: &[&str] = &["runtime.members.", "runtime.votequorum."];

/// Below `stats.knet.nodeX.linkY.`: how the link is.
const LINK_STATE: &[&str] = &["enabled", "connected", "mtu"];
/// And what is counted and measured on it.
const LINK_MEASURES: &[&str] = &[
    "latency_ave",
    "latency_max",
    "latency_samples",
    "up_count",
    "down_count",
    "tx_total_errors",
    "tx_total_packets",
    "rx_total_packets",
];
const TOTEM_MEASURES: &[&str] = &[
    "stats.srp.avg_backlog_calc",
    "stats.srp.avg_token_workload",
    "stats.srp.commit_entered",
    "stats.srp.commit_token_lost",
    "stats.srp.consensus_timeouts",
    "stats.srp.continuous_gather",
    "stats.srp.continuous_sendmsg_failures",
    "stats.srp.firewall_enabled_or_nic_failure",
    "stats.srp.gather_entered",
    "stats.srp.gather_token_lost",
    "stats.srp.mcast_retx",
    "stats.srp.mtt_rx_token",
    "stats.srp.operational_entered",
    "stats.srp.operational_token_lost",
    "stats.srp.recovery_entered",
    "stats.srp.recovery_token_lost",
    "stats.srp.rx_msg_dropped",
    "stats.srp.time_since_token_last_received",
];
/// Corosync keeps the last ten times that it was not scheduled (MAX_SCHEDMISS_EVENTS), without gaps.
const SCHEDMISSES: usize = 10;

/// How many keys are read of one branch.
const MAX_BRANCH_KEYS: usize = 4096;
/// How many links of peers are read: corosync can hold no more than eight each of some hundred nodes.
const MAX_LINKS: usize = 1024;
/// How often, and how far apart, a key is asked for while corosync says that it is busy.
const TRIES: u32 = 4;
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// A part of the maps that is read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Configuration,
    Members,
    LinkStates,
    Measures,
}

impl Part {
    /// Does this key come with this part?
    fn holds(self, key: &str) -> bool {
        match self {
            Self::Configuration => {
                CONFIGURED.contains(&key)
                    || CONFIGURED_BELOW
                        .iter()
                        .any(|branch| key.starts_with(branch))
            }
            Self::Members => MEMBERS_BELOW.iter().any(|branch| key.starts_with(branch)),
            Self::LinkStates => is_link_state(key),
            Self::Measures => key.starts_with("stats.") && !is_link_state(key),
        }
    }
}

fn is_link_state(key: &str) -> bool {
    key.starts_with("stats.knet.node")
        && key
            .rsplit_once('.')
            .is_some_and(|(_, field)| LINK_STATE.contains(&field))
}

/// A link to a peer: the peer's node id and the link's number.
pub(super) type PeerLink = (u32, u8);

/// What of the maps has been read, part by part.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) known: BTreeMap<String, CmapValue>,
    problems: Vec<(Part, Problem)>,
}

impl Keys {
    /// Reads one part anew, and tells whether any of it changed.
    pub(super) fn read(
        &mut self,
        maps: &Maps,
        part: Part,
        links: &[PeerLink],
    ) -> Result<bool, Away> {
        let mut reading = Reading {
            maps,
            found: BTreeMap::new(),
            problems: Vec::new(),
        };
        match part {
            Part::Configuration => {
                reading.below(CONFIGURED_BELOW)?;
                for key in CONFIGURED {
                    reading.configured(key)?;
                }
            }
            Part::Members => reading.below(MEMBERS_BELOW)?,
            Part::LinkStates => reading.links(links, LINK_STATE)?,
            Part::Measures => {
                for key in TOTEM_MEASURES {
                    reading.stat((*key).to_owned())?;
                }
                reading.links(links, LINK_MEASURES)?;
                reading.schedmisses()?;
            }
        }
        let Reading {
            found, problems, ..
        } = reading;
        let same = self
            .known
            .iter()
            .filter(|(key, _)| part.holds(key))
            .eq(&found);
        self.known.retain(|key, _| !part.holds(key));
        self.known.extend(found);
        self.problems.retain(|(of, _)| *of != part);
        self.problems
            .extend(problems.into_iter().map(|problem| (part, problem)));
        Ok(!same)
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = Problem> {
        self.problems.iter().map(|(_, problem)| problem.clone())
    }
}

/// The two maps: the configuration and the state, and the statistics.
pub(super) struct Maps {
    pub(super) icmap: cmap::Handle,
    pub(super) stats: cmap::Handle,
}

impl Maps {
    pub(super) fn open() -> Result<Self, Away> {
        let open = |map| cmap::initialize(map).map_err(Away::closed("cmap"));
        Ok(Self {
            icmap: open(cmap::Map::Icmap)?,
            stats: open(cmap::Map::Stats)?,
        })
    }

    pub(super) fn count(&self, key: &str) -> Result<Option<u64>, Away> {
        let value = asked(|| cmap::get(&self.icmap, key));
        let value = none_if_missing(value).map_err(Away::lost("cmap_get"))?;
        Ok(value.and_then(|value| of_data(value)?.as_count()))
    }
}

struct Reading<'a> {
    maps: &'a Maps,
    found: BTreeMap<String, CmapValue>,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn below(&mut self, branches: &[&str]) -> Result<(), Away> {
        for branch in branches {
            let before = self.found.len();
            for entry in iterate(&self.maps.icmap, branch)? {
                if self.found.len() - before >= MAX_BRANCH_KEYS {
                    let why =
                        format!("it holds more than {MAX_BRANCH_KEYS} keys; the rest is not read");
                    self.problems.push(Problem::whole(branch, why));
                    break;
                }
                self.keep(entry.key_name(), copied(entry.data()));
            }
        }
        // The iterator ends in the same way at the end of the list and with the end of corosync.
        self.maps.count("totem.version").map(|_| ())
    }

    fn keep(&mut self, key: &str, value: Option<CmapValue>) {
        if key.starts_with(NEVER_BELOW) || secret::names_a_secret(key) {
            return;
        }
        if let Some(value) = value {
            self.found.insert(key.to_owned(), value);
        }
    }

    fn configured(&mut self, key: &str) -> Result<(), Away> {
        let value = match asked(|| cmap::get(&self.maps.icmap, key)) {
            // The library asks for 16 bytes; only its iterator asks for as many as there are. It is led to its end,
            // because corosync keeps one that is not for as long as the connection lasts.
            Err(CsError::CsErrInvalidParam) => iterate(&self.maps.icmap, key)?
                .filter(|entry| entry.key_name() == key)
                .last()
                .and_then(|entry| copied(entry.data())),
            value => self.known_or_missing(key, value)?,
        };
        self.keep(key, value);
        Ok(())
    }

    /// Tells whether the key is there.
    fn stat(&mut self, key: String) -> Result<bool, Away> {
        let value = asked(|| cmap::get(&self.maps.stats, &key));
        let value = self.known_or_missing(&key, value)?;
        let is_there = value.is_some();
        if let Some(value) = value {
            self.found.insert(key, value);
        }
        Ok(is_there)
    }

    fn known_or_missing(
        &mut self,
        key: &str,
        value: rust_corosync::Result<cmap::Data>,
    ) -> Result<Option<CmapValue>, Away> {
        match none_if_missing(value) {
            Ok(value) => Ok(value.and_then(of_data)),
            Err(error @ (CsError::CsErrTryAgain | CsError::CsErrInvalidParam)) => {
                let why = format!("corosync did not tell it: {error}");
                self.problems.push(Problem::whole(key, why));
                Ok(None)
            }
            Err(error) => Err(Away::lost("cmap_get")(error)),
        }
    }

    fn links(&mut self, links: &[PeerLink], fields: &[&str]) -> Result<(), Away> {
        if links.len() > MAX_LINKS {
            let why = format!("there are more than {MAX_LINKS} links; the rest is not read");
            self.problems.push(Problem::whole("stats.knet", why));
        }
        for (node_id, link) in links.iter().take(MAX_LINKS) {
            for field in fields {
                self.stat(format!("stats.knet.node{node_id}.link{link}.{field}"))?;
            }
        }
        Ok(())
    }

    fn schedmisses(&mut self) -> Result<(), Away> {
        for number in 0..SCHEDMISSES {
            if !self.stat(format!("stats.schedmiss.{number}.timestamp"))? {
                break;
            }
            self.stat(format!("stats.schedmiss.{number}.delay"))?;
        }
        Ok(())
    }
}

fn iterate(map: &cmap::Handle, prefix: &str) -> Result<cmap::CmapIntoIter, Away> {
    let started = asked(|| cmap::CmapIterStart::new(map, prefix));
    Ok(started.map_err(Away::lost("cmap_iter_init"))?.into_iter())
}

/// Asks again a few times while corosync says that it is busy.
pub(super) fn asked<T>(ask: impl Fn() -> rust_corosync::Result<T>) -> rust_corosync::Result<T> {
    for _ in 1..TRIES {
        match ask() {
            Err(CsError::CsErrTryAgain) => thread::sleep(BETWEEN_TRIES),
            answer => return answer,
        }
    }
    ask()
}

fn none_if_missing<T>(value: rust_corosync::Result<T>) -> rust_corosync::Result<Option<T>> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(CsError::CsErrNotExist) => Ok(None),
        Err(error) => Err(error),
    }
}

#[allow(clippy::needless_pass_by_value)] // it is handed over where a function of one argument is wanted
fn of_data(data: cmap::Data) -> Option<CmapValue> {
    copied(&data)
}

/// `None`: a type that this library does not know yet, whose value it does not hand out.
fn copied(data: &cmap::Data) -> Option<CmapValue> {
    use cmap::Data;
    Some(match data {
        Data::Int8(number) => CmapValue::I8(*number),
        Data::UInt8(number) => CmapValue::U8(*number),
        Data::Int16(number) => CmapValue::I16(*number),
        Data::UInt16(number) => CmapValue::U16(*number),
        Data::Int32(number) => CmapValue::I32(*number),
        Data::UInt32(number) => CmapValue::U32(*number),
        Data::Int64(number) => CmapValue::I64(*number),
        Data::UInt64(number) => CmapValue::U64(*number),
        Data::Float(number) => float(f64::from(*number), CmapValue::Flt),
        Data::Double(number) => float(*number, CmapValue::Dbl),
        // As it is read of the tool's lines, of which none is known to end in blanks: `r(0) ip(10.20.0.11) `.
        Data::String(text) => CmapValue::Str(text.trim_end().to_owned()),
        Data::Binary(_) => CmapValue::Bin(None),
        Data::Unknown => return None,
    })
}

fn float(number: f64, kind: fn(f64) -> CmapValue) -> CmapValue {
    if number.is_finite() {
        kind(number)
    } else {
        CmapValue::Other {
            kind: "dbl".to_owned(),
            text: number.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_belongs_to_one_part() {
        let parts = [
            Part::Configuration,
            Part::Members,
            Part::LinkStates,
            Part::Measures,
        ];
        for key in [
            "totem.cluster_name",
            "nodelist.node.0.name",
            "runtime.config.totem.token",
            "runtime.members.1.ip",
            "runtime.votequorum.two_node",
            "stats.knet.node2.link1.connected",
            "stats.knet.node2.link1.latency_ave",
            "stats.srp.mcast_retx",
            "stats.schedmiss.0.delay",
        ] {
            let count = parts.iter().filter(|part| part.holds(key)).count();
            assert_eq!(count, 1, "{key}");
        }
    }
}
