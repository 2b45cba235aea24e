//! The table, as it stands on a terminal without colours.

use expect_test::{Expect, expect};

use super::*;

const ID: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";

fn node(name: &str) -> v1::NodeStatus {
    let link = |link| v1::LinkStatus {
        link,
        peers_connected: 2,
        peers: 2,
    };
    v1::NodeStatus {
        node: name.to_owned(),
        standing: v1::Standing::Connected.into(),
        heard_ago_ms: Some(1_200),
        agent_version: "0.1.0".to_owned(),
        skew_ms: Some(-3),
        corosync_age_ms: Some(900),
        quorate: Some(true),
        votes: Some(1),
        total_votes: Some(3),
        quorum: Some(2),
        links: vec![link(0), link(1)],
        events_kept: 7,
        dropped: Some(v1::Dropped::default()),
    }
}

fn cluster(nodes: Vec<v1::NodeStatus>) -> v1::ClusterStatus {
    v1::ClusterStatus {
        cluster: Some(v1::Cluster {
            id: ID.to_owned(),
            name: "pve".to_owned(),
        }),
        is_authority: true,
        is_observer: false,
        incidents: Vec::new(),
        incident_steps_waiting: 0,
        authority: None,
        nodes,
        findings: Vec::new(),
    }
}

#[track_caller]
#[allow(clippy::needless_pass_by_value, reason = "expect! gives a value")]
fn check(clusters: Vec<v1::ClusterStatus>, width: Option<usize>, expected: Expect) {
    let answered = Answered {
        address: "192.0.2.10:7460".to_owned(),
        status: v1::GetStatusResponse {
            collector: None,
            clusters,
        },
    };
    let text = of_status(&answered, width);
    let text = anstream::adapter::strip_str(&text).to_string();
    if let Some(width) = width {
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{line}");
        }
    }
    expected.assert_eq(&text);
}

#[test]
fn a_healthy_cluster_is_three_plain_lines() {
    let nodes = ["pve-01", "pve-02", "pve-03"].map(node).to_vec();
    check(
        vec![cluster(nodes)],
        Some(100),
        expect![[r#"
        pve (0b9d3a52): 3 votes, 2 are needed, quorate (say 3 of 3 nodes)
          NODE    STANDING   HEARD    QUORATE  VOTES  NEEDED  LINKS                       AGENT
          pve-01  connected  1 s ago  yes      3      2       2 of 2 links, 2 of 2 peers  0.1.0
          pve-02  connected  1 s ago  yes      3      2       2 of 2 links, 2 of 2 peers  0.1.0
          pve-03  connected  1 s ago  yes      3      2       2 of 2 links, 2 of 2 peers  0.1.0
    "#]],
    );
}

fn troubled() -> v1::ClusterStatus {
    let mut one = node("pve-01");
    one.skew_ms = Some(2_400);
    one.links[1].peers_connected = 1;
    let mut silent = node("pve-02");
    silent.standing = v1::Standing::Silent.into();
    silent.heard_ago_ms = Some(190_000);
    silent.skew_ms = None;
    let mut never = v1::NodeStatus {
        node: "pve-03".to_owned(),
        standing: v1::Standing::NeverHeard.into(),
        ..v1::NodeStatus::default()
    };
    never.dropped = None;
    let mut other = node("pve-04");
    other.quorate = Some(false);
    other.total_votes = Some(1);
    other.dropped = Some(v1::Dropped {
        events: 12,
        announcements: 0,
    });
    let mut status = cluster(vec![one, silent, never, other]);
    status.is_authority = false;
    status.is_observer = true;
    status.findings = vec!["pve-02 has not been heard for 3 min\x1b[2J".to_owned()];
    status
}

#[test]
fn what_was_good_when_it_was_last_heard_is_unknown_now() {
    check(
        vec![troubled()],
        None,
        expect![[r#"
        pve (0b9d3a52): 3 votes, 2 are needed, quorate (say 1 of 4 nodes); 1 vote, 2 are needed, not quorate (say 1 of 4 nodes)
          this collector is an observer, and only looks on; the one that decides: unknown
          NODE    STANDING     HEARD      QUORATE  VOTES    NEEDED   LINKS                               CLOCK          DROPPED    AGENT
          pve-01  connected    1 s ago    yes      3        2        1 of 2 links, link 1: 1 of 2 peers  2400 ms ahead  nothing    0.1.0
          pve-02  silent       3 min ago  unknown  unknown  unknown  unknown                             unknown        nothing    0.1.0
          pve-03  never heard  unknown    unknown  unknown  unknown  unknown                             unknown        unknown    unknown
          pve-04  connected    1 s ago    no       1        2        2 of 2 links, 2 of 2 peers          within 100 ms  12 events  0.1.0
          ! pve-02 has not been heard for 3 min\u{1b}[2J
    "#]],
    );
}

#[test]
fn a_collector_that_is_not_sure_to_decide_says_so() {
    let mut status = cluster(vec![node("pve-01")]);
    status.is_authority = false;
    check(
        vec![status],
        Some(100),
        expect![[r#"
        pve (0b9d3a52): 3 votes, 2 are needed, quorate (say 1 of 1 nodes)
          this collector does not decide until it is settled which one does; the one that decides: unknown
          NODE    STANDING   HEARD    QUORATE  VOTES  NEEDED  LINKS                       AGENT
          pve-01  connected  1 s ago  yes      3      2       2 of 2 links, 2 of 2 peers  0.1.0
    "#]],
    );
}

#[test]
fn a_narrow_terminal_gets_a_line_for_each_node() {
    check(
        vec![troubled()],
        Some(60),
        expect![[r#"
        pve (0b9d3a52): 3 votes, 2 are needed, quorate (say 1 of 4
          nodes); 1 vote, 2 are needed, not quorate (say 1 of 4
          nodes)
          this collector is an observer, and only looks on; the one
            that decides: unknown
          pve-01: standing connected; heard 1 s ago; quorate yes;
            votes 3; needed 2; links 1 of 2 links, link 1: 1 of 2
            peers; clock 2400 ms ahead; dropped nothing; agent 0.1.0
          pve-02: standing silent; heard 3 min ago; quorate unknown;
            votes unknown; needed unknown; links unknown; clock
            unknown; dropped nothing; agent 0.1.0
          pve-03: standing never heard; heard unknown; quorate
            unknown; votes unknown; needed unknown; links unknown;
            clock unknown; dropped unknown; agent unknown
          pve-04: standing connected; heard 1 s ago; quorate no;
            votes 1; needed 2; links 2 of 2 links, 2 of 2 peers;
            clock within 100 ms; dropped 12 events; agent 0.1.0
          ! pve-02 has not been heard for 3 min\u{1b}[2J
    "#]],
    );
}

#[test]
fn a_reading_that_is_too_old_is_unknown() {
    let mut old = node("pve-01");
    old.corosync_age_ms = Some(FRESH_MS + 1);
    let mut unread = node("pve-02");
    unread.corosync_age_ms = None;
    check(
        vec![cluster(vec![old, unread])],
        None,
        expect![[r#"
        pve (0b9d3a52): votes unknown, no node of 2 tells
          NODE    STANDING   HEARD    QUORATE  VOTES    NEEDED   LINKS    AGENT
          pve-01  connected  1 s ago  unknown  unknown  unknown  unknown  0.1.0
          pve-02  connected  1 s ago  unknown  unknown  unknown  unknown  0.1.0
    "#]],
    );
}

#[test]
fn several_clusters_of_one_name_are_told_apart_and_none_is_said() {
    let mut digest = cluster(Vec::new());
    digest.cluster = Some(v1::Cluster {
        id: format!("sha256-{}", "0f".repeat(32)),
        name: "pve".to_owned(),
    });
    check(
        vec![cluster(vec![node("pve-01")]), digest],
        Some(100),
        expect![[r#"
            pve (0b9d3a52): 3 votes, 2 are needed, quorate (say 1 of 1 nodes)
              NODE    STANDING   HEARD    QUORATE  VOTES  NEEDED  LINKS                       AGENT
              pve-01  connected  1 s ago  yes      3      2       2 of 2 links, 2 of 2 peers  0.1.0

            pve (0f0f0f0f): votes unknown, no node of 0 tells
              no node has joined
        "#]],
    );
    check(
        Vec::new(),
        Some(60),
        expect![[r#"
        no cluster has joined the collector at 192.0.2.10:7460;
          `quorate-collector token create` there shows how
    "#]],
    );
}
