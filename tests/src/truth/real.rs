//! What the real cluster is: who reaches whom, from what was done to the rack, and what each corosync says once it has
//! settled.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::clock::PATIENCE;
use crate::corosync::{Membership, node_name};
use crate::rack::Rack;

const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// What holds still for so many token time-outs has settled.
const TOKENS_OF_QUIET: u32 = 4;
/// Of a corosync that has its own time-out.
const DEFAULT_TOKEN_MS: u32 = 3_000;

pub(crate) type Names = BTreeSet<String>;

/// What each running node says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Real {
    pub(crate) of: BTreeMap<String, Membership>,
}

impl Real {
    /// The members that a node names.
    pub(crate) fn members(&self, node: &str) -> Names {
        let said = self.of.get(node).map(|said| said.members.as_slice());
        let ids = said.into_iter().flatten();
        ids.map(|id| node_name(usize::try_from(*id).unwrap_or_default()))
            .collect()
    }

    pub(crate) fn is_quorate(&self, node: &str) -> Option<bool> {
        self.of.get(node).map(|said| said.quorate)
    }
}

/// The nodes that reach each other directly or over others, with this one.
pub(crate) fn component(rack: &Rack, node: &str) -> Result<Names> {
    let running: Vec<&str> = rack.running().collect();
    let mut found = Names::from([node.to_owned()]);
    let mut to_do = vec![node.to_owned()];
    while let Some(one) = to_do.pop() {
        for other in &running {
            if !found.contains(*other) && rack.reaches(&one, other)? {
                found.insert((*other).to_owned());
                to_do.push((*other).to_owned());
            }
        }
    }
    Ok(found)
}

/// Whether they all reach each other directly.
pub(crate) fn is_clique(rack: &Rack, nodes: &Names) -> Result<bool> {
    for one in nodes {
        for other in
            nodes.range::<String, _>((std::ops::Bound::Excluded(one), std::ops::Bound::Unbounded))
        {
            if !rack.reaches(one, other)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Nodes that do not all reach each other may form anew without end: so long they are looked at.
const NO_CLIQUE: Duration = Duration::from_secs(30);

/// Waits until memberships are what they may be at all (nobody names a member that it cannot reach, or one who says
/// something else), and stay so. Of nodes that are no clique nothing is waited for but quiet.
pub(crate) fn settle(rack: &Rack) -> Result<Real> {
    let token_ms = rack.plan().token_ms.unwrap_or(DEFAULT_TOKEN_MS);
    let quiet = Duration::from_millis(u64::from(TOKENS_OF_QUIET * token_ms));
    let is_clear = all_are_cliques(rack)?;
    let begun = Instant::now();
    let (mut last, mut since) = (look(rack)?, Instant::now());
    loop {
        thread::sleep(BETWEEN_LOOKS);
        let now = look(rack)?;
        let stands = match &now {
            Some(real) => may_stay(rack, real)?,
            None => false,
        };
        if now != last || !stands {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() >= quiet
            && let Some(real) = now
        {
            return Ok(real);
        }
        if begun.elapsed() > NO_CLIQUE
            && !is_clear
            && let Some(real) = &last
        {
            return Ok(real.clone());
        }
        if begun.elapsed() > PATIENCE {
            bail!("the memberships did not settle: {last:?}");
        }
    }
}

fn all_are_cliques(rack: &Rack) -> Result<bool> {
    for node in rack.running() {
        if !is_clique(rack, &component(rack, node)?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `None` where one does not answer.
fn look(rack: &Rack) -> Result<Option<Real>> {
    let mut of = BTreeMap::new();
    for node in rack.running() {
        let Some(said) = rack.membership(node)? else {
            return Ok(None);
        };
        of.insert(node.to_owned(), said);
    }
    Ok(Some(Real { of }))
}

fn may_stay(rack: &Rack, real: &Real) -> Result<bool> {
    for (node, said) in &real.of {
        let with_it = component(rack, node)?;
        let members = real.members(node);
        if !members.is_subset(&with_it) {
            return Ok(false);
        }
        if is_clique(rack, &with_it)? {
            let agree = |other: &String| {
                real.of
                    .get(other)
                    .is_some_and(|of| of.ring == said.ring && of.members == said.members)
            };
            if !members.iter().all(agree) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
