//! A collector is lost and put back from a backup that was made while events arrived: what was kept and decided up to the
//! backup is there under its numbers, nodes go on, and what was acknowledged since and is gone is told as missing.
//!
//! Needs root, corosync, iproute2, util-linux and systemd's journald.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "all of this is tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use proto::v1;
use proto::v1::event::Event as Kind;
use quorate_tests::{
    Agent, Collector, History, Journal, PATIENCE, Rack, Speaker, give_cluster_id, wait_until,
};

const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const NODES: usize = 3;
const LINKS: usize = 2;
const SPEAKER: &str = "pmxcfs";
const BACKUP: &str = "/var/lib/quorate/backup.tar";
const STATE: &str = "/var/lib/quorate/collector";
const LOST: &str = "/var/lib/quorate/lost";
const PULLED: &str = "pve-02";
/// Events of all nodes between two steps of the story.
const SOME: usize = 200;

struct Stage {
    rack: Rack,
    collector: Collector,
    _agents: Vec<Agent>,
    _journals: Vec<Journal>,
    speakers: Vec<Speaker>,
}

impl Stage {
    fn set() -> Self {
        let mut rack = Rack::new(NODES, LINKS).unwrap();
        give_cluster_id(&rack, CLUSTER).unwrap();
        let collector = Collector::start(&mut rack, LINKS).unwrap();
        let agents = Agent::on_every_node(&rack, &collector).unwrap();
        let (journals, agents): (Vec<_>, Vec<_>) = agents.into_iter().unzip();
        let speaker = |node| Speaker::start(&rack, node, SPEAKER).unwrap();
        let speakers = rack.nodes().map(speaker).collect();
        Self {
            rack,
            collector,
            _agents: agents,
            _journals: journals,
            speakers,
        }
    }

    fn events(&self) -> Vec<v1::KeptEvent> {
        self.collector.events(&self.rack, CLUSTER).unwrap()
    }

    fn incidents(&self) -> Vec<v1::Incident> {
        self.collector.incidents(&self.rack, CLUSTER).unwrap()
    }

    /// The next so many events are kept.
    fn wait_for_more(&self) {
        let before = self.events().len();
        let more = wait_until("more events", PATIENCE, || {
            Ok((self.events().len() >= before + SOME).then_some(()))
        });
        more.unwrap();
    }

    /// The number of the open incident about the node whose cable is pulled.
    fn told(&self) -> u64 {
        let told = wait_until("the cable's incident", PATIENCE, || {
            let open = self
                .incidents()
                .into_iter()
                .filter(|told| told.closed_unix_ms.is_none());
            let mut told =
                open.filter(|told| told.rule == "corosync-link-down" && told.subject == PULLED);
            Ok(told.next().map(|told| told.number))
        });
        told.unwrap()
    }

    /// The collector's machine is lost, and another one begins with the backup.
    fn lose_and_restore(&mut self) {
        self.collector.kill().unwrap();
        let (state, lost) = (self.path(STATE), self.path(LOST));
        fs::rename(state, lost).unwrap();
        let said = self
            .collector
            .command(&self.rack, &["restore", BACKUP])
            .unwrap();
        assert!(said.contains("Start it with"), "{said}");
        self.collector.run(&self.rack).unwrap();
        wait_until("all nodes to be connected", PATIENCE, || {
            let status = self.collector.status(&self.rack)?;
            let nodes = status["clusters"][0]["nodes"].as_array();
            let connected = nodes
                .into_iter()
                .flatten()
                .filter(|node| node["standing"] == "connected");
            Ok((connected.count() == NODES).then_some(()))
        })
        .unwrap();
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.rack.path(self.collector.station(), path).unwrap()
    }
}

/// Of each spool every number is there once: as an event, or told as missing. Gives how many are missing.
fn check_rows(events: &[v1::KeptEvent]) -> u64 {
    let mut next: BTreeMap<(&str, &[u8]), u64> = BTreeMap::new();
    let mut missing = 0;
    for kept in events {
        let event = kept.event.as_ref().unwrap();
        let key = (kept.node.as_str(), kept.spool_id.as_slice());
        let expected = next.entry(key).or_insert(1);
        assert_eq!(event.number, *expected, "of {} in its order", kept.node);
        *expected = 1 + match &event.event {
            Some(Kind::Missing(row)) => {
                missing += row.count;
                row.last
            }
            _ => event.number,
        };
    }
    missing
}

#[test]
fn a_collector_that_is_put_back_from_a_backup_goes_on_where_that_was_made_and_tells_what_is_missing()
 {
    let mut stage = Stage::set();
    stage.rack.wait_for_cluster().unwrap();
    stage.wait_for_more();
    stage.rack.cut_cable(PULLED, 1).unwrap();
    let number = stage.told();
    let before = stage.events();
    let incidents = stage.incidents();
    let said = stage
        .collector
        .command(&stage.rack, &["backup", BACKUP])
        .unwrap();
    assert!(said.contains("keep it secret"), "{said}");
    let mode = stage.path(BACKUP).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = stage.collector.command(&stage.rack, &["backup", BACKUP]);
    assert!(again.unwrap_err().to_string().contains("is there already"));
    // These are acknowledged, and their agents may have let them go.
    stage.wait_for_more();

    stage.lose_and_restore();
    let mut history = History::default();
    history.look(&incidents).unwrap();
    history.look(&stage.incidents()).unwrap();
    assert_eq!(stage.told(), number, "it has its number still");
    let after = stage.events();
    let key = |kept: &v1::KeptEvent| (kept.place, kept.node.clone(), kept.event.clone());
    let (before, kept): (Vec<_>, Vec<_>) = (
        before.iter().map(key).collect(),
        after.iter().map(key).collect(),
    );
    assert!(
        kept.starts_with(&before),
        "what was kept before the backup is kept"
    );
    stage.wait_for_more();
    stage.rack.plug_cable(PULLED, 1).unwrap();
    let over = wait_until("the incident to be over", PATIENCE, || {
        let incidents = stage.incidents();
        history.look(&incidents)?;
        let told = incidents.iter().find(|told| told.number == number);
        Ok(told.and_then(|told| told.closed_unix_ms))
    });
    over.unwrap();
    let written: Vec<u64> = stage
        .speakers
        .drain(..)
        .map(|speaker| speaker.stop().unwrap())
        .collect();
    let events = stage.events();
    let missing = check_rows(&events);
    eprintln!(
        "{} events before the backup, {} in the end, {missing} told as missing; {written:?} lines",
        before.len(),
        events.len()
    );
}
