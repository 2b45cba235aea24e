use std::sync::Arc;

use model::fact::corosync::Corosync;
use model::fact::corosync_conf::{ConfNode, CorosyncConf, CorosyncConfFiles, Totem};
use model::fleet::Hearing;
use model::reading::{Problem, Reading};
use model::report::{Fact, Family};
use proto::fact::ReadFact;

use super::*;
use crate::keeper::Own;
use crate::keeper::view::{AgedFact, ClusterView, NodeView};

const ALL: [&str; 3] = ["pve-01", "pve-02", "pve-03"];
const LEFT: [&str; 2] = ["pve-01", "pve-02"];

fn now() -> Now {
    Now {
        mono_ms: 1_000_000,
        unix_ms: 1_800_000_000_000,
    }
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn set(list: &[&str]) -> BTreeSet<NodeName> {
    list.iter().copied().map(name).collect()
}

fn aged(fact: Fact, age_ms: i64) -> AgedFact {
    let fact = ReadFact {
        fact: Arc::new(fact),
        read_at_boottime_ms: 1,
    };
    AgedFact {
        fact: Arc::new(fact),
        read_at_ms: now().mono_ms.cast_signed() - age_ms,
    }
}

fn known<T>(value: T) -> Reading<T> {
    Reading::Known {
        value,
        at: Timestamp::UNIX_EPOCH,
        problems: Vec::new(),
    }
}

/// What one node reports.
#[derive(Clone)]
struct Says {
    hearing: Hearing,
    quorate: Option<bool>,
    quorate_age_ms: i64,
    conf_age_ms: i64,
    version: u64,
    list: Vec<&'static str>,
    problems: Vec<Problem>,
}

fn says(version: u64, list: &[&'static str]) -> Says {
    Says {
        hearing: Hearing::Connected,
        quorate: Some(true),
        quorate_age_ms: 1_000,
        conf_age_ms: 1_000,
        version,
        list: list.to_vec(),
        problems: Vec::new(),
    }
}

fn node(says: &Says) -> Arc<NodeView> {
    let corosync = Corosync {
        quorate: says.quorate,
        ..Corosync::default()
    };
    let nodes = says.list.iter().map(|name| ConfNode {
        name: Some((*name).to_owned()),
        ..ConfNode::default()
    });
    let conf = CorosyncConf {
        totem: Totem {
            config_version: Some(says.version),
            ..Totem::default()
        },
        nodes: nodes.collect(),
        ..CorosyncConf::default()
    };
    let conf = Reading::Known {
        value: CorosyncConfFiles {
            cluster: Some(conf),
            local: None,
        },
        at: Timestamp::UNIX_EPOCH,
        problems: says.problems.clone(),
    };
    let facts = BTreeMap::from([
        (
            Family::Corosync,
            aged(Fact::Corosync(known(corosync)), says.quorate_age_ms),
        ),
        (
            Family::CorosyncConf,
            aged(Fact::CorosyncConf(conf), says.conf_age_ms),
        ),
    ]);
    Arc::new(NodeView {
        hearing: says.hearing,
        heard_at_ms: None,
        agent_version: String::new(),
        skew_ms: None,
        boot_id: String::new(),
        facts,
        events_kept: 0,
        dropped: None,
        findings: Vec::new(),
    })
}

fn view(nodes: &[(&str, Says)]) -> ClusterView {
    let nodes = nodes.iter();
    ClusterView {
        cluster: ClusterId::new("0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c").unwrap(),
        name: "pve".to_owned(),
        own: Own {
            collector: String::new(),
            epoch: 1,
            is_authority: true,
        },
        is_authority: true,
        authority: None,
        nodes: nodes.map(|(text, says)| (name(text), node(says))).collect(),
        findings: Vec::new(),
        found: Arc::default(),
        incidents: Arc::default(),
        leases: None,
        alerts: Arc::default(),
        alerts_kept: Arc::default(),
        are_alerts_kept: true,
        well_since_ms: None,
        steps_waiting: 0,
        revision: Default::default(),
        last_place: 0,
    }
}

/// pve-03 was removed, and is not quorate any more; this is what the other two say.
fn after(first: Says, second: Says) -> Departed {
    let mut gone = says(3, &ALL);
    gone.quorate = Some(false);
    let nodes = [("pve-01", first), ("pve-02", second), ("pve-03", gone)];
    departed(&view(&nodes), now())
}

#[track_caller]
fn says_in_the_way(departed: &Departed, expect: &str) {
    assert_eq!(departed.gone, set(&[]));
    let said = departed.in_the_way.as_ref().map(InTheWay::to_string);
    let said = said.unwrap_or_default();
    assert!(said.contains(expect), "{said}");
}

#[test]
fn a_node_that_most_enrolled_nodes_do_not_have_any_more_has_left() {
    let departed = after(says(4, &LEFT), says(4, &LEFT));
    assert_eq!(departed.gone, set(&["pve-03"]));
    assert_eq!(departed.in_the_way, None);
    assert_eq!(after(says(3, &ALL), says(3, &ALL)), Departed::default());
}

#[test]
fn a_node_that_is_not_quorate_is_not_asked() {
    for quorate in [Some(false), None] {
        let mut minority = says(4, &LEFT);
        minority.quorate = quorate;
        assert_eq!(after(minority.clone(), minority), Departed::default());
    }
}

#[test]
fn what_is_old_or_from_a_node_that_is_silent_does_not_count() {
    let change: [fn(&mut Says); 4] = [
        |says| says.quorate_age_ms = 60_001,
        |says| says.conf_age_ms = 600_001,
        |says| says.hearing = Hearing::Silent,
        |says| says.hearing = Hearing::NeverHeard,
    ];
    for change in change {
        let mut old = says(4, &LEFT);
        change(&mut old);
        assert_eq!(after(old.clone(), old.clone()), Departed::default());
        says_in_the_way(&after(says(4, &LEFT), old), "only 1 of 3 enrolled nodes");
    }
}

#[test]
fn nodes_that_do_not_agree_send_nobody_away_and_it_is_said() {
    says_in_the_way(
        &after(says(4, &LEFT), says(3, &ALL)),
        "the nodelist of pve-01 has no pve-03, but only 1 of 3 enrolled nodes say so now, and 2 must",
    );
    says_in_the_way(
        &after(says(3, &ALL), says(4, &LEFT)),
        "the nodelist of pve-02 has",
    );
    says_in_the_way(
        &after(says(4, &LEFT), says(4, &ALL)),
        "the nodelist of pve-01 has",
    );
    // One that is of another version says another thing.
    says_in_the_way(&after(says(4, &LEFT), says(5, &LEFT)), "only 1 of 3");
}

#[test]
fn a_file_that_was_not_wholly_understood_sends_nobody_away() {
    let mut broken = says(4, &LEFT);
    broken.problems = vec![Problem::whole("/etc/pve/corosync.conf", "cut off")];
    assert_eq!(after(broken.clone(), broken.clone()), Departed::default());
    says_in_the_way(&after(says(4, &LEFT), broken), "only 1 of 3");
    let twice = says(4, &["pve-01", "pve-02", "pve-02"]);
    assert_eq!(after(twice.clone(), twice), Departed::default());
    let nobody = says(4, &[]);
    assert_eq!(after(nobody.clone(), nobody), Departed::default());
}

/// One that lies, or whose agent was left behind: whatever it says, the others go on.
#[test]
fn one_liar_neither_sends_anybody_away_nor_keeps_anybody() {
    const FOUR: [&str; 4] = ["pve-01", "pve-02", "pve-03", "pve-04"];
    const THREE: [&str; 3] = ["pve-02", "pve-03", "pve-04"];
    for version in [2, 3, 9, u64::MAX] {
        for list in [&["pve-01"][..], &LEFT[..], &["pve-01", "pve-77"]] {
            let nodes = |others: &Says| {
                let mut all = vec![("pve-01", says(version, list))];
                all.extend(THREE.map(|name| (name, others.clone())));
                all
            };
            let stayed = departed(&view(&nodes(&says(3, &FOUR))), now());
            assert_eq!(stayed.gone, set(&[]), "{version} {list:?}");
            let mut with_a_fifth = nodes(&says(4, &FOUR));
            let mut fifth = says(3, &["pve-05"]);
            fifth.hearing = Hearing::Silent;
            with_a_fifth.push(("pve-05", fifth));
            let left = departed(&view(&with_a_fifth), now());
            assert_eq!(left.gone, set(&["pve-05"]), "{version} {list:?}");
        }
    }
}

#[test]
fn one_liar_that_is_heard_alone_sends_nobody_away() {
    let mut silent = says(3, &ALL);
    silent.hearing = Hearing::Silent;
    for enrolled in [&["pve-02"][..], &["pve-02", "pve-03"]] {
        let mut nodes = vec![("pve-01", says(9, &["pve-01"]))];
        nodes.extend(enrolled.iter().map(|name| (*name, silent.clone())));
        let departed = departed(&view(&nodes), now());
        says_in_the_way(&departed, "quorate-collector node revoke pve-02");
    }
}

/// Names that one node made up and enrolled would be most of the enrolled ones.
#[test]
fn who_is_heard_and_quorate_is_not_sent_away_by_however_many() {
    let made_up = ["pve-01", "pve-81", "pve-82", "pve-83", "pve-84"];
    let mut nodes = made_up.map(|name| (name, says(9, &made_up))).to_vec();
    nodes.extend(["pve-02", "pve-03"].map(|name| (name, says(3, &ALL))));
    says_in_the_way(
        &departed(&view(&nodes), now()),
        "the nodelist of most nodes has no pve-02, pve-03 any more, but who is heard and quorate",
    );
}

#[test]
fn nodes_that_are_not_in_the_list_do_not_speak_for_it() {
    let others = says(4, &["pve-07", "pve-08"]);
    assert_eq!(after(others.clone(), others), Departed::default());
}

#[test]
fn nobody_is_sent_away_before_the_answer_was_the_same_for_a_minute() {
    let at = |seconds: u64| Now {
        mono_ms: seconds * 1_000,
        ..now()
    };
    let one = Some(set(&["pve-03"]));
    let two = Some(set(&["pve-02", "pve-03"]));
    let mut settling = Settling::default();
    assert_eq!(settling.settled(one.clone(), at(0)), None);
    assert_eq!(settling.settled(one.clone(), at(59)), None);
    // A doubt, or another answer, and it begins anew.
    assert_eq!(settling.settled(None, at(60)), None);
    assert_eq!(settling.settled(one, at(70)), None);
    assert_eq!(settling.settled(two.clone(), at(130)), None);
    assert_eq!(settling.settled(two.clone(), at(189)), None);
    assert_eq!(settling.settled(two.clone(), at(190)), two);
}

#[test]
fn what_is_in_the_way_is_said_once() {
    let at = |seconds: u64| Now {
        mono_ms: seconds * 1_000,
        ..now()
    };
    let says = |text: &str| {
        let missing = vec![name(text)];
        Some(InTheWay::StillQuorate { missing })
    };
    let mut looked = Looked::default();
    let said: Vec<u64> = (0..200)
        .map(|look| look * 10)
        .filter(|seconds| looked.news(says("pve-03"), at(*seconds)).is_some())
        .collect();
    assert_eq!(said, [60]);
    // Who says another thing each minute does not fill the log.
    let said = (200..1_000).filter(|look| {
        let what = format!("pve-{}", look / 8);
        looked.news(says(&what), at(look * 10)).is_some()
    });
    assert!(said.count() <= 14, "once in ten minutes");
}

mod whole;
