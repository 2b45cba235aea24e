//! What was foretold, held against what came.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::real::{Names, Real, component, is_clique};
use crate::rack::Rack;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judgement {
    Agreed,
    /// The real cluster is no clique, and that is what was said.
    NotForetold,
    Disagreed(Vec<String>),
}

/// `outcome` is the JSON of `quorate what-if --json`.
pub(crate) fn judge(rack: &Rack, real: &Real, outcome: &Value) -> Result<Judgement> {
    let mut wrong = Vec::new();
    let mut open = false;
    let mut told = Names::new();
    let camps = outcome["camps"]
        .as_array()
        .context("an outcome has camps")?;
    for camp in camps {
        let nodes = names(&camp["nodes"]);
        told.extend(nodes.iter().cloned());
        let answer = camp["quorate"].as_str().unwrap_or_default();
        let first = nodes.first().context("a camp has nodes")?;
        let is_clear = is_clique(rack, &component(rack, first)?)?;
        if answer == "unknown" {
            open = true;
            if is_clear {
                wrong.push(format!(
                    "of {nodes:?} nothing was foretold, and they are a clique: {}",
                    camp["reason"]
                ));
            }
            continue;
        }
        for node in &nodes {
            let members = real.members(node);
            // How nodes fall apart that do not all reach each other cannot be told; that all are too few can.
            if is_clear && members != nodes {
                wrong.push(format!(
                    "{node} was to be with {nodes:?}, and is with {members:?}"
                ));
            }
            let is_quorate = real.is_quorate(node);
            if is_quorate != Some(answer == "yes") {
                wrong.push(format!(
                    "{node} was to be quorate: {answer}; corosync says {is_quorate:?}"
                ));
            }
        }
    }
    let running: Names = rack.running().map(str::to_owned).collect();
    if told != running {
        wrong.push(format!(
            "the outcome tells of {told:?}, and {running:?} run"
        ));
    }
    let gone = names(&outcome["gone"]);
    let stopped: Names = rack
        .nodes()
        .map(str::to_owned)
        .filter(|node| !running.contains(node))
        .collect();
    if gone != stopped {
        wrong.push(format!(
            "the outcome takes {gone:?} away, and {stopped:?} do not run"
        ));
    }
    Ok(match (wrong.is_empty(), open) {
        (false, _) => Judgement::Disagreed(wrong),
        (true, true) => Judgement::NotForetold,
        (true, false) => Judgement::Agreed,
    })
}

fn names(value: &Value) -> Names {
    let all = value.as_array().into_iter().flatten();
    all.filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}
