//! What the nodes' reports add up to: who is not in the nodelist any more, and what stands in the way of saying so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use model::fleet::Hearing;
use model::name::NodeName;
use model::reading::Reading;
use model::report::{Fact, Family};

use crate::keeper::Now;
use crate::keeper::view::{ClusterView, NodeView};

/// That a node is quorate is not believed for longer. The agent reads it every half a minute at least.
const QUORATE_FOR_MS: u64 = 60_000;
/// Nor what its corosync.conf says. The agent reads it every five minutes at least.
const CONF_FOR_MS: u64 = 600_000;

/// Who is to be sent away, and why somebody is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Departed {
    pub gone: BTreeSet<NodeName>,
    pub in_the_way: Option<InTheWay>,
}

/// Why a node stays that somebody does not have in his nodelist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InTheWay {
    /// Too few say so: those who do may be right, or lie, or be left behind.
    TooFew {
        missing: Vec<NodeName>,
        saying: Vec<NodeName>,
        enrolled: usize,
    },
    /// Most say so, and the node is heard and says that it is quorate.
    StillQuorate { missing: Vec<NodeName> },
}

impl fmt::Display for InTheWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remedy = |missing: &[NodeName]| {
            let one = missing.first().map_or("NAME", NodeName::as_str);
            format!("`quorate-collector node revoke {one}` sends it away")
        };
        match self {
            Self::TooFew {
                missing,
                saying,
                enrolled,
            } => write!(
                f,
                "the nodelist of {} has no {}, but only {} of {enrolled} enrolled nodes say so now, and {} must: nobody is \
                 sent away. If it has left, {}; if not, look at /etc/pve/corosync.conf and the agent there",
                list(saying),
                list(missing),
                saying.len(),
                enrolled / 2 + 1,
                remedy(missing)
            ),
            Self::StillQuorate { missing } => write!(
                f,
                "the nodelist of most nodes has no {} any more, but who is heard and quorate is not sent away. If it has \
                 left, {}",
                list(missing),
                remedy(missing)
            ),
        }
    }
}

pub(super) fn list(names: &[NodeName]) -> String {
    let names: Vec<&str> = names.iter().map(NodeName::as_str).collect();
    names.join(", ")
}

/// Who has left, by what all enrolled nodes report now.
///
/// A nodelist holds if more than half of the enrolled nodes are heard, are quorate, and have it with the same
/// config_version; and if all of them stand in it. Of an enrolled node that is silent, or says something else, it is not
/// asked why: it only does not count.
pub fn departed(view: &ClusterView, now: Now) -> Departed {
    let enrolled: BTreeMap<&NodeName, &NodeView> = view
        .nodes
        .iter()
        .filter(|(_, node)| node.hearing != Hearing::Revoked)
        .map(|(name, node)| (name, node.as_ref()))
        .collect();
    let speaking: BTreeMap<&NodeName, &NodeView> = enrolled
        .iter()
        .filter(|(_, node)| node.hearing == Hearing::Connected && is_quorate(node, now))
        .map(|(name, node)| (*name, *node))
        .collect();
    let mut saying: BTreeMap<(u64, BTreeSet<NodeName>), Vec<NodeName>> = BTreeMap::new();
    for (name, node) in &speaking {
        // A list without the node that reports it is that of no member.
        if let Some(said) = nodelist(node, now).filter(|(_, list)| list.contains(*name)) {
            saying.entry(said).or_default().push((*name).clone());
        }
    }
    let missing_in = |list: &BTreeSet<NodeName>| -> Vec<NodeName> {
        let missing = enrolled.keys().filter(|name| !list.contains(**name));
        missing.map(|name| (*name).clone()).collect()
    };
    let is_most = |who: &[NodeName]| who.len() * 2 > enrolled.len();
    let agreed = saying.iter().find(|(_, who)| is_most(who));
    if let Some(((_, list), _)) = agreed {
        let missing = missing_in(list).into_iter();
        let (stay, gone): (Vec<NodeName>, Vec<NodeName>) =
            missing.partition(|name| speaking.contains_key(name));
        let gone = gone.into_iter().collect();
        let in_the_way = (!stay.is_empty()).then_some(InTheWay::StillQuorate { missing: stay });
        return Departed { gone, in_the_way };
    }
    let claims = saying
        .into_iter()
        .map(|((_, list), who)| (missing_in(&list), who));
    let strongest = claims
        .filter(|(missing, _)| !missing.is_empty())
        .max_by_key(|(_, who)| who.len());
    Departed {
        gone: BTreeSet::new(),
        in_the_way: strongest.map(|(missing, saying)| InTheWay::TooFew {
            missing,
            saying,
            enrolled: enrolled.len(),
        }),
    }
}

fn is_quorate(node: &NodeView, now: Now) -> bool {
    let Some(aged) = node.facts.get(&Family::Corosync) else {
        return false;
    };
    match &*aged.fact.fact {
        Fact::Corosync(reading) => {
            let quorate = reading.known().and_then(|corosync| corosync.quorate);
            aged.age_ms(now) <= QUORATE_FOR_MS && quorate == Some(true)
        }
        _ => false,
    }
}

/// The config_version and the names that stand in the node's /etc/pve/corosync.conf.
fn nodelist(node: &NodeView, now: Now) -> Option<(u64, BTreeSet<NodeName>)> {
    let aged = node.facts.get(&Family::CorosyncConf)?;
    if aged.age_ms(now) > CONF_FOR_MS {
        return None;
    }
    let Fact::CorosyncConf(Reading::Known {
        value, problems, ..
    }) = &*aged.fact.fact
    else {
        return None;
    };
    let conf = value.cluster.as_ref().filter(|_| problems.is_empty())?;
    let said = conf.node_names()?;
    let names: BTreeSet<NodeName> = said.iter().cloned().collect();
    // Two with the same name: the list is not understood.
    let is_understood = !names.is_empty() && names.len() == said.len();
    is_understood.then_some((conf.totem.config_version?, names))
}
