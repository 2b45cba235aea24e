//! Those who ask for the lease, and what they were told. Whoever was told that he has it, has it, until it is over; and no
//! number is given to two.

use std::collections::{BTreeMap, BTreeSet};

use collector::keeper::core::{Begin, LeaseAsk, Told};
use model::gate::Action;
use model::lease::{Leases, PLANNED_S, State};
use model::name::NodeName;
use quorate_collector as collector;

#[derive(Default)]
pub(crate) struct Asking {
    asked: u64,
    /// To whom which lease was given.
    given: BTreeMap<u64, String>,
    broken: BTreeSet<u64>,
}

impl Asking {
    /// Two times of three somebody wants it, and otherwise somebody has enough of it.
    pub(crate) fn next(&mut self, node: &NodeName, chance: &mut fastrand::Rng) -> LeaseAsk {
        self.asked += 1;
        let by = format!("asker {}", self.asked);
        if chance.u8(0..3) == 0 {
            return LeaseAsk::Break {
                node: node.clone(),
                by,
                reason: "enough".to_owned(),
            };
        }
        LeaseAsk::Begin(Begin {
            nodes: BTreeSet::from([node.clone()]),
            action: Action::Reboot,
            owner: by,
            reason: "new kernel".to_owned(),
            planned_s: PLANNED_S,
            overrides: true,
            waits_for_end: true,
            request_id: String::new(),
            ceph: Vec::new(),
        })
    }

    pub(crate) fn hear(&mut self, told: &Told) {
        let Some(lease) = told.lease.as_ref().filter(|_| told.is_done) else {
            return;
        };
        if lease.state == State::Broken {
            self.broken.insert(lease.number);
            return;
        }
        let before = self.given.insert(lease.number, lease.grant.owner.clone());
        assert_eq!(before, None, "lease {} was given twice", lease.number);
    }

    /// How many were given; all of them stand in the ledger as they were told.
    pub(crate) fn check(&self, seed: u64, kept: &Leases) -> usize {
        let held = kept.current().into_iter();
        let all: BTreeMap<u64, _> = held
            .chain(kept.over())
            .map(|lease| (lease.number, lease))
            .collect();
        for (number, owner) in &self.given {
            let lease = all.get(number);
            assert_eq!(
                lease.map(|lease| &lease.grant.owner),
                Some(owner),
                "seed {seed}: lease {number}"
            );
        }
        for number in &self.broken {
            let state = all.get(number).map(|lease| lease.state);
            assert_eq!(state, Some(State::Broken), "seed {seed}: lease {number}");
        }
        self.given.len()
    }
}
