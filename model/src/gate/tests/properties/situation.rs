//! What may be so in a cluster, and the world in which everybody who is heard tells of it. Votes and members are told as
//! the quorum machine has them, so that they fit each other.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::super::ordinary;
use super::ceph::{Ceph, CephSays};
use super::fault::Fault;
use crate::cluster::testing::{World, node_name, value};
use crate::fact::corosync::{Corosync, LinkStatus, Qdevice};
use crate::fact::corosync_conf::{CorosyncConf, CorosyncConfFiles};
use crate::fact::ha_config::ShutdownPolicy;
use crate::fact::tasks::Backups;
use crate::finding::Thing;
use crate::fleet::Hearing;
use crate::gate::{Action, Kind};
use crate::lease::accepted::Acceptance;
use crate::lease::testing::granted;
use crate::lease::{State, Step, Transition};
use crate::name::{NodeId, NodeName};
use crate::quorum::cluster::Cluster as Voters;
use crate::quorum::config::QuorumConfig;
use crate::quorum::event::{Event, QdeviceState};
use crate::quorum::verdict::Partition;
use crate::report::NodeReport;
use crate::topology::{Dependency, Place, Service, Site};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    None,
    /// Declared to be outside.
    External,
    /// Nobody knows where.
    Somewhere,
    /// Declared to be on this node.
    On(u32),
    /// This node finds it in a guest of its own.
    FoundOn(u32),
    /// It is there, and casts no vote.
    Mute,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Collector {
    Somewhere,
    External,
    On(u32),
    /// Declared to be in the first guest of this node.
    InGuestOf(u32),
    /// Found by the boot id that this node tells.
    FoundOn(u32),
}

/// Corosync's options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    Plain,
    WaitForAll,
    LastManStanding,
    TieBreaker,
    TwoNode,
}

#[derive(Debug, Clone)]
pub(super) struct Situation {
    pub(super) nodes: u32,
    pub(super) is_one_link: bool,
    pub(super) device: Device,
    pub(super) rules: Rules,
    pub(super) collector: Collector,
    /// Not in the membership of the rest.
    pub(super) away: BTreeSet<u32>,
    /// Of them, those that an operator accepts to be away.
    pub(super) accepted: BTreeSet<u32>,
    /// They run, among themselves, and their agents are heard.
    pub(super) is_split: bool,
    /// Their agents are silent.
    pub(super) silent: BTreeSet<u32>,
    pub(super) lease: Option<(BTreeSet<u32>, State)>,
    pub(super) policy: Option<ShutdownPolicy>,
    pub(super) ceph: Ceph,
    pub(super) faults: Vec<Fault>,
}

pub(super) fn id_of(name: &NodeName) -> u32 {
    name.as_str().strip_prefix("pve-").unwrap().parse().unwrap()
}

/// The first guest of this node.
pub(super) fn guest_of(id: u32) -> u32 {
    100 + id
}

pub(super) fn node_id(id: u32) -> NodeId {
    NodeId::new(id).unwrap()
}

pub(super) fn node_ids(ids: &BTreeSet<u32>) -> BTreeSet<NodeId> {
    ids.iter().copied().map(node_id).collect()
}

impl Situation {
    pub(super) fn nothing_wrong(nodes: u32) -> Self {
        Self {
            nodes,
            is_one_link: false,
            device: Device::None,
            rules: Rules::Plain,
            collector: Collector::External,
            away: BTreeSet::new(),
            accepted: BTreeSet::new(),
            is_split: false,
            silent: BTreeSet::new(),
            lease: None,
            policy: None,
            ceph: Ceph::None,
            faults: Vec::new(),
        }
    }

    pub(super) fn has(&self, is: impl Fn(&Fault) -> bool) -> bool {
        self.faults.iter().any(is)
    }

    pub(super) fn is_heard(&self, id: u32) -> bool {
        !self.silent.contains(&id) && (self.is_split || !self.away.contains(&id))
    }

    pub(super) fn world(&self) -> World {
        let mut world = ordinary(self.nodes);
        let now = Timestamp::from_millisecond(world.now.unix_ms).unwrap();
        let config = QuorumConfig::new(&self.conf(&world)).unwrap();
        let voters = self.voters(config);
        world.edit_all(|name, report| {
            let id = id_of(name);
            self.configure(report);
            if let Some(partition) = partition_of(&voters, id) {
                self.tell_votes(id, &voters, &partition, report);
            }
            self.tell_the_rest(id, now, report);
            for fault in &self.faults {
                fault.tell(self, id, report);
            }
        });
        for id in 1..=self.nodes {
            if !self.is_heard(id) {
                world.hearing(node_name(id).as_str(), Hearing::Silent);
            }
        }
        world.site = self.site();
        for transition in self.transitions(&world) {
            world.leases.as_mut().unwrap().fold(&transition);
        }
        world
    }

    fn conf(&self, world: &World) -> CorosyncConf {
        let scene = world.scene();
        let first = scene.nodes().next().unwrap();
        let mut files: CorosyncConfFiles = crate::report::Facts::corosync_conf(&first)
            .cloned()
            .unwrap();
        let conf = files.local.as_mut().unwrap();
        self.set_options(conf);
        conf.clone()
    }

    fn set_options(&self, conf: &mut CorosyncConf) {
        if self.is_one_link {
            for node in &mut conf.nodes {
                node.addresses.remove(&1);
            }
        }
        if self.device != Device::None {
            conf.quorum.device = Some(crate::fact::corosync_conf::Device {
                model: Some("net".to_owned()),
                votes: Some(1),
                host: Some("192.0.2.7".to_owned()),
                algorithm: Some("ffsplit".to_owned()),
                ..Default::default()
            });
        }
        match self.rules {
            Rules::Plain => {}
            Rules::WaitForAll => conf.quorum.wait_for_all = Some(true),
            Rules::LastManStanding => conf.quorum.last_man_standing = Some(true),
            Rules::TieBreaker => conf.quorum.auto_tie_breaker = Some(true),
            Rules::TwoNode => conf.quorum.two_node = Some(true),
        }
    }

    fn configure(&self, report: &mut NodeReport) {
        let files = value(&mut report.corosync_conf);
        for conf in [&mut files.cluster, &mut files.local] {
            self.set_options(conf.as_mut().unwrap());
        }
    }

    /// All votequorums, after what happened.
    pub(super) fn voters(&self, config: QuorumConfig) -> Voters {
        let mut voters = Voters::healthy(config);
        if self.device == Device::Mute {
            let event = Event::Qdevice(QdeviceState::Away);
            voters = voters.step(&event).unwrap();
        }
        if self.away.is_empty() {
            return voters;
        }
        let away = node_ids(&self.away);
        let event = if self.is_split {
            let stay = (1..=self.nodes).map(node_id);
            Event::Split(vec![stay.filter(|id| !away.contains(id)).collect(), away])
        } else {
            Event::Down(away)
        };
        voters.step(&event).unwrap()
    }

    pub(super) fn config(&self) -> QuorumConfig {
        QuorumConfig::new(&self.conf(&World::of(self.nodes))).unwrap()
    }

    fn tell_votes(&self, id: u32, voters: &Voters, partition: &Partition, report: &mut NodeReport) {
        let corosync: &mut Corosync = value(&mut report.corosync);
        let is_there = |other: u32| partition.nodes.contains(&node_id(other));
        let votes = |of: u32| {
            let voter = voters.voter(node_id(of)).unwrap();
            u32::from(voter.has_qdevice_votes())
        };
        let flags = |votes| (if votes == 1 { "A,V,NMW" } else { "A,NV,NMW" }).to_owned();
        corosync.expected_votes = Some(partition.expected);
        corosync.total_votes = Some(partition.votes);
        corosync.quorum = Some(partition.quorum);
        corosync.quorate = Some(partition.quorate);
        let members = corosync.members.as_mut().unwrap();
        members.retain(|member| is_there(member.node_id));
        if self.device != Device::None {
            for member in members {
                member.qdevice_flags = Some(flags(votes(member.node_id)));
            }
            corosync.qdevice = Some(Qdevice {
                votes: Some(votes(id)),
                flags: Some(flags(votes(id))),
                ..Qdevice::default()
            });
        }
        let links: &mut Vec<LinkStatus> = corosync.links.as_mut().unwrap();
        if self.is_one_link {
            links.truncate(1);
        }
        for peer in links.iter_mut().flat_map(|link| link.peers.iter_mut()) {
            for peer in peer {
                peer.connected = Some(is_there(peer.node_id));
            }
        }
    }

    fn tell_the_rest(&self, id: u32, now: Timestamp, report: &mut NodeReport) {
        value(&mut report.power).boot_id = Some(format!("boot-{id}"));
        let guests = value(&mut report.guests);
        guests.here = vec![super::super::guest(guest_of(id))];
        if self.device == Device::FoundOn(id) {
            guests.with_qnetd = Some(guest_of(id));
        }
        report.ceph = self.ceph.told(self.nodes);
        value(&mut report.tasks).backups = Some(Backups {
            newest_of_several: Some(now),
            ..Backups::default()
        });
    }

    fn site(&self) -> Site {
        let mut site = Site::default();
        let mut declare = |service, on| site.dependencies.push(Dependency { service, on });
        match self.device {
            Device::External => declare(Service::Qdevice, Place::External),
            Device::On(id) => declare(Service::Qdevice, Place::Node(node_name(id))),
            Device::None | Device::Somewhere | Device::FoundOn(_) | Device::Mute => {}
        }
        match self.collector {
            Collector::Somewhere => {}
            Collector::External => declare(Service::Collector, Place::External),
            Collector::On(id) => declare(Service::Collector, Place::Node(node_name(id))),
            Collector::InGuestOf(id) => declare(Service::Collector, Place::Guest(guest_of(id))),
            Collector::FoundOn(id) => site.machine.boot_id = Some(format!("boot-{id}")),
        }
        site
    }

    /// How the lease came to be held, and what is accepted.
    pub(super) fn transitions(&self, world: &World) -> Vec<Transition> {
        let accepted = |id: &u32| Transition {
            number: 0,
            at_unix_ms: world.now.unix_ms,
            step: Step::Accepted(Box::new(Acceptance {
                kind: Kind::NodeDown,
                subject: Thing::Node(node_name(*id)),
                told: BTreeSet::new(),
                by: "operator anna".to_owned(),
                reason: "it is a spare".to_owned(),
                until_unix_ms: world.now.unix_ms + 1_000_000,
            })),
        };
        let accepted = self.accepted.iter().map(accepted);
        accepted.chain(self.lease_steps(world)).collect()
    }

    fn lease_steps(&self, world: &World) -> Vec<Transition> {
        let Some((nodes, state)) = &self.lease else {
            return Vec::new();
        };
        let first = node_name(*nodes.first().unwrap());
        let mut begin = granted(world, 1, first.as_str());
        if let Step::Granted(grant) = &mut begin.step {
            grant.nodes = nodes.iter().copied().map(node_name).collect();
        }
        let then = match state {
            State::Withdrawn => Some(Step::Withdrawn {
                why: "a node was lost".to_owned(),
            }),
            State::Departed => Some(Step::Departed),
            _ => None,
        };
        let then = then.map(|step| Transition {
            step,
            ..begin.clone()
        });
        std::iter::once(begin).chain(then).collect()
    }
}

fn partition_of(voters: &Voters, id: u32) -> Option<Partition> {
    let mut partitions = voters.partitions().into_iter();
    partitions.find(|partition| partition.nodes.contains(&node_id(id)))
}

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) nodes: BTreeSet<u32>,
    pub(super) action: Action,
    pub(super) is_holder: bool,
    /// To every question that is to be asked.
    pub(super) ceph: CephSays,
}

impl Question {
    pub(super) fn of(node: u32, action: Action) -> Self {
        Self {
            nodes: BTreeSet::from([node]),
            action,
            is_holder: false,
            ceph: CephSays::Yes,
        }
    }

    pub(super) fn asks_ceph(&self, world: &World) -> bool {
        let nodes = self.nodes.iter().copied().map(node_name);
        let request = crate::gate::Request::of_nodes(nodes, self.action);
        crate::gate::ceph_asking(&world.scene(), &request).is_some()
    }

    pub(super) fn ask(&self, world: &World) -> crate::gate::Verdict {
        self.ask_by(world, node_name)
    }

    /// The same, where the nodes are called otherwise.
    pub(super) fn ask_by(
        &self,
        world: &World,
        called: impl Fn(u32) -> NodeName,
    ) -> crate::gate::Verdict {
        let nodes = self.nodes.iter().copied().map(called);
        let request = crate::gate::Request::of_nodes(nodes, self.action);
        let scene = world.scene();
        let answers = self.ceph.answers(&scene, &request);
        let scene = scene.with_ceph_answers(&answers);
        let found = crate::rule::findings(&scene);
        let judge = if self.is_holder {
            crate::gate::check_as_holder
        } else {
            crate::gate::check
        };
        judge(&scene, &found, &request)
    }
}
