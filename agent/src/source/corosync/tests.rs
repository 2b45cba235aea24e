use std::fs;

use model::fact::corosync::LinkPeer;
use model::reading::Problem;
use tempfile::TempDir;

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../../model/fixtures/", $name))
    };
}

const STATUS: &str = fixture!("quorumtool/corosync-3.1.7-4-nodes.txt");
const STATUS_HEX: &str = fixture!("quorumtool/corosync-3.1.7-siH-4-nodes.txt");
const NOT_RUNNING: &str = fixture!("quorumtool/corosync-3.1.7-not-running.txt");
const CUT: &str = fixture!("cfgtool/corosync-3.1.7-s-one-link-cut.txt");
const CUT_BY_NODE: &str = fixture!("cfgtool/corosync-3.1.7-n-one-link-cut.txt");
const CUT_BRIEF: &str = fixture!("cfgtool/corosync-3.1.7-sb-one-link-cut.txt");
const MAP: &str = fixture!("cmapctl/corosync-3.1.7-4-nodes.txt");
const MAP_NODE_4_DOWN: &str = fixture!("cmapctl/corosync-3.1.7-node-4-down.txt");
const STATS: &str = fixture!("cmapctl/corosync-3.1.7-stats-one-link-cut.txt");
const PVECM: &str = "Cluster information\n-------------------\nName:             rack\nConfig Version:   3\n\
                     Transport:        knet\nSecure auth:      off\n\n";
const CONF_FILE: &str = "totem {\n  cluster_name: rack\n  config_version: 2\n}\nnodelist {\n  node {\n    nodeid: 1\n  }\n  \
                    node {\n    nodeid: 2\n  }\n  node {\n    nodeid: 3\n  }\n  node {\n    nodeid: 4\n  }\n}\n";

/// A captured tree of these files: command outputs by their names, other files by their paths.
fn tree(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = if name.contains('/') {
            dir.path().join(name)
        } else {
            dir.path().join("commands").join(name)
        };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn reading(files: &[(&str, &str)]) -> Reading<Corosync> {
    let dir = tree(files);
    collect(&Host::captured(dir.path()).unwrap())
}

#[track_caller]
fn known(files: &[(&str, &str)]) -> (Corosync, Vec<Problem>) {
    match reading(files) {
        Reading::Known {
            value, problems, ..
        } => (value, problems),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn without_problems(files: &[(&str, &str)]) -> Corosync {
    let (value, problems) = known(files);
    assert_eq!(problems, []);
    value
}

#[track_caller]
fn check_failed(files: &[(&str, &str)], words: &str) {
    match reading(files) {
        Reading::Failed { why } => assert!(why.contains(words), "{why}"),
        other => panic!("{other:?}"),
    }
}

fn peer(corosync: &Corosync, link: usize, node_id: u32) -> &LinkPeer {
    let peers = corosync.links.as_ref().unwrap()[link]
        .peers
        .as_ref()
        .unwrap();
    peers.iter().find(|peer| peer.node_id == node_id).unwrap()
}

#[test]
fn all_tools_together_make_one_fact() {
    let corosync = without_problems(&[
        ("corosync-quorumtool_-s", STATUS),
        ("corosync-quorumtool_-siH", STATUS_HEX),
        ("corosync-cfgtool_-s", CUT),
        ("corosync-cfgtool_-n", CUT_BY_NODE),
        ("corosync-cmapctl", MAP),
        ("corosync-cmapctl_-m_stats", STATS),
    ]);
    assert_eq!(corosync.quorate, Some(true));
    assert_eq!(corosync.cluster_name.as_deref(), Some("rack"));
    assert_eq!(corosync.config_version, Some(1));
    assert_eq!(corosync.qdevice, None);
    let members = corosync.members.as_ref().unwrap();
    assert_eq!(members.len(), 4);
    assert_eq!(members[1].name.as_deref(), Some("pve-02"));
    let addresses = ["10.20.0.12", "10.21.0.12"].map(str::to_owned);
    assert_eq!(members[1].addresses, Some(addresses.to_vec()));
    assert_eq!(members[1].config_version, Some(1));
    let links = corosync.links.as_ref().unwrap();
    assert_eq!(links.len(), 2);
    assert_eq!(links[1].address.as_deref(), Some("10.21.0.11"));
    let cut = peer(&corosync, 1, 2);
    assert_eq!((cut.connected, cut.enabled), (Some(false), Some(true)));
    assert_eq!(
        (cut.mtu_bytes, cut.address.as_deref()),
        (Some(1446), Some("10.21.0.12"))
    );
    let own = peer(&corosync, 0, 1);
    assert_eq!(
        (own.local, own.connected, own.mtu_bytes),
        (Some(true), None, None)
    );
}

#[test]
fn a_corosync_that_does_not_run_has_failed_whatever_else_was_captured() {
    check_failed(
        &[
            ("corosync-quorumtool_-s", NOT_RUNNING),
            ("etc/corosync/corosync.conf", CONF_FILE),
        ],
        "Cannot initialize CMAP service",
    );
    check_failed(
        &[
            (
                "corosync-quorumtool_-s",
                "Cannot initialize QUORUM service\n",
            ),
            ("corosync-cfgtool_-s", CUT),
        ],
        "Cannot initialize QUORUM service",
    );
    let pvecm = format!("{PVECM}Cannot initialize CMAP service\n");
    check_failed(
        &[("pvecm_status", &pvecm)],
        "Cannot initialize CMAP service",
    );
}

#[test]
fn tools_that_failed_are_not_replaced_by_the_configuration() {
    check_failed(
        &[
            (
                "corosync-cfgtool_-s",
                "Could not initialize corosync configuration API error 2\n",
            ),
            ("etc/corosync/corosync.conf", CONF_FILE),
        ],
        "API error 2",
    );
    let missing = "Error: Corosync config '/etc/pve/corosync.conf' does not exist - is this node part of a cluster?\n";
    check_failed(
        &[("pvecm_status", missing)],
        "is this node part of a cluster",
    );
    check_failed(&[("corosync-quorumtool_-s", "")], "nothing in it");
}

#[test]
fn one_tool_that_failed_does_not_lose_the_others() {
    let (corosync, problems) = known(&[
        ("corosync-quorumtool_-s", STATUS),
        (
            "corosync-cfgtool_-s",
            "Could not initialize corosync configuration API error 2\n",
        ),
    ]);
    assert_eq!((corosync.quorate, corosync.links), (Some(true), None));
    assert_eq!(problems[0].source, "commands/corosync-cfgtool_-s");
}

#[test]
fn what_was_not_captured_is_unknown() {
    let links_only = without_problems(&[("corosync-cfgtool_-s", CUT)]);
    assert_eq!(
        (links_only.quorate, links_only.members.as_ref()),
        (None, None)
    );
    assert_eq!(links_only.links.unwrap().len(), 2);

    let file_only = without_problems(&[("etc/pve/corosync.conf", CONF_FILE)]);
    assert_eq!(file_only.config_version, Some(2));
    let rest = Corosync {
        cluster_name: Some("rack".into()),
        config_version: Some(2),
        ..Corosync::default()
    };
    assert_eq!(file_only, rest);
    assert_eq!(reading(&[]), Reading::Absent);
}

#[test]
fn the_map_alone_knows_totems_members_and_the_links() {
    let corosync = without_problems(&[
        ("corosync-cmapctl", MAP_NODE_4_DOWN),
        ("corosync-cmapctl_-m_stats", STATS),
    ]);
    assert_eq!(corosync.node_id, Some(1));
    assert_eq!((corosync.quorate, corosync.total_votes), (None, None));
    let members = corosync.members.as_ref().unwrap();
    assert_eq!(members.len(), 3);
    assert_eq!((members[0].local, members[0].votes), (Some(true), None));
    assert_eq!(
        corosync.not_members.as_ref().unwrap()[0].name.as_deref(),
        Some("pve-04")
    );
    assert_eq!(peer(&corosync, 1, 2).connected, Some(false));
    assert_eq!(peer(&corosync, 1, 1).connected, None);
}

#[test]
fn an_address_gives_way_to_a_name_whichever_was_read_first() {
    let corosync = without_problems(&[
        ("corosync-quorumtool_-l", STATUS_HEX),
        ("corosync-quorumtool_-s", STATUS),
    ]);
    let member = &corosync.members.unwrap()[3];
    assert_eq!(member.name.as_deref(), Some("pve-04"));
    assert_eq!(member.addresses, Some(vec!["10.20.0.14".to_owned()]));
}

#[test]
fn the_daemon_comes_before_pvecm_and_pvecm_before_the_file() {
    let pvecm = format!("{PVECM}{STATUS_HEX}");
    let files = [
        ("corosync-cmapctl", MAP),
        ("pvecm_status", pvecm.as_str()),
        ("etc/corosync/corosync.conf", CONF_FILE),
    ];
    let (corosync, problems) = known(&files);
    assert_eq!(corosync.config_version, Some(1));
    let said: Vec<_> = problems
        .iter()
        .map(|problem| problem.source.as_str())
        .collect();
    assert_eq!(
        said,
        ["commands/pvecm_status", "etc/corosync/corosync.conf"]
    );
    assert_eq!(
        problems[0].why,
        "the configuration's version is 3 here, but 1 in an answer that comes before"
    );
    assert_eq!(known(&files[1..]).0.config_version, Some(3));
    assert_eq!(without_problems(&files[2..]).config_version, Some(2));
}

#[test]
fn texts_of_different_moments_are_not_mixed_into_a_membership_that_never_was() {
    let blocked = fixture!("quorumtool/corosync-3.1.7-2-of-4-blocked.txt");
    let (corosync, problems) = known(&[
        ("corosync-quorumtool_-s", blocked),
        ("pvecm_status", STATUS_HEX),
    ]);
    assert_eq!(corosync.members.unwrap().len(), 2);
    assert_eq!(corosync.quorate, Some(false));
    let said: Vec<_> = problems
        .iter()
        .map(|problem| problem.why.as_str())
        .collect();
    assert!(
        said.contains(
            &"the set of members is {1, 2, 3, 4} here, but {1, 2} in an answer that comes before"
        ),
        "{said:?}"
    );
}

#[test]
fn a_table_that_lacks_a_row_is_said() {
    let cut = STATUS
        .trim_end()
        .strip_suffix("4          1 pve-04")
        .unwrap();
    let (corosync, problems) = known(&[("corosync-quorumtool_-s", cut)]);
    assert_eq!(corosync.members.unwrap().len(), 3);
    assert_eq!(problems[0].why, "it counts 4 nodes, but names 3 members");
}

#[test]
fn a_brief_status_gets_its_node_ids_from_the_nodelist() {
    for (name, text) in [
        ("corosync-cmapctl", MAP),
        ("etc/corosync/corosync.conf", CONF_FILE),
    ] {
        let corosync = without_problems(&[("corosync-cfgtool_-s_-b", CUT_BRIEF), (name, text)]);
        assert_eq!(peer(&corosync, 1, 2).connected, Some(false), "{name}");
        assert_eq!(peer(&corosync, 1, 3).connected, Some(true));
        let own = peer(&corosync, 1, 1);
        assert_eq!((own.local, own.connected), (Some(true), None));
    }
    let alone = without_problems(&[("corosync-cfgtool_-s_-b", CUT_BRIEF)]);
    assert_eq!(alone.links.unwrap()[1].peers, None);
    let other_place = CUT_BRIEF.replace("n133", "1n33");
    let corosync = without_problems(&[
        ("corosync-cfgtool_-s_-b", &other_place),
        ("etc/corosync/corosync.conf", CONF_FILE),
    ]);
    assert_eq!(
        corosync.links.unwrap()[1].peers,
        None,
        "node 1 is not the second"
    );
}

#[test]
fn without_knet_the_address_is_taken_from_the_map() {
    let udpu = fixture!("cfgtool/corosync-3.1.7-s-udpu-ipv6.txt");
    let map = "nodelist.local_node_pos (u32) = 0\nnodelist.node.0.nodeid (u32) = 4294967295\n\
               nodelist.node.0.ring0_addr (str) = fd00:20::11\nnodelist.node.1.nodeid (u32) = 7\n\
               nodelist.node.1.ring0_addr (str) = fd00:20::12\n";
    let corosync = without_problems(&[("corosync-cfgtool_-s", udpu), ("corosync-cmapctl", map)]);
    assert_eq!(
        corosync.links.unwrap()[0].address.as_deref(),
        Some("fd00:20::11")
    );
}

#[test]
fn the_raw_map_holds_both_dumps() {
    let dir = tree(&[
        ("corosync-cmapctl", MAP),
        ("corosync-cmapctl_-m_stats", STATS),
    ]);
    let host = Host::captured(dir.path()).unwrap();
    let map = cmap(&host);
    let map = map.known().unwrap();
    assert_eq!(map.keys.len(), MAP.lines().count() + STATS.lines().count());
    assert_eq!(
        cmap(&Host::captured(&dir.path().join("commands")).unwrap()),
        Reading::Absent
    );
}

#[test]
fn a_live_node_is_asked_in_the_order_in_which_a_capture_is_read() {
    for pair in COMMANDS.windows(2) {
        if pair[0].path == pair[1].path {
            assert!(pair[0].capture_name() < pair[1].capture_name());
        }
    }
}
