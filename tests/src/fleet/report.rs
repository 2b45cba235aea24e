//! The report of a simulated agent: one that a real agent made of a captured node (`quorate-agent snapshot --json`).

use std::sync::Arc;

use anyhow::{Context as _, Result};
use model::reading::Reading;
use model::report::{Fact, Family};
use proto::fact::ReadFact;
use proto::v1;
use serde_json::{Map, Value, json};

const REPORT: &str = include_str!("../../fixtures/report.json");
/// A card of the report, whose carrier comes and goes.
pub(super) const FLAPPING: usize = 2;

/// Every family of the report, with its age in place of the moment when it was read.
pub(super) fn facts() -> Result<Arc<[v1::Fact]>> {
    let report: Map<String, Value> = serde_json::from_str(REPORT)?;
    let mut facts = Vec::new();
    for family in Family::ALL.iter().copied() {
        let Some(reading) = report.get(family.key()) else {
            continue;
        };
        let reading: Reading<Value> = serde_json::from_value(reading.clone())?;
        let fact =
            fact(family, reading).with_context(|| format!("{} of the report", family.key()))?;
        let read = ReadFact {
            fact: Arc::new(fact),
            read_at_boottime_ms: 0,
        };
        facts.extend(read.to_wire());
    }
    Ok(facts.into())
}

fn fact(family: Family, reading: Reading<Value>) -> Result<Fact> {
    Ok(match reading {
        Reading::Known {
            value,
            at,
            problems,
        } => family.known(&value.to_string(), at, problems)?,
        Reading::Failed { why } => family.failed(why),
        Reading::Absent => family.absent(),
        Reading::NeverHeard => family.never_heard(),
    })
}

/// As they are sent: read a moment ago.
pub(super) fn sent(facts: &[v1::Fact], now_ms: u64) -> Vec<v1::Fact> {
    let mut facts = facts.to_vec();
    for fact in &mut facts {
        fact.read_at_boottime_ms = now_ms;
    }
    facts
}

/// The same link loses its carrier, or has it again.
pub(super) fn flap(carrier: bool, now_ms: u64, unix_ms: i64) -> v1::FactChange {
    let patch =
        format!("[{{\"op\":\"replace\",\"path\":\"/{FLAPPING}/carrier\",\"value\":{carrier}}}]");
    v1::FactChange {
        change: Some(v1::fact_change::Change::Patch(v1::FactPatch {
            family: v1::Family::Links.into(),
            read_at_boottime_ms: now_ms,
            at_unix_ms: unix_ms,
            json_patch: patch,
        })),
    }
}

/// The cable of the second port of its bond is pulled, or is in again.
pub(super) fn cable(is_in: bool, now_ms: u64, unix_ms: i64) -> v1::FactChange {
    let status = if is_in { "up" } else { "down" };
    let patch = format!(
        "[{{\"op\":\"replace\",\"path\":\"/0/slaves/1/mii_status\",\"value\":\"{status}\"}}]"
    );
    v1::FactChange {
        change: Some(v1::fact_change::Change::Patch(v1::FactPatch {
            family: v1::Family::Bonds.into(),
            read_at_boottime_ms: now_ms,
            at_unix_ms: unix_ms,
            json_patch: patch,
        })),
    }
}

/// An entry of the journal, as an agent tells it; its number is in its text.
pub(super) fn event(number: u64, node: &str) -> String {
    let message = format!("bond0: (slave eno0): link status definitely down (event {number})");
    json!({
        "time": {"exact": "2026-11-21T04:46:28.688291Z"},
        "boot_id": "52612c4798404c46a92227f771b61824",
        "cursor": format!("s=07954a91510941d584fa7cc3d37fbaf6;i={number:x}"),
        "hostname": node,
        "identifier": "kernel",
        "priority": 6,
        "message": message,
        "event": "bond_port_down",
        "bond": "bond0",
        "port": "eno0",
    })
    .to_string()
}
