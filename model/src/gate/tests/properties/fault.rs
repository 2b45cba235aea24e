//! One thing that is not as it always is, and how its node tells of it.

use super::super::{guest, task};
use super::situation::{Situation, guest_of};
use crate::cluster::testing::{known, node_name, value};
use crate::fact::bond::MiiStatus;
use crate::fact::boot::FileSystem;
use crate::fact::cmap::{Cmap, CmapValue};
use crate::fact::guests::{Lock, Passthrough};
use crate::fact::ha::{Ha, HaService, LrmMode, LrmState, LrmStatus, ManagerStatus, ServiceState};
use crate::fact::ha_config::{Datacenter, HaConfig};
use crate::fact::power::PowerState;
use crate::fact::tasks::TaskKind;
use crate::reading::Reading;
use crate::report::{Family, NodeReport};

#[derive(Debug, Clone)]
pub(super) enum Fault {
    Power {
        on: u32,
        state: PowerState,
    },
    /// One port of its bond.
    PortDown(u32),
    /// Its second way to all others.
    LinkDown(u32),
    /// These two do not hear each other over the first link.
    PairCut(u32, u32),
    Task {
        on: u32,
        kind: TaskKind,
        alive: Option<bool>,
    },
    /// Its guest has a lock.
    Held(u32),
    MoreGuests(u32),
    /// Its guest is a service of HA.
    Service {
        on: u32,
        state: ServiceState,
        /// It holds a device of the host.
        is_tied: bool,
    },
    DiskFull(u32),
    /// It says that it has no quorum, among members that say that they have.
    SaysNoQuorum(u32),
    /// Forming anew takes half a minute.
    SlowToken,
    OldBackups(u32),
    Lost {
        on: u32,
        family: Family,
        is_failed: bool,
    },
}

impl Fault {
    /// The node that tells of it, if it is one alone.
    pub(super) fn on(&self) -> Option<u32> {
        match self {
            Self::Power { on, .. }
            | Self::PortDown(on)
            | Self::Task { on, .. }
            | Self::Held(on)
            | Self::MoreGuests(on)
            | Self::Service { on, .. }
            | Self::DiskFull(on)
            | Self::SaysNoQuorum(on)
            | Self::OldBackups(on)
            | Self::Lost { on, .. } => Some(*on),
            Self::LinkDown(_) | Self::PairCut(..) | Self::SlowToken => None,
        }
    }

    /// What this node tells because of it.
    pub(super) fn tell(&self, situation: &Situation, id: u32, report: &mut NodeReport) {
        match self {
            Self::LinkDown(on) => link_down(*on, id, report),
            Self::PairCut(one, other) if id == *one => cut(report, 0, Some(*other)),
            Self::PairCut(one, other) if id == *other => cut(report, 0, Some(*one)),
            Self::Service { on, state, is_tied } => {
                service(situation, *on, state, report);
                if *is_tied && id == *on {
                    tie(report);
                }
            }
            Self::SlowToken => report.cmap = known(slow_token()),
            _ if self.on() == Some(id) => self.tell_own(report),
            _ => {}
        }
    }

    fn tell_own(&self, report: &mut NodeReport) {
        match self {
            Self::Power { state, .. } => {
                if let Some(power) = known_mut(&mut report.power) {
                    power.state = *state;
                }
            }
            Self::PortDown(_) => port_down(report),
            Self::Task { kind, alive, .. } => {
                if let Some(tasks) = known_mut(&mut report.tasks) {
                    tasks.running.push(task(kind.clone(), *alive));
                }
            }
            Self::Held(_) => {
                let guest = known_mut(&mut report.guests).and_then(|it| it.here.first_mut());
                if let Some(config) = guest.and_then(|guest| guest.config.as_mut()) {
                    config.lock = Some(Lock::Migrate);
                }
            }
            Self::MoreGuests(on) => {
                if let Some(guests) = known_mut(&mut report.guests) {
                    let more = (1..=3).map(|nth| guest(guest_of(*on) + nth * 100));
                    guests.here.extend(more);
                }
            }
            Self::DiskFull(_) => {
                if let Some(boot) = known_mut(&mut report.boot) {
                    boot.file_systems = Some(vec![FileSystem {
                        mount_point: "/".to_owned(),
                        used_percent: Some(100),
                        ..FileSystem::default()
                    }]);
                }
            }
            Self::SaysNoQuorum(_) => {
                if let Some(corosync) = known_mut(&mut report.corosync) {
                    corosync.quorate = Some(false);
                }
            }
            Self::OldBackups(_) => {
                if let Some(tasks) = known_mut(&mut report.tasks) {
                    tasks.backups = None;
                }
            }
            Self::Lost {
                family, is_failed, ..
            } => {
                report.replace(if *is_failed {
                    family.failed("it could not be read".to_owned())
                } else {
                    family.never_heard()
                });
            }
            Self::LinkDown(_) | Self::PairCut(..) | Self::Service { .. } | Self::SlowToken => {}
        }
    }
}

/// What is known, to be changed; a reading that another fault took away stays away.
pub(super) fn known_mut<T>(reading: &mut Reading<T>) -> Option<&mut T> {
    matches!(reading, Reading::Known { .. }).then(|| value(reading))
}

fn port_down(report: &mut NodeReport) {
    if let Some(links) = known_mut(&mut report.links) {
        links[0].carrier = Some(false);
    }
    if let Some(bonds) = known_mut(&mut report.bonds) {
        bonds[0].slaves[0].mii_status = Some(MiiStatus::Down);
    }
}

fn link_down(on: u32, id: u32, report: &mut NodeReport) {
    if id != on {
        cut(report, 1, Some(on));
        return;
    }
    cut(report, 1, None);
    if let Some(links) = known_mut(&mut report.links) {
        links[2].carrier = Some(false);
    }
}

/// It does not hear this peer over the link any more, or none of them.
fn cut(report: &mut NodeReport, link: usize, peer: Option<u32>) {
    let links = known_mut(&mut report.corosync).and_then(|it| it.links.as_mut());
    let link = links.and_then(|links| links.get_mut(link));
    let peers = link.and_then(|link| link.peers.as_mut());
    for row in peers.into_iter().flatten() {
        if peer.is_none_or(|peer| peer == row.node_id) {
            row.connected = Some(false);
        }
    }
}

fn tie(report: &mut NodeReport) {
    let guest = known_mut(&mut report.guests).and_then(|it| it.here.first_mut());
    if let Some(config) = guest.and_then(|guest| guest.config.as_mut()) {
        config.passthrough = vec![Passthrough {
            slot: "hostpci0".to_owned(),
            mapping: None,
            device: Some("0000:01:00.0".to_owned()),
        }];
    }
}

/// All nodes read the same files of HA.
fn service(situation: &Situation, on: u32, state: &ServiceState, report: &mut NodeReport) {
    if report.ha == Reading::Absent {
        report.ha = known(without_services(situation));
    }
    let Some(ha) = known_mut(&mut report.ha) else {
        return;
    };
    let service = HaService {
        node: Some(node_name(on)),
        state: Some(state.clone()),
        ..HaService::default()
    };
    let services = ha
        .manager
        .as_mut()
        .and_then(|it| it.service_status.as_mut());
    services
        .unwrap()
        .insert(format!("vm:{}", guest_of(on)), service);
    ha.lrm.get_mut(&node_name(on)).unwrap().state = Some(LrmState::Active);
}

fn without_services(situation: &Situation) -> Ha {
    let lrm = |id: u32| {
        let status = LrmStatus {
            mode: Some(LrmMode::Active),
            state: Some(LrmState::WaitForAgentLock),
            timestamp: Some(jiff::Timestamp::UNIX_EPOCH),
            ..LrmStatus::default()
        };
        (node_name(id), status)
    };
    Ha {
        lrm: (1..=situation.nodes).map(lrm).collect(),
        manager: Some(ManagerStatus {
            service_status: Some([].into()),
            ..ManagerStatus::default()
        }),
        config: HaConfig {
            datacenter: Some(Datacenter {
                shutdown_policy: situation.policy.clone(),
                ..Datacenter::default()
            }),
            ..HaConfig::default()
        },
        ..Ha::default()
    }
}

fn slow_token() -> Cmap {
    let key = |name: &str, ms| (format!("runtime.config.totem.{name}"), CmapValue::U64(ms));
    Cmap {
        keys: [key("token", 15_000), key("consensus", 18_000)].into(),
    }
}
