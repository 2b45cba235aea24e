//! What stands in the machine room: switches, nodes with their cards, and what is on or off of it.

use std::collections::{BTreeMap, BTreeSet};

use model::fact::bond::BondMode;
use model::fact::journal::JournalEvent;

/// Until a node that has power again runs corosync and its agent.
const BOOT_MS: u64 = 90_000;
/// An orderly stop: guests first, then corosync, then the rest.
const STOPPING_MS: u64 = 60_000;

/// A port of a node.
pub(crate) type PortId = (u32, String);

/// How nodes are built: all alike but for where their cables go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    pub(crate) bonds: Vec<BondShape>,
    /// Bridge, what it stands on, and whether it knows VLANs.
    pub(crate) bridges: Vec<(String, String, bool)>,
    /// `bond0.50` on `bond0`.
    pub(crate) vlans: Vec<(String, String)>,
    pub(crate) links: Vec<LinkShape>,
    pub(crate) agents_over: String,
    pub(crate) mbps: BTreeMap<String, u32>,
}

#[derive(Debug, Clone)]
pub(crate) struct BondShape {
    pub(crate) name: String,
    pub(crate) mode: BondMode,
    pub(crate) is_fast: bool,
    pub(crate) ports: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct LinkShape {
    pub(crate) number: u8,
    pub(crate) iface: String,
    pub(crate) is_v6: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Switch {
    pub(crate) has_power: bool,
    pub(crate) is_mute: bool,
    pub(crate) power_at_ms: Option<u64>,
    /// What it calls itself by LACP: its own, or that of its pair.
    pub(crate) system: String,
    pub(crate) chassis: String,
    /// Frames over so many bytes are dropped.
    pub(crate) passes_bytes: u32,
}

/// What one port of a switch is set to. It keeps that when another cable is put into it.
#[derive(Debug, Clone)]
pub(crate) struct SwitchPort {
    pub(crate) switch: String,
    /// The network of untagged frames, by the interface that it was made for.
    pub(crate) network: String,
    pub(crate) is_in_group: bool,
    pub(crate) vlans_removed: BTreeSet<u16>,
    /// Another LACP system than the switch's.
    pub(crate) system: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Card {
    pub(crate) has_cable: bool,
    /// The port of a switch at the other end, named by whose it was in the beginning.
    pub(crate) plug: PortId,
    pub(crate) is_hung: bool,
    pub(crate) mbps: u32,
    pub(crate) mtu_bytes: u32,
    /// Since when it has carrier, or has not.
    pub(crate) carrier: bool,
    pub(crate) carrier_since_ms: u64,
    /// Since when LACP is answered there, or is not.
    pub(crate) is_answered: bool,
    /// Until then what was heard agreed with that.
    pub(crate) agreed_until_ms: u64,
    pub(crate) answered_since_ms: u64,
    /// What it is called in its node.
    pub(crate) name: String,
    pub(crate) flaps: Option<Flaps>,
}

#[derive(Debug, Clone)]
pub(crate) struct Flaps {
    pub(crate) left: u32,
    pub(crate) every_ms: u64,
    pub(crate) next_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    Off,
    /// Until then nothing of it is heard.
    Booting {
        until_ms: u64,
    },
    Running,
    Stopping {
        until_ms: u64,
        is_reboot: bool,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) id: u32,
    pub(crate) power: Power,
    pub(crate) boot: u32,
    pub(crate) agent_runs: bool,
    pub(crate) corosync_runs: bool,
    /// It was stopped by hand, and does not start by itself until the next boot.
    pub(crate) corosync_at_ms: Option<u64>,
    pub(crate) cards: BTreeMap<String, Card>,
    pub(crate) is_armed: bool,
    pub(crate) config_version: u64,
    pub(crate) running_version: u64,
    pub(crate) vlans_missing: Vec<(String, u16, u16)>,
    pub(crate) captured: Option<(u8, String)>,
    pub(crate) retransmits: u64,
    pub(crate) lacking: BTreeSet<String>,
    pub(crate) renamed_at_boot: Vec<(String, String)>,
    pub(crate) journal: Vec<JournalEvent>,
    /// Of each bond that uses one port at a time.
    pub(crate) active: BTreeMap<String, String>,
    /// What `/etc/pve` says of HA: when it was written last, on the story's clock.
    pub(crate) pve_written_ms: u64,
    pub(crate) without_quorum_since_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Reached over any switch.
    Outside,
    At(String),
    /// A guest of this node.
    On(u32),
}

#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) shape: Shape,
    pub(crate) switches: BTreeMap<String, Switch>,
    pub(crate) ports: BTreeMap<PortId, SwitchPort>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) has_lldp: bool,
    pub(crate) collector: Place,
    pub(crate) collector_is_cut: bool,
    pub(crate) qdevice: Option<Place>,
    pub(crate) qdevice_is_away: bool,
    pub(crate) token_ms: u64,
    pub(crate) consensus_ms: u64,
    /// From, to, link: nothing passes this way.
    pub(crate) cut_paths: BTreeSet<(u32, u32, u8)>,
}

impl Site {
    pub(crate) fn node(&mut self, id: u32) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.id == id).unwrap()
    }

    pub(crate) fn card(&mut self, (id, iface): &PortId) -> Option<&mut Card> {
        self.node(*id).cards.get_mut(iface)
    }

    /// What has power, what runs, and which cables are in.
    pub(crate) fn on_and_off(&self) -> Vec<bool> {
        let nodes = self.nodes.iter().flat_map(|node| {
            let cables = node.cards.values().map(|card| card.has_cable);
            [node.has_power(), node.agent_runs, node.corosync_runs]
                .into_iter()
                .chain(cables)
        });
        self.switches
            .values()
            .map(|switch| switch.has_power)
            .chain(nodes)
            .collect()
    }

    /// What is due by itself: boots, stops, switches that come back, ports that flap.
    pub(crate) fn passes(&mut self, now_ms: u64) {
        for switch in self.switches.values_mut() {
            if switch.power_at_ms.is_some_and(|at| now_ms >= at) {
                switch.power_at_ms = None;
                switch.has_power = true;
            }
        }
        for node in &mut self.nodes {
            node.passes(now_ms);
        }
    }
}

impl Node {
    fn passes(&mut self, now_ms: u64) {
        match self.power {
            Power::Stopping {
                until_ms,
                is_reboot,
            } => {
                // corosync leaves in its turn, and then the agent is stopped.
                if now_ms + 10_000 >= until_ms {
                    self.corosync_runs = false;
                }
                if now_ms + 5_000 >= until_ms {
                    self.agent_runs = false;
                }
                if now_ms >= until_ms {
                    self.power = Power::Off;
                    if is_reboot {
                        self.start(now_ms);
                    }
                }
            }
            Power::Booting { until_ms } if now_ms >= until_ms => {
                self.power = Power::Running;
                (self.agent_runs, self.corosync_runs) = (true, true);
            }
            Power::Off | Power::Booting { .. } | Power::Running => {}
        }
        if self.corosync_at_ms.is_some_and(|at| now_ms >= at) {
            self.corosync_at_ms = None;
            self.corosync_runs = true;
        }
        for card in self.cards.values_mut() {
            if let Some(flaps) = card.flaps.as_mut().filter(|flaps| now_ms >= flaps.next_ms) {
                flaps.left -= 1;
                flaps.next_ms = now_ms + flaps.every_ms;
                card.has_cable = !card.has_cable;
                if flaps.left == 0 {
                    card.flaps = None;
                }
            }
        }
    }

    pub(crate) fn name(&self) -> String {
        format!("pve-{:02}", self.id)
    }

    pub(crate) fn has_power(&self) -> bool {
        self.power != Power::Off
    }

    pub(crate) fn loses_power(&mut self) {
        self.power = Power::Off;
        (self.agent_runs, self.corosync_runs) = (false, false);
    }

    pub(crate) fn start(&mut self, now_ms: u64) {
        self.power = Power::Booting {
            until_ms: now_ms + BOOT_MS,
        };
        self.boot += 1;
        self.journal.clear();
        self.running_version = self.config_version;
        for (from, to) in std::mem::take(&mut self.renamed_at_boot) {
            if let Some(card) = self.cards.get_mut(&from) {
                card.name = to;
            }
        }
    }

    pub(crate) fn stop(&mut self, now_ms: u64, is_reboot: bool) {
        let until_ms = now_ms + STOPPING_MS;
        self.power = Power::Stopping {
            until_ms,
            is_reboot,
        };
    }
}
