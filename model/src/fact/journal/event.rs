//! What a line of the journal means. One variant = one thing that happened, with every value that the line states.
//! In JSON: `{"event":"bond_port_down","bond":"bond0","port":"eno1"}`.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::fact::bond::Duplex;
use crate::fact::link::BridgePortState;
use crate::name::{IfaceName, LinkNumber};
use crate::word::words;

/// Declares the events, and reads each from its JSON object, value by value: what serde derives for so many kinds is
/// 150 kB of the agent.
macro_rules! events {
    ($(#[$about:meta])* pub enum $name:ident {
        $($(#[$doc:meta])* $kind:ident $({ $($key:ident: $value:ty),+ })?,)+
    }) => {
        $(#[$about])*
        pub enum $name {
            $($(#[$doc])* $kind $({ $($key: $value),+ })?,)+
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let mut values = Values(Map::deserialize(deserializer)?);
                let word: String = values.take("event")?;
                $(if is_word_for(&word, stringify!($kind)) {
                    return Ok(Self::$kind $({ $($key: values.take(stringify!($key))?),+ })?);
                })+
                Err(D::Error::custom(format_args!("unknown event {word:?}")))
            }
        }
    };
}

/// What the JSON object of an event holds.
struct Values(Map<String, Value>);

impl Values {
    /// One that is not there is `null`.
    fn take<T: DeserializeOwned, E: Error>(&mut self, key: &str) -> Result<T, E> {
        let value = self.0.remove(key).unwrap_or_default();
        T::deserialize(value).map_err(|error| E::custom(format_args!("{key}: {error}")))
    }
}

/// `bond_port_down` is the word for `BondPortDown`.
fn is_word_for(word: &str, kind: &str) -> bool {
    let mut word = word.chars();
    let mut letters = kind.char_indices();
    let is_begun = letters.all(|(at, letter)| {
        let is_apart = at == 0 || letter.is_ascii_lowercase() || word.next() == Some('_');
        is_apart && word.next() == Some(letter.to_ascii_lowercase())
    });
    is_begun && word.next().is_none()
}

// A table: one thing a line.
#[rustfmt::skip]
events! {
    /// What happened. A value is `None` where some version of the program does not print it. No field is named like one
    /// of the entry's own (`pid`, `unit`, `priority`, …), because both stand in one JSON object.
    #[derive(Debug, Clone, PartialEq, Serialize)]
    #[serde(tag = "event", rename_all = "snake_case")]
    pub enum Event {
        // kernel: bonds
        BondPortDown { bond: IfaceName, port: IfaceName },
        /// The speed is `None` where the driver knows none; `0 Mbps` is how the kernel prints that.
        BondPortUp { bond: IfaceName, port: IfaceName, speed_mbps: Option<u32>, duplex: Option<Duplex> },
        /// Down delay has begun.
        BondPortGoingDown { bond: IfaceName, port: IfaceName, delay_ms: u32 },
        /// Up delay has begun.
        BondPortGoingUp { bond: IfaceName, port: IfaceName, delay_ms: u32 },
        /// The link came back within the down delay: nothing was lost.
        BondPortUpAgain { bond: IfaceName, port: IfaceName, after_ms: u32 },
        /// The link went away within the up delay.
        BondPortDownAgain { bond: IfaceName, port: IfaceName, after_ms: u32 },
        BondNoActivePort { bond: IfaceName },
        BondActivePortUp { bond: IfaceName },
        BondNewActivePort { bond: IfaceName, port: IfaceName },
        BondPortAdded { bond: IfaceName, port: IfaceName, backup: bool, link_up: bool },
        BondPortRemoved { bond: IfaceName, port: IfaceName },
        BondPortSpeedUnreadable { bond: IfaceName, port: IfaceName },
        /// No port of the bond hears LACP.
        BondNoLacpPartner { bond: IfaceName },
        /// The port hears its own LACP.
        BondPortLoopback { bond: IfaceName, port: IfaceName },

        // kernel: NICs
        NicLinkDown { iface: IfaceName, driver: Option<String> },
        NicLinkUp { iface: IfaceName, driver: Option<String>, speed_mbps: Option<u32>, duplex: Option<Duplex> },
        NicSpeedDowngraded { iface: IfaceName, driver: Option<String> },
        /// The link stays up while nothing leaves.
        NicHang { iface: IfaceName, driver: Option<String> },
        NicTransmitTimeout { iface: IfaceName, driver: Option<String>, queue: Option<u32>, after_ms: Option<u64> },
        NicReset { iface: IfaceName, driver: Option<String> },
        NicRenamed { iface: IfaceName, from: IfaceName, driver: Option<String> },

        // kernel: bridges
        BridgePortState { bridge: IfaceName, port: IfaceName, port_number: u32, state: BridgePortState },
        BridgeOwnAddress { bridge: Option<IfaceName>, port: IfaceName, address: Option<String>, vlan: Option<u32> },
        BridgeTopologyChange { bridge: IfaceName },

        // kernel: the node itself
        KernelStarted { version: String },
        /// softdog, or a hardware watchdog, resets the node now.
        WatchdogReset,
        /// The device was closed without being stopped: the reset follows.
        WatchdogNotStopped { device: String },
        TaskHung { task: String, task_pid: u32, seconds: u64 },
        CpuStuck { cpu: u32, seconds: u64 },
        OutOfMemoryKill { task: String, task_pid: u32 },

        // corosync: knet
        KnetLinkDown { node_id: u32, link: LinkNumber },
        KnetLinkUp { node_id: u32, link: LinkNumber },
        KnetNoActiveLinks { node_id: u32 },
        KnetActiveLinks { node_id: u32, links: u32 },
        KnetBestLink { node_id: u32, link: LinkNumber, link_priority: u32 },
        /// Said once only: the path swallows packets that the kernel thinks fit.
        KnetMtuMisconfigured { node_id: u32, link: LinkNumber, kernel_mtu_bytes: u32 },
        KnetLinkMtu { node_id: u32, link: LinkNumber, from_bytes: u32, to_bytes: u32 },
        KnetDataMtu { mtu_bytes: u32 },
        KnetMtuReset { node_id: u32, link: LinkNumber },
        KnetPacketRejected { from: String },

        // corosync 2: rings
        RingFaulty { ring: LinkNumber, address: String },
        RingRecovered { ring: LinkNumber },

        // corosync: totem
        TotemTokenLate { after_ms: u32 },
        /// The times are `None` before corosync 3.
        TotemProcessorFailed { token_ms: Option<u32>, consensus_ms: Option<u32> },
        TotemConsensusTimeout { after_ms: Option<u32> },
        TotemTokenLost { state: String },
        /// The sequence numbers are hexadecimal, as printed.
        TotemRetransmit { messages: u32, list: Vec<String> },
        TotemFailedToReceive,
        TotemMembership { ring_id: String, joined: Vec<u32>, left: Vec<u32> },
        /// These left without saying so.
        TotemLeaveMessageMissed { failed: Vec<u32> },
        TotemPause { pause_ms: u64 },
        TotemInterfaceDown,
        TotemInterfaceUp { address: String },
        TotemCannotForm { why: String },

        // corosync: quorum and votequorum
        QuorumGained,
        QuorumLost,
        QuorumActivityBlocked,
        QuorumActivityResumed,
        /// `total` is larger than the list where corosync breaks the list over several lines.
        QuorumMembers { total: u32, members: Vec<u32> },
        SyncMembers { total: u32, members: Vec<u32> },
        SyncJoined { total: u32, members: Vec<u32> },
        SyncLeft { total: u32, members: Vec<u32> },
        WaitingForAllNodes { votes: u32, expected_votes: u32 },
        WaitForAllReset { node_id: u32 },
        QdeviceAwaited { name: String, at_most_ms: u32 },
        QdeviceContactLost { name: String },
        /// corosync-qdevice itself: its server does not answer.
        QdeviceServerLost { why: String },

        // corosync: the process and its configuration
        CorosyncStarted { version: Option<String> },
        CorosyncSynchronized,
        CorosyncNotScheduled { pause_ms: f64, threshold_ms: Option<f64> },
        CorosyncShutDownBySignal,
        CorosyncExiting { status: Option<i32> },
        /// A clean leave: an admin, a restart of the service, or the node's own shutdown.
        NodeShutDownByAdmin { node_id: u32 },
        CorosyncKilledByNode { node_id: u32, why: String },
        ConfigReload { node_id: u32 },
        /// corosync exits on this.
        ConfigVersionDiffers { received: u64, own: u64 },
        ConfigVersionReceived { version: u64, node_id: u32 },
        /// The file says one address, the running corosync keeps the other.
        ConfigAddressIgnored { link: LinkNumber, running: Option<String>, configured: Option<String> },
        ConfigKeyIgnored { key: String },

        // pmxcfs; `domain` is its part that speaks: status, dcdb, quorum, confdb, main
        PmxcfsQuorumLost,
        PmxcfsQuorumGained,
        PmxcfsWriteWithoutQuorum { domain: Option<String> },
        PmxcfsSendFailed { domain: Option<String>, error: String },
        PmxcfsSendRetry { domain: Option<String>, retry: u32 },
        PmxcfsSendRetried { domain: Option<String>, times: u32 },
        PmxcfsJoinFailed { domain: Option<String>, error: String },
        PmxcfsJoinRetry { domain: Option<String>, retry: u32 },
        /// Another call to corosync failed: mostly because corosync is not there.
        PmxcfsCallFailed { domain: Option<String>, call: String, error: String },
        PmxcfsMembers { domain: Option<String>, members: Vec<CpgMember> },
        PmxcfsSyncStarted { domain: Option<String> },
        PmxcfsSynced { domain: Option<String>, members: Vec<CpgMember> },
        PmxcfsUpToDate { domain: Option<String> },
        PmxcfsLeftGroup { domain: Option<String> },
        PmxcfsChecksumDiffers { domain: Option<String> },
        PmxcfsClusterConfig { name: String, version: u64 },

        // pve-ha-lrm and pve-ha-crm
        HaStatusChange { daemon: HaDaemon, from: String, to: String },
        HaLockAcquired { daemon: HaDaemon, lock: String },
        HaLockLost { daemon: HaDaemon, lock: String, why: Option<String> },
        /// This node gives up its lock, so that the others may fence it: its watchdog will run out.
        HaFenceSelf { daemon: HaDaemon },
        HaFencing { node: String },
        HaFenced { node: String },
        HaNodeState { node: String, from: String, to: String },
        HaServiceState { service: String, from: String, to: String },
        HaWatchdogOpened { daemon: HaDaemon },
        HaWatchdogClosed { daemon: HaDaemon },
        HaIdle { daemon: HaDaemon },
        HaLoopSlow { daemon: HaDaemon, seconds: u64 },
        /// `shutdown`, `reboot` or `restart`, in the LRM's words.
        HaShutdown { action: String },
        HaShutdownPolicy { policy: String },
        HaStatusWriteFailed { daemon: HaDaemon, why: String },

        // watchdog-mux; the client's pid is printed since ha-manager 5.1.2
        WatchdogAboutToExpire { client_pid: Option<u32> },
        WatchdogUpdatedInTime { client_pid: Option<u32> },
        WatchdogExpired { client_pid: Option<u32> },
        WatchdogClientDidNotStop { client_pid: Option<u32> },
        WatchdogClientAdded { client_pid: Option<u32> },
        WatchdogClientsClosed,
        WatchdogUpdateFailed { why: String },
        WatchdogMuxStarted { device: String, version: String },
        /// The reset follows.
        WatchdogMuxExitActive,
        WatchdogMuxExitClean,

        // systemd
        NodeGoingDown { action: PowerAction },
        NodeStarted,
        UnitStarted { of_unit: String },
        UnitStopping { of_unit: String },
        UnitStopped { of_unit: String },
        UnitExited { of_unit: String, code: String, status: String },
        UnitFailed { of_unit: String, result: Option<String> },

        /// A relevant program said something that no rule here knows, or that could not be read.
        Other,
    }
}

/// A member of a process group of corosync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpgMember {
    pub node_id: u32,
    pub pid: u32,
}

words! {
    pub enum HaDaemon { Lrm = "lrm", Crm = "crm" }
}

words! {
    /// What systemd is about to do with the node.
    pub enum PowerAction {
        /// It does not say what follows.
        ShutDown = "shut_down",
        Reboot = "reboot",
        PowerOff = "power_off",
        Halt = "halt",
        Kexec = "kexec",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let read: Result<Event, _> = serde_json::from_str(json);
        let said = read.map_or_else(|error| error.to_string(), |event| format!("{event:?}"));
        assert_eq!(said, expected);
    }

    #[test]
    fn an_event_is_read_whole_or_refused_by_the_name_of_what_is_wrong() {
        check(r#"{"event":"quorum_lost"}"#, "QuorumLost");
        check(
            r#"{"node_id":7,"event":"wait_for_all_reset","newer":1}"#,
            "WaitForAllReset { node_id: 7 }",
        );
        check(
            r#"{"event":"watchdog_expired"}"#,
            "WatchdogExpired { client_pid: None }",
        );
        check(
            r#"{"event":"wait_for_all_reset"}"#,
            "node_id: invalid type: null, expected u32",
        );
        for word in [
            "QuorumLost",
            "quorumlost",
            "quorum_lost_",
            "_quorum_lost",
            "quorum__lost",
        ] {
            let expected = format!("unknown event {word:?}");
            check(&format!(r#"{{"event":"{word}"}}"#), &expected);
        }
        check("{}", "event: invalid type: null, expected a string");
        check(
            "[]",
            "invalid type: sequence, expected a map at line 1 column 0",
        );
    }
}
