use model::fact::corosync::Corosync;
use model::fact::corosync_conf::{ConfNode, CorosyncConf, CorosyncConfFiles, Totem};
use model::reading::Problem;
use proto::fact::ReadFact;

use super::*;
use crate::keeper::Own;
use crate::keeper::view::AgedFact;

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

fn names_of(list: &[&str]) -> Option<Vec<NodeName>> {
    Some(list.iter().copied().map(name).collect())
}

fn aged(fact: Fact, age_ms: i64) -> AgedFact {
    let fact = ReadFact {
        fact,
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
        revision: Default::default(),
        last_place: 0,
    }
}

/// pve-03 was removed, and is not quorate any more; this is what the other two say.
fn after(first: Says, second: Says) -> Option<Vec<NodeName>> {
    let mut gone = says(3, &ALL);
    gone.quorate = Some(false);
    let nodes = [("pve-01", first), ("pve-02", second), ("pve-03", gone)];
    agreed_nodelist(&view(&nodes), now())
}

#[test]
fn what_the_quorate_nodes_agree_on_is_the_nodelist() {
    assert_eq!(after(says(4, &LEFT), says(4, &LEFT)), names_of(&LEFT));
}

#[test]
fn a_node_that_is_not_quorate_is_not_asked() {
    for quorate in [Some(false), None] {
        let mut minority = says(4, &LEFT);
        minority.quorate = quorate;
        assert_eq!(after(minority.clone(), minority), None);
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
        assert_eq!(after(old.clone(), old), None);
    }
}

#[test]
fn nodes_that_do_not_agree_send_nobody_away() {
    assert_eq!(after(says(4, &LEFT), says(3, &ALL)), None);
    assert_eq!(after(says(3, &ALL), says(4, &LEFT)), None);
    assert_eq!(after(says(4, &LEFT), says(4, &ALL)), None);
}

#[test]
fn a_file_that_was_not_wholly_understood_sends_nobody_away() {
    let mut broken = says(4, &LEFT);
    broken.problems = vec![Problem::whole("/etc/pve/corosync.conf", "cut off")];
    assert_eq!(after(broken.clone(), broken.clone()), None);
    assert_eq!(after(says(4, &LEFT), broken), None);
    let twice = says(4, &["pve-01", "pve-02", "pve-02"]);
    assert_eq!(after(twice.clone(), twice), None);
    let nobody = says(4, &[]);
    assert_eq!(after(nobody.clone(), nobody), None);
}

#[test]
fn one_liar_sends_nobody_away_whether_its_list_is_newer_or_not() {
    for version in [2, 3, 9] {
        for list in [&["pve-01"][..], &LEFT[..]] {
            let nodes = [
                ("pve-01", says(version, list)),
                ("pve-02", says(3, &ALL)),
                ("pve-03", says(3, &ALL)),
            ];
            let agreed = agreed_nodelist(&view(&nodes), now());
            assert!(
                agreed.is_none() || agreed == names_of(&ALL),
                "{version} {list:?}: {agreed:?}"
            );
        }
    }
}

#[test]
fn one_liar_that_is_heard_alone_sends_nobody_away() {
    let mut silent = says(3, &ALL);
    silent.hearing = Hearing::Silent;
    for list in [&["pve-01"][..], &ALL[..]] {
        let nodes = [
            ("pve-01", says(9, list)),
            ("pve-02", silent.clone()),
            ("pve-03", silent.clone()),
        ];
        assert_eq!(agreed_nodelist(&view(&nodes), now()), None, "{list:?}");
    }
}

#[test]
fn nodes_that_are_not_in_the_list_do_not_speak_for_it() {
    let others = says(4, &["pve-07", "pve-08"]);
    assert_eq!(after(others.clone(), others), None);
}

#[test]
fn the_one_that_is_left_of_two_is_believed() {
    let mut gone = says(3, &LEFT);
    gone.hearing = Hearing::Silent;
    let nodes = [("pve-01", says(4, &["pve-01"])), ("pve-02", gone)];
    assert_eq!(agreed_nodelist(&view(&nodes), now()), names_of(&["pve-01"]));
}

#[test]
fn nobody_is_sent_away_before_the_answer_was_the_same_for_a_minute() {
    let at = |seconds: u64| Now {
        mono_ms: seconds * 1_000,
        ..now()
    };
    let mut settling = Settling::default();
    assert_eq!(settling.settled(names_of(&LEFT), at(0)), None);
    assert_eq!(settling.settled(names_of(&LEFT), at(59)), None);
    // A doubt, or another answer, and it begins anew.
    assert_eq!(settling.settled(None, at(60)), None);
    assert_eq!(settling.settled(names_of(&LEFT), at(70)), None);
    assert_eq!(settling.settled(names_of(&ALL), at(130)), None);
    assert_eq!(settling.settled(names_of(&ALL), at(189)), None);
    assert_eq!(settling.settled(names_of(&ALL), at(190)), names_of(&ALL));
}
