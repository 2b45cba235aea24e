//! A ledger in memory that does, by a seed, everything nasty that a store may do: conflicts, answers that never come
//! though the append did or did not happen or happens later, lost leadership, and a power cut that takes the tail
//! which was neither acknowledged nor seen by anybody. For tests and simulations.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::identity::ClusterId;
use model::incident::Transition;

use super::decision::{Decision, DecisionId, KeptEvent, KeptStep, Record, Revision};
use super::{
    Appended, EventsWanted, Ledger, LedgerError, MAX_EVENTS_READ, MAX_RECORDS_READ, MAX_STEPS_READ,
    Mark, Newest, NewestWanted, Snapshot,
};

/// How often something nasty happens, in a thousand appends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Another writer was there first.
    pub conflict: u32,
    /// It is there, but nobody says so.
    pub unknown_done: u32,
    /// It is not there, and nobody says so.
    pub unknown_lost: u32,
    /// Nobody says anything, and it comes later, if it still fits then.
    pub unknown_late: u32,
    /// A writer of a higher epoch was there.
    pub not_leader: u32,
    /// A look at it fails.
    pub unreadable: u32,
}

#[derive(Debug, Default)]
struct Cluster {
    records: Vec<Record>,
    events: Vec<KeptEvent>,
    steps: Vec<KeptStep>,
    snapshot: Snapshot,
    late: Vec<(Revision, u64, Arc<Decision>)>,
}

/// What a power cut leaves: how many records, events and steps, and what they add up to.
#[derive(Debug, Clone, Default)]
struct Synced {
    records: usize,
    events: usize,
    steps: usize,
    snapshot: Snapshot,
}

#[derive(Debug, Default)]
struct Store {
    clusters: BTreeMap<ClusterId, Cluster>,
    synced: BTreeMap<ClusterId, Synced>,
    faults: Faults,
    draws: u64,
    foreign: u64,
}

/// The ledgers of all clusters, in memory.
#[derive(Debug, Default)]
pub struct Memory {
    store: Mutex<Store>,
}

impl Memory {
    /// One that behaves.
    pub fn new() -> Self {
        Self::default()
    }

    pub fn nasty(seed: u64, faults: Faults) -> Self {
        Self {
            store: Mutex::new(Store {
                faults,
                draws: seed,
                ..Store::default()
            }),
        }
    }

    /// From now on, other faults; none at all lets a simulation come to rest.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// The machine loses power: what was neither acknowledged nor seen by anybody is gone.
    pub fn power_cut(&self) {
        let store = &mut *self.lock();
        for (id, cluster) in &mut store.clusters {
            cluster.late.clear();
            let synced = store.synced.get(id).cloned().unwrap_or_default();
            cluster.records.truncate(synced.records);
            cluster.events.truncate(synced.events);
            cluster.steps.truncate(synced.steps);
            cluster.snapshot = synced.snapshot;
        }
    }

    /// As [`Ledger::append`], at once.
    pub fn append_now(
        &self,
        cluster: &ClusterId,
        expected: Revision,
        epoch: u64,
        decision: &Arc<Decision>,
    ) -> Appended {
        self.lock().append(cluster, expected, epoch, decision)
    }

    /// As [`Ledger::read`], at once.
    pub fn read_now(
        &self,
        cluster: &ClusterId,
        after: Revision,
    ) -> Result<Vec<Record>, LedgerError> {
        let mut store = self.lock();
        store.may_fail()?;
        let cluster = store.sync(cluster);
        let behind = usize::try_from(after.0).unwrap_or(usize::MAX);
        let records = cluster.records.iter().skip(behind).take(MAX_RECORDS_READ);
        Ok(records.cloned().collect())
    }

    /// As [`Ledger::snapshot`], at once.
    pub fn snapshot_now(&self, cluster: &ClusterId) -> Result<Snapshot, LedgerError> {
        let mut store = self.lock();
        store.may_fail()?;
        let cluster = store.sync(cluster);
        Ok(cluster.snapshot.clone())
    }

    /// As [`Ledger::events`], at once.
    pub fn events_now(&self, wanted: &EventsWanted) -> Result<Vec<KeptEvent>, LedgerError> {
        let mut store = self.lock();
        store.may_fail()?;
        let cluster = store.sync(&wanted.cluster);
        let events = cluster.events.iter().filter(|kept| {
            kept.place > wanted.after
                && wanted
                    .node
                    .as_ref()
                    .is_none_or(|node| *node == kept.event.node)
        });
        let limit = wanted.limit.min(MAX_EVENTS_READ);
        Ok(events.take(limit).cloned().collect())
    }

    /// All that was ever decided about incidents of a cluster, in its order: to be added up by somebody else.
    pub fn all_steps(&self, cluster: &ClusterId) -> Vec<Transition> {
        let store = self.lock();
        let steps = store.clusters.get(cluster).into_iter();
        steps
            .flat_map(|cluster| &cluster.steps)
            .map(|kept| kept.step.clone())
            .collect()
    }

    /// As [`Ledger::steps`], at once.
    pub fn steps_now(&self, cluster: &ClusterId, after: u64) -> Result<Vec<KeptStep>, LedgerError> {
        let mut store = self.lock();
        store.may_fail()?;
        let steps = store.sync(cluster).steps.iter();
        let steps = steps.filter(|kept| kept.place > after);
        Ok(steps.take(MAX_STEPS_READ).cloned().collect())
    }

    /// As [`Ledger::newest`], at once.
    pub fn newest_now(&self, wanted: &NewestWanted) -> Result<Newest, LedgerError> {
        let mut store = self.lock();
        store.may_fail()?;
        let cluster = store.sync(&wanted.cluster);
        let of = wanted.node.as_ref();
        let events = cluster.events.iter().rev();
        let events = events.filter(|kept| of.is_none_or(|node| *node == kept.event.node));
        let steps = cluster.steps.iter().rev();
        let steps = steps.filter(|kept| of.is_none_or(|node| kept.is_about(node)));
        Ok(Newest {
            events: wanted.marks(events.map(|kept| Mark {
                place: kept.place,
                kept_unix_ms: kept.event.kept_unix_ms,
            })),
            steps: wanted.marks(steps.map(|kept| Mark {
                place: kept.place,
                kept_unix_ms: kept.step.at_unix_ms,
            })),
            last_event: cluster.snapshot.kept.last_place,
            last_step: cluster.steps.len() as u64,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    fn append(
        &mut self,
        id: &ClusterId,
        expected: Revision,
        epoch: u64,
        decision: &Arc<Decision>,
    ) -> Appended {
        let faults = self.faults;
        let cluster = self.clusters.entry(id.clone()).or_default();
        for (expected, epoch, decision) in std::mem::take(&mut cluster.late) {
            cluster.append(expected, epoch, &decision);
        }
        let mut draw = self.draw();
        let mut hits = |chance: u32| {
            let is_hit = draw < chance;
            draw = draw.saturating_sub(chance);
            is_hit
        };
        let lost = || Appended::Unknown {
            why: "no answer came in time".to_owned(),
        };
        if hits(faults.conflict) {
            self.other_writer(id, 0);
        } else if hits(faults.not_leader) {
            self.other_writer(id, 1);
        } else if hits(faults.unknown_lost) {
            return lost();
        } else if hits(faults.unknown_late) {
            let cluster = self.clusters.entry(id.clone()).or_default();
            cluster.late.push((expected, epoch, Arc::clone(decision)));
            return lost();
        } else if hits(faults.unknown_done) {
            let cluster = self.clusters.entry(id.clone()).or_default();
            cluster.append(expected, epoch, decision);
            return lost();
        }
        let cluster = self.clusters.entry(id.clone()).or_default();
        let appended = cluster.append(expected, epoch, decision);
        if matches!(appended, Appended::Ok(_)) {
            self.sync(id);
        }
        appended
    }

    fn sync(&mut self, id: &ClusterId) -> &Cluster {
        let cluster = self.clusters.entry(id.clone()).or_default();
        let synced = Synced {
            records: cluster.records.len(),
            events: cluster.events.len(),
            steps: cluster.steps.len(),
            snapshot: cluster.snapshot.clone(),
        };
        self.synced.insert(id.clone(), synced);
        cluster
    }

    fn other_writer(&mut self, id: &ClusterId, epochs_ahead: u64) {
        self.foreign += 1;
        let decision = Decision {
            id: DecisionId {
                writer: 0,
                number: self.foreign,
            },
            events: Vec::new(),
            transitions: Vec::new(),
            leases: Vec::new(),
            alerts: Vec::new(),
        };
        let cluster = self.clusters.entry(id.clone()).or_default();
        let (head, epoch) = (cluster.snapshot.revision, cluster.snapshot.epoch);
        cluster.append(head, epoch.saturating_add(epochs_ahead), &decision);
    }

    fn may_fail(&mut self) -> Result<(), LedgerError> {
        if self.draw() < self.faults.unreadable {
            return Err(LedgerError::NoAnswer {
                why: "no answer came in time".to_owned(),
            });
        }
        Ok(())
    }

    /// 0 to 999, by the seed (splitmix64).
    fn draw(&mut self) -> u32 {
        self.draws = self.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.draws;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((bits ^ (bits >> 31)) % 1_000).unwrap_or_default()
    }
}

impl Cluster {
    fn append(&mut self, expected: Revision, epoch: u64, decision: &Decision) -> Appended {
        let head = &mut self.snapshot;
        if epoch < head.epoch {
            return Appended::NotLeader { epoch: head.epoch };
        }
        if expected != head.revision {
            return Appended::Conflict;
        }
        head.revision = head.revision.next();
        head.epoch = epoch;
        self.records.push(Record {
            revision: head.revision,
            epoch,
            id: decision.id,
        });
        for event in &decision.events {
            if let Some(place) = head.kept.take(event) {
                self.events.push(KeptEvent {
                    place,
                    event: event.clone(),
                });
            }
        }
        head.kept.fold(decision);
        for step in &decision.transitions {
            let opening = self
                .steps
                .iter()
                .find(|kept| kept.step.number == step.number);
            self.steps.push(KeptStep {
                place: self.steps.len() as u64 + 1,
                step: step.clone(),
                opening: opening.map_or_else(|| step.clone(), |kept| kept.step.clone()),
            });
        }
        Appended::Ok(head.revision)
    }
}

#[tonic::async_trait]
impl Ledger for Memory {
    async fn append(
        &self,
        cluster: &ClusterId,
        expected: Revision,
        epoch: u64,
        decision: Arc<Decision>,
    ) -> Appended {
        self.append_now(cluster, expected, epoch, &decision)
    }

    async fn read(&self, cluster: &ClusterId, after: Revision) -> Result<Vec<Record>, LedgerError> {
        self.read_now(cluster, after)
    }

    async fn snapshot(&self, cluster: &ClusterId) -> Result<Snapshot, LedgerError> {
        self.snapshot_now(cluster)
    }

    async fn events(&self, wanted: &EventsWanted) -> Result<Vec<KeptEvent>, LedgerError> {
        self.events_now(wanted)
    }

    async fn steps(&self, cluster: &ClusterId, after: u64) -> Result<Vec<KeptStep>, LedgerError> {
        self.steps_now(cluster, after)
    }

    async fn newest(&self, wanted: &NewestWanted) -> Result<Newest, LedgerError> {
        self.newest_now(wanted)
    }
}
