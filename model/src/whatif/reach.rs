//! Who still reaches whom once some addresses are dead. knet does not relay: members of one membership must all reach each
//! other, and where they do not, what totem makes of it cannot be foretold.

use super::graph::Struck;
use super::mask::Mask;
use super::present::{Hears, Together};

/// Nodes that may be together afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Group {
    /// They reach each other, and nobody else.
    Whole(Mask),
    /// The core reaches each other; whether the others are with it is not known. If one is, it reaches all of the core.
    Around { core: Mask, perhaps: Mask },
    /// Some reach each other and some do not.
    Broken(Mask),
    /// Who reaches whom is not known.
    Unknown(Mask),
}

/// The groups into which one membership falls when these nodes and addresses are gone.
pub(crate) fn groups(
    together: &Together,
    removed: &Mask,
    links: &[Hears],
    struck: &Struck,
) -> Vec<Group> {
    let alive = together.members.minus(removed);
    if struck.is_nothing() {
        let left = (!alive.is_empty()).then_some(Group::Whole(alive));
        return left.into_iter().collect();
    }
    let rows = Rows::of(&alive, links, struck);
    let mut left = alive;
    let mut groups = Vec::new();
    while let Some(seed) = left.iter().next() {
        let component = rows.component(seed, &alive);
        left = left.minus(&component);
        groups.push(rows.judge(component, links, struck));
    }
    groups
}

struct Rows {
    certain: Vec<Mask>,
    possible: Vec<Mask>,
}

impl Rows {
    fn of(alive: &Mask, links: &[Hears], struck: &Struck) -> Self {
        let many = alive.iter().last().map_or(0, |last| last + 1);
        let mut certain = vec![Mask::default(); many];
        let mut possible = certain.clone();
        for node in alive.iter() {
            let (mut touched, mut yes, mut perhaps) =
                (Mask::default(), Mask::default(), Mask::default());
            for (index, hears) in links.iter().enumerate() {
                let down = struck.down.get(index).copied().unwrap_or_default();
                let doubtful = struck.unknown.get(index).copied().unwrap_or_default();
                let affected = down.or(&doubtful);
                let up = hears.up.get(node).copied().unwrap_or_default();
                let linked = up.or(&hears.unknown.get(node).copied().unwrap_or_default());
                touched = touched.or(&if affected.has(node) {
                    linked
                } else {
                    linked.and(&affected)
                });
                if !affected.has(node) {
                    yes = yes.or(&up.minus(&affected));
                }
                if !down.has(node) {
                    perhaps = perhaps.or(&linked.minus(&down));
                }
            }
            // Those that nothing happens to are together now, which is the best of evidence.
            let left_alone = alive.minus(&touched);
            let own = Mask::of([node]);
            let row = |mask: Mask| mask.or(&left_alone).and(alive).or(&own);
            if let (Some(one), Some(other)) = (certain.get_mut(node), possible.get_mut(node)) {
                *one = row(yes);
                *other = row(perhaps.or(&yes));
            }
        }
        Self { certain, possible }
    }

    fn component(&self, seed: usize, alive: &Mask) -> Mask {
        let mut component = Mask::of([seed]);
        let mut open = component;
        while let Some(node) = open.iter().next() {
            open = open.minus(&Mask::of([node]));
            let row = self.possible.get(node).copied().unwrap_or_default();
            let new = row.and(alive).minus(&component);
            component = component.or(&new);
            open = open.or(&new);
        }
        component
    }

    fn judge(&self, component: Mask, links: &[Hears], struck: &Struck) -> Group {
        let row = |rows: &[Mask], node: usize| rows.get(node).copied().unwrap_or_default();
        let is_clique = |of: &Mask| of.iter().all(|node| row(&self.certain, node).holds(of));
        if is_clique(&component) {
            return Group::Whole(component);
        }
        let is_certain = component
            .iter()
            .all(|node| row(&self.certain, node) == row(&self.possible, node));
        if is_certain {
            return Group::Broken(component);
        }
        let doubtful = struck
            .unknown
            .iter()
            .fold(Mask::default(), |all, mask| all.or(mask));
        let perhaps = component.and(&doubtful);
        let core = component.minus(&perhaps);
        let core_is_whole = !core.is_empty() && is_clique(&core);
        let mut over = Vec::new();
        for (index, hears) in links.iter().enumerate() {
            let unknown = struck.unknown.get(index).copied().unwrap_or_default();
            let down = struck.down.get(index).copied().unwrap_or_default();
            for node in perhaps.and(&unknown).iter() {
                let up = row(&hears.up, node).minus(&down);
                if !up.and(&component).is_empty() {
                    over.push((node, index, up));
                }
            }
        }
        // Whoever stays, stays over a link that reaches everybody; two that stay must do so over the same one.
        let reaches_all = over.iter().all(|(_, _, up)| up.holds(&core));
        let one_link = over
            .iter()
            .all(|(_, index, _)| Some(*index) == over.first().map(|it| it.1));
        let alone = perhaps.len() == 1;
        let nothing_certain = perhaps.iter().all(|node| {
            row(&self.certain, node).and(&core).is_empty() || row(&self.certain, node).holds(&core)
        });
        if core_is_whole && reaches_all && nothing_certain && (alone || one_link) {
            Group::Around { core, perhaps }
        } else {
            Group::Unknown(component)
        }
    }
}
