//! A switch dies, and every node has a thousand lines to tell of it in the same second: one cause, all of its history,
//! and no more memory than before.

use std::collections::BTreeSet;
use std::time::Duration;

use proto::v1;
use quorate_tests::{PATIENCE, Program, Speaker, wait_until};

use crate::alone;
use crate::stage::{CLUSTER, NODES, SPEAKER, Stage};

const LINES: u64 = 1_000;
const LINK: usize = 1;
const ROOT: (&str, &str) = ("corosync-network-down", "corosync network 1");
/// Eight reports, eight thousand lines on their way, and what they are written with; a mailbox alone may hold 16 MiB.
const MOST_GROWN_KIB: u64 = 64 << 10;
/// Until what opened while the cluster formed is over.
const SETTLED: Duration = Duration::from_secs(300);

/// The memory that is the collector's own, its share of what it shares included.
fn pss_kib(collector: &Program) -> u64 {
    let rollup =
        std::fs::read_to_string(format!("/proc/{}/smaps_rollup", collector.pid())).unwrap();
    let line = rollup
        .lines()
        .find(|line| line.starts_with("Pss:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn open(incidents: &[v1::Incident]) -> Vec<&v1::Incident> {
    let open = incidents.iter();
    open.filter(|incident| incident.closed_unix_ms.is_none())
        .collect()
}

#[test]
fn a_dying_switch_is_one_incident_its_whole_history_is_kept_and_memory_is_bounded() {
    let _alone = alone();
    let mut stage = Stage::set(1);
    stage.rack.wait_for_cluster().unwrap();
    let told = stage.silence();
    stage.check_events(&told);
    let calm = wait_until("what the start left to be over", SETTLED, || {
        let incidents = stage.collector.incidents(&stage.rack, CLUSTER)?;
        let is_over = open(&incidents)
            .iter()
            .all(|incident| !incident.rule.starts_with("corosync-link"));
        Ok(is_over.then_some(incidents))
    });
    let before: BTreeSet<u64> = open(&calm.unwrap())
        .iter()
        .map(|incident| incident.number)
        .collect();
    let collector = stage.collector.program().unwrap();
    let before_kib = pss_kib(collector);
    stage.rack.kill_switch(LINK).unwrap();
    let nodes: Vec<String> = stage
        .agents
        .iter()
        .map(|agent| agent.node().to_owned())
        .collect();
    for node in &nodes {
        let speaker = Speaker::start_flood(&stage.rack, node, SPEAKER, LINES).unwrap();
        stage.speakers.push(speaker);
    }
    let (mut most_kib, mut last) = (before_kib, Vec::new());
    let one = wait_until("one cause", PATIENCE, || {
        most_kib = most_kib.max(pss_kib(stage.collector.program()?));
        last = stage.collector.incidents(&stage.rack, CLUSTER)?;
        let new = open(&last)
            .into_iter()
            .filter(|incident| !before.contains(&incident.number));
        let roots: Vec<_> = new.filter(|incident| incident.cause.is_none()).collect();
        let is_one = roots.len() == 1
            && roots
                .iter()
                .all(|root| (root.rule.as_str(), root.subject.as_str()) == ROOT);
        Ok(is_one.then_some(()))
    });
    assert!(one.is_ok(), "{one:?}: {last:#?}");
    for speaker in &stage.speakers {
        speaker.wait_for_all().unwrap();
    }
    let written = stage.silence();
    assert!(written.values().all(|lines| *lines == LINES), "{written:?}");
    stage.check_flood(&told, LINES, || {
        most_kib = most_kib.max(pss_kib(stage.collector.program().unwrap()))
    });
    let after_kib = pss_kib(stage.collector.program().unwrap());
    most_kib = most_kib.max(after_kib);
    assert!(
        most_kib <= before_kib + MOST_GROWN_KIB,
        "{before_kib} KiB before, and {most_kib} in the flood"
    );
    eprintln!(
        "{NODES} nodes, {LINES} lines each: one cause, every line once; PSS {before_kib} KiB before, {most_kib} at most, \
         {after_kib} after"
    );
}
