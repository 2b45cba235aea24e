//! What would happen if, and every risk: the model's answers about the cluster as it is seen now, as messages.

use model::name::{IfaceName, NodeName, VlanId};
use model::risks::{self, Depth};
use model::whatif::{Failure, Hypothesis, Manner, Part, Rank, WhatIf};
use proto::v1;
use proto::v1::failure::Part as Named;
use tonic::Status;

use crate::declared::Declared;
use crate::keeper::Now;
use crate::keeper::understanding::cluster_of;
use crate::keeper::view::ClusterView;

/// Plays a hypothesis.
pub(crate) fn what_if(
    view: &ClusterView,
    declared: &Declared,
    failures: Vec<v1::Failure>,
    now: Now,
) -> Result<v1::WhatIfResponse, Status> {
    let failures = failures.into_iter().map(failure);
    let hypothesis = Hypothesis {
        failures: failures.collect::<Result<_, _>>()?,
    };
    let mut present = present(view, declared, now)?;
    let outcome = present
        .play(&hypothesis)
        .map_err(|error| Status::not_found(error.to_string()))?;
    let json = serde_json::to_string(&outcome)
        .map_err(|error| Status::internal(format!("the outcome is no JSON: {error}")))?;
    Ok(v1::WhatIfResponse {
        sentence: outcome.sentence,
        rank: rank(outcome.rank).into(),
        worst: rank(outcome.worst).into(),
        trace: outcome.trace,
        unknown: outcome.unknown,
        json,
    })
}

/// Plays every failure, and every pair if that is asked for.
pub(crate) fn risks(
    view: &ClusterView,
    declared: &Declared,
    with_pairs: bool,
    now: Now,
) -> Result<v1::ListRisksResponse, Status> {
    let mut present = present(view, declared, now)?;
    let depth = if with_pairs {
        Depth::Pairs
    } else {
        Depth::Singles
    };
    let found = risks::risks(&mut present, depth);
    let edge = risks::edge(&mut present);
    let message = |risk: risks::Risk| v1::Risk {
        failures: risk.failures.iter().map(Failure::to_string).collect(),
        rank: rank(risk.rank).into(),
        worst: rank(risk.worst).into(),
        sentence: risk.sentence,
    };
    Ok(v1::ListRisksResponse {
        risks: found.risks.into_iter().map(message).collect(),
        edge: edge.to_string(),
        edge_failures: edge.failures.and_then(|count| u32::try_from(count).ok()),
        edge_parts: edge.parts.iter().map(Part::to_string).collect(),
        played: u32::try_from(found.singles_played + found.pairs_played).unwrap_or(u32::MAX),
    })
}

/// Nothing can be played on a present that is not known.
fn present(view: &ClusterView, declared: &Declared, now: Now) -> Result<WhatIf, Status> {
    let cluster = cluster_of(view, now);
    let warning_ms = declared.thresholds.reforming_warning_ms;
    WhatIf::new(&cluster, now, &declared.site, warning_ms)
        .map_err(|error| Status::failed_precondition(error.to_string()))
}

fn failure(failure: v1::Failure) -> Result<Failure, Status> {
    let named = failure
        .part
        .ok_or_else(|| Status::invalid_argument("failures: one names nothing that fails"))?;
    let part = part(named)?;
    let manner = if failure.is_mute {
        Manner::Mute
    } else {
        Manner::Dark
    };
    Ok(Failure { part, manner })
}

fn part(named: Named) -> Result<Part, Status> {
    let no_name = |error: model::name::BadName| Status::invalid_argument(error.to_string());
    Ok(match named {
        Named::Node(node) => Part::Node(NodeName::new(node).map_err(no_name)?),
        Named::Interface(text) => {
            let (node, iface) = text.split_once('/').ok_or_else(|| {
                Status::invalid_argument(format!("{text:?} is no interface: NODE/INTERFACE"))
            })?;
            Part::Iface(
                NodeName::new(node).map_err(no_name)?,
                IfaceName::new(iface).map_err(no_name)?,
            )
        }
        Named::Switch(name) => Part::Switch(name),
        Named::Network(link) => network(link)?,
        Named::Vlan(id) => Part::Vlan(VlanId::new(id.into()).map_err(no_name)?),
        Named::Qdevice(v1::Absent {}) => Part::Qdevice,
        Named::UnknownSwitches(v1::Absent {}) => Part::UnknownSwitches,
    })
}

pub(crate) fn network(link: u32) -> Result<Part, Status> {
    let number = u8::try_from(link);
    number
        .map(Part::Network)
        .map_err(|_| Status::invalid_argument(format!("corosync has no network {link}")))
}

fn rank(rank: Rank) -> v1::Rank {
    match rank {
        Rank::Nothing => v1::Rank::Nothing,
        Rank::RedundancyLost => v1::Rank::RedundancyLost,
        Rank::NoMargin => v1::Rank::NoMargin,
        Rank::QuorumLostForSome => v1::Rank::QuorumLostForSome,
        Rank::Fencing => v1::Rank::Fencing,
        Rank::QuorumLostEverywhere => v1::Rank::QuorumLostEverywhere,
    }
}
