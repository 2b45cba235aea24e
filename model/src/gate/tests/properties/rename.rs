//! The same world, its nodes called otherwise. Names stand in many facts: they are exchanged in the text of each.

use std::sync::Arc;

use fastrand::Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::situation::{Situation, id_of};
use crate::cluster::testing::{World, name, node_name};
use crate::name::NodeName;
use crate::reading::Reading;
use crate::report::Fact;

pub(super) struct Names(Vec<NodeName>);

impl Names {
    /// In another order than the ids have.
    pub(super) fn drawn(random: &mut Rng, nodes: u32) -> Self {
        let mut numbers: Vec<u32> = (1..=nodes).collect();
        random.shuffle(&mut numbers);
        let called = |number: &u32| name(&format!("host{number}.rack-{}", number % 3));
        Self(numbers.iter().map(called).collect())
    }

    pub(super) fn as_they_are(nodes: u32) -> Self {
        Self((1..=nodes).map(node_name).collect())
    }

    pub(super) fn of(&self, id: u32) -> NodeName {
        self.0[id as usize - 1].clone()
    }

    fn text(&self, mut text: String) -> String {
        for (id, called) in (1..).zip(&self.0) {
            text = text.replace(node_name(id).as_str(), called.as_str());
        }
        text
    }

    fn of_any<T: Serialize + DeserializeOwned>(&self, thing: &T) -> T {
        let text = self.text(serde_json::to_string(thing).unwrap());
        serde_json::from_str(&text).unwrap()
    }

    fn fact(&self, fact: &Fact) -> Fact {
        match fact.to_json() {
            Reading::Known {
                value,
                at,
                problems,
            } => {
                let text = self.text(value.to_string());
                fact.family().known(&text, at, problems).unwrap()
            }
            Reading::Failed { .. } | Reading::Absent | Reading::NeverHeard => fact.clone(),
        }
    }

    /// What is so now, under these names; nothing is remembered of before.
    pub(super) fn world(&self, situation: &Situation, world: &World) -> World {
        let mut other = World::of(0);
        other.now = world.now;
        other.site = self.of_any(&world.site);
        for (name, node) in &world.cluster.nodes {
            let mut seen = node.seen.clone();
            for held in seen.facts.values_mut() {
                held.fact = Arc::new(self.fact(&held.fact));
            }
            other.cluster.apply(&self.of(id_of(name)), seen, world.now);
        }
        let leases = other.leases.as_mut().unwrap();
        for transition in situation.transitions(world) {
            leases.fold(&self.of_any(&transition));
        }
        other
    }
}
