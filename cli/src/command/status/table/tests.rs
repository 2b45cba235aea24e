//! The table, as it stands on a terminal without colours.

use expect_test::{Expect, expect};

use super::super::nodes::FRESH_MS;
use super::*;

const ID: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";

fn node(name: &str) -> v1::NodeStatus {
    v1::NodeStatus {
        node: name.to_owned(),
        standing: v1::Standing::Connected.into(),
        heard_ago_ms: Some(1_200),
        agent_version: "0.1.0".to_owned(),
        skew_ms: Some(-3),
        corosync_age_ms: Some(900),
        quorate: Some(true),
        dropped: Some(v1::Dropped::default()),
        bonds: Some(v1::BondsStatus {
            unknown: String::new(),
            bonds: vec![bond(&[])],
        }),
        ..v1::NodeStatus::default()
    }
}

/// As the model says it.
fn bond(wrong: &[&str]) -> v1::BondStatus {
    let up = 2 - u32::try_from(wrong.len()).unwrap();
    let colon = if wrong.is_empty() { "" } else { ": " };
    v1::BondStatus {
        name: "bond0".to_owned(),
        mode: "802.3ad".to_owned(),
        ports: 2,
        ports_up: up,
        ports_unknown: 0,
        wrong: wrong.iter().map(|what| (*what).to_owned()).collect(),
        sentence: format!("bond0 {up}/2 802.3ad{colon}{}", wrong.join(", ")),
    }
}

fn names(count: usize) -> Vec<String> {
    (1..=count)
        .map(|number| format!("pve-{number:02}"))
        .collect()
}

/// All well, with two links.
fn cluster(names: &[String]) -> v1::ClusterStatus {
    let count = names.len();
    let way = |at: usize| match at / count == at % count {
        true => i32::from(v1::Way::Self_),
        false => i32::from(v1::Way::Connected),
    };
    let link = |link| v1::LinkWays {
        link,
        ways: (0..count * count).map(way).collect(),
    };
    let votes = v1::VotesWord {
        sentence: format!(
            "quorate: {count} of {count} votes, {} needed",
            count / 2 + 1
        ),
        quorate: true,
        whose: match count {
            1 => "pve-01 says so".to_owned(),
            _ => format!("all {count} nodes say so"),
        },
        ..v1::VotesWord::default()
    };
    v1::ClusterStatus {
        cluster: Some(v1::Cluster {
            id: ID.to_owned(),
            name: "pve".to_owned(),
        }),
        is_authority: true,
        votes: vec![votes],
        link_matrix: Some(v1::LinkMatrix {
            nodes: names.to_vec(),
            links: if count == 0 {
                vec![]
            } else {
                vec![link(0), link(1)]
            },
        }),
        nodes: names.iter().map(|name| node(name)).collect(),
        ..v1::ClusterStatus::default()
    }
}

fn set(status: &mut v1::ClusterStatus, link: usize, from: usize, to: usize, way: v1::Way) {
    let matrix = status.link_matrix.as_mut().unwrap();
    let count = matrix.nodes.len();
    matrix.links[link].ways[from * count + to] = way.into();
}

fn incident(
    number: u64,
    severity: v1::Severity,
    cause: Option<u64>,
    sentence: &str,
) -> v1::Incident {
    v1::Incident {
        number,
        severity: severity.into(),
        cause,
        sentence: sentence.to_owned(),
        is_found: true,
        ..v1::Incident::default()
    }
}

#[track_caller]
#[allow(clippy::needless_pass_by_value, reason = "expect! gives a value")]
fn check(clusters: Vec<v1::ClusterStatus>, width: usize, expected: Expect) {
    let text = plain(clusters, width);
    expected.assert_eq(&text);
}

#[track_caller]
fn plain(clusters: Vec<v1::ClusterStatus>, width: usize) -> String {
    let answered = Answered {
        address: "192.0.2.10:7460".to_owned(),
        status: v1::GetStatusResponse {
            collector: None,
            clusters,
        },
        receivers: std::collections::BTreeMap::new(),
    };
    let text = of_status(&answered, width);
    let text = anstream::adapter::strip_str(&text).to_string();
    for line in text.lines() {
        assert!(line.chars().count() <= width, "{width}: {line}");
    }
    text
}

#[test]
fn what_is_known_or_silenced_is_told_and_says_so() {
    let known = v1::Incident {
        acknowledgement: Some(v1::Acknowledgement::default()),
        ..incident(4, v1::Severity::Critical, None, "switch sw-a is gone")
    };
    let silenced = v1::Incident {
        silence: Some(v1::Silence::default()),
        is_found: false,
        ..incident(5, v1::Severity::Critical, None, "switch sw-b is gone")
    };
    let cluster = v1::ClusterStatus {
        incidents: vec![known, silenced],
        ..cluster(&names(1))
    };
    let text = plain(vec![cluster], 80);
    for line in [
        "  #4 critical: switch sw-a is gone (acknowledged)\n",
        "  #5 critical: switch sw-b is gone (silenced) (not found now)\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn eight_healthy_nodes_fit_on_eighty_columns() {
    check(
        vec![cluster(&names(8))],
        80,
        expect![[r#"
        pve (0b9d3a52): quorate: 8 of 8 votes, 5 needed (all 8 nodes say so)
          no open incident
                                    LINK 0           LINK 1
          NODE    HEARD    QUORATE  1 2 3 4 5 6 7 8  1 2 3 4 5 6 7 8  BONDS
          pve-01  1 s ago  yes      . + + + + + + +  . + + + + + + +  bond0 2/2 802.3ad
          pve-02  1 s ago  yes      + . + + + + + +  + . + + + + + +  bond0 2/2 802.3ad
          pve-03  1 s ago  yes      + + . + + + + +  + + . + + + + +  bond0 2/2 802.3ad
          pve-04  1 s ago  yes      + + + . + + + +  + + + . + + + +  bond0 2/2 802.3ad
          pve-05  1 s ago  yes      + + + + . + + +  + + + + . + + +  bond0 2/2 802.3ad
          pve-06  1 s ago  yes      + + + + + . + +  + + + + + . + +  bond0 2/2 802.3ad
          pve-07  1 s ago  yes      + + + + + + . +  + + + + + + . +  bond0 2/2 802.3ad
          pve-08  1 s ago  yes      + + + + + + + .  + + + + + + + .  bond0 2/2 802.3ad
          + the row's node has the column's connected
    "#]],
    );
}

/// A one-way link, a node that is silent, a bond with one port, another partition.
fn troubled() -> v1::ClusterStatus {
    let names = names(8);
    let mut status = cluster(&names);
    status.is_authority = false;
    status.is_observer = true;
    status.votes.push(v1::VotesWord {
        sentence: "not quorate: 1 of 8 votes, 5 needed, 4 too few".to_owned(),
        whose: "pve-08 says so".to_owned(),
        ..v1::VotesWord::default()
    });
    set(&mut status, 1, 1, 3, v1::Way::Disconnected);
    for other in 0..7 {
        for link in 0..2 {
            set(&mut status, link, other, 7, v1::Way::Disconnected);
            set(&mut status, link, 7, other, v1::Way::Disconnected);
        }
    }
    for to in (0..8).filter(|to| *to != 4) {
        for link in 0..2 {
            set(&mut status, link, 4, to, v1::Way::Unspecified);
        }
    }
    let [one, _, three, four, silent, _, _, alone] = status.nodes.as_mut_slice() else {
        panic!("not eight");
    };
    one.skew_ms = Some(2_400);
    one.dropped = Some(v1::Dropped {
        events: 12,
        announcements: 0,
    });
    three.bonds.as_mut().unwrap().bonds = vec![bond(&["eno2 down"])];
    four.bonds = Some(v1::BondsStatus {
        unknown: "permission denied".to_owned(),
        bonds: vec![],
    });
    silent.standing = v1::Standing::Silent.into();
    silent.heard_ago_ms = Some(190_000);
    silent.bonds = Some(v1::BondsStatus {
        unknown: "the node is not heard".to_owned(),
        bonds: vec![],
    });
    alone.quorate = Some(false);
    status.findings = vec!["pve-05 has not been heard for 3 min\x1b[2J".to_owned()];
    status.incidents = vec![
        incident(
            3,
            v1::Severity::Warning,
            None,
            "bond0 of pve-03 runs on 1 of 2 ports: eno2 is down",
        ),
        incident(
            4,
            v1::Severity::Critical,
            None,
            "pve-08 is not in the membership of 6 of 6 peers",
        ),
        incident(
            5,
            v1::Severity::Warning,
            Some(4),
            "link 0 of pve-08 is down to all 7 peers",
        ),
        incident(
            6,
            v1::Severity::Warning,
            Some(4),
            "link 1 of pve-08 is down to all 7 peers",
        ),
    ];
    status
}

#[test]
fn a_one_way_link_an_unknown_row_and_a_lost_node_are_seen_at_once() {
    check(
        vec![troubled()],
        120,
        expect![[r#"
        pve (0b9d3a52): quorate: 8 of 8 votes, 5 needed (all 8 nodes say so)
          not quorate: 1 of 8 votes, 5 needed, 4 too few (pve-08 says so)
          this collector is an observer, and only looks on; the one that decides: unknown
          ! pve-05 has not been heard for 3 min\u{1b}[2J
          2 open incidents, and 2 more that are only effects; `quorate incidents NUMBER` opens one
          #4 critical: pve-08 is not in the membership of 6 of 6 peers (2 effects)
          #3 warning: bond0 of pve-03 runs on 1 of 2 ports: eno2 is down
                                              LINK 0           LINK 1
          NODE    HEARD              QUORATE  1 2 3 4 5 6 7 8  1 2 3 4 5 6 7 8  CLOCK          DROPPED    BONDS
          pve-01  1 s ago            yes      . + + + + + + -  . + + + + + + -  2400 ms ahead  12 events  bond0 2/2 802.3ad
          pve-02  1 s ago            yes      + . + + + + + -  + . + < + + + -  within 100 ms  nothing    bond0 2/2 802.3ad
          pve-03  1 s ago            yes      + + . + + + + -  + + . + + + + -  within 100 ms  nothing    bond0 1/2 802.3ad:
                                                                                                          eno2 down
          pve-04  1 s ago            yes      + + + . + + + -  + > + . + + + -  within 100 ms  nothing    unknown: permission
                                                                                                          denied
          pve-05  silent, 3 min ago  unknown  ? ? ? ? . ? ? ?  ? ? ? ? . ? ? ?  within 100 ms  nothing    unknown: the node is
                                                                                                          not heard
          pve-06  1 s ago            yes      + + + + + . + -  + + + + + . + -  within 100 ms  nothing    bond0 2/2 802.3ad
          pve-07  1 s ago            yes      + + + + + + . -  + + + + + + . -  within 100 ms  nothing    bond0 2/2 802.3ad
          pve-08  1 s ago            no       - - - - - - - .  - - - - - - - .  within 100 ms  nothing    bond0 2/2 802.3ad
          + the row's node has the column's connected; - it has not; > it has, but not the other way round; < only the other way
          round; ? unknown
    "#]],
    );
}

#[test]
fn on_eighty_columns_the_same_is_set_apart() {
    check(
        vec![troubled()],
        80,
        expect![[r#"
            pve (0b9d3a52): quorate: 8 of 8 votes, 5 needed (all 8 nodes say so)
              not quorate: 1 of 8 votes, 5 needed, 4 too few (pve-08 says so)
              this collector is an observer, and only looks on; the one that decides:
                unknown
              ! pve-05 has not been heard for 3 min\u{1b}[2J
              2 open incidents, and 2 more that are only effects; `quorate incidents NUMBER`
                opens one
              #4 critical: pve-08 is not in the membership of 6 of 6 peers (2 effects)
              #3 warning: bond0 of pve-03 runs on 1 of 2 ports: eno2 is down
                      LINK 0    LINK 1
              NODE    12345678  12345678
              pve-01  .++++++-  .++++++-
              pve-02  +.+++++-  +.+<+++-
              pve-03  ++.++++-  ++.++++-
              pve-04  +++.+++-  +>+.+++-
              pve-05  ????.???  ????.???
              pve-06  +++++.+-  +++++.+-
              pve-07  ++++++.-  ++++++.-
              pve-08  -------.  -------.
              + the row's node has the column's connected; - it has not; > it has, but not
              the other way round; < only the other way round; ? unknown
              pve-01: its clock is 2400 ms ahead; lost 12 events
              pve-03: bond0 1/2 802.3ad: eno2 down
              pve-04: bonds unknown: permission denied
              pve-05: silent, 3 min ago; unknown whether it is quorate; bonds unknown: the
                node is not heard
              pve-08: not quorate
              the other 3 nodes are heard and quorate, all 6 ports of their bonds are up
        "#]],
    );
}

#[test]
fn thirty_two_nodes_fit_on_eighty_columns_and_only_the_remarkable_ones_are_told() {
    let mut status = cluster(&names(32));
    set(&mut status, 1, 30, 2, v1::Way::Disconnected);
    set(&mut status, 0, 0, 31, v1::Way::Unspecified);
    status.nodes[6].bonds.as_mut().unwrap().bonds = vec![bond(&["eno2 down"])];
    check(
        vec![status],
        80,
        expect![[r#"
            pve (0b9d3a52): quorate: 32 of 32 votes, 17 needed (all 32 nodes say so)
              no open incident
                      LINK 0                            LINK 1
                      00000000011111111112222222222333  00000000011111111112222222222333
              NODE    12345678901234567890123456789012  12345678901234567890123456789012
              pve-01  .++++++++++++++++++++++++++++++?  .+++++++++++++++++++++++++++++++
              pve-02  +.++++++++++++++++++++++++++++++  +.++++++++++++++++++++++++++++++
              pve-03  ++.+++++++++++++++++++++++++++++  ++.+++++++++++++++++++++++++++>+
              pve-04  +++.++++++++++++++++++++++++++++  +++.++++++++++++++++++++++++++++
              pve-05  ++++.+++++++++++++++++++++++++++  ++++.+++++++++++++++++++++++++++
              pve-06  +++++.++++++++++++++++++++++++++  +++++.++++++++++++++++++++++++++
              pve-07  ++++++.+++++++++++++++++++++++++  ++++++.+++++++++++++++++++++++++
              pve-08  +++++++.++++++++++++++++++++++++  +++++++.++++++++++++++++++++++++
              pve-09  ++++++++.+++++++++++++++++++++++  ++++++++.+++++++++++++++++++++++
              pve-10  +++++++++.++++++++++++++++++++++  +++++++++.++++++++++++++++++++++
              pve-11  ++++++++++.+++++++++++++++++++++  ++++++++++.+++++++++++++++++++++
              pve-12  +++++++++++.++++++++++++++++++++  +++++++++++.++++++++++++++++++++
              pve-13  ++++++++++++.+++++++++++++++++++  ++++++++++++.+++++++++++++++++++
              pve-14  +++++++++++++.++++++++++++++++++  +++++++++++++.++++++++++++++++++
              pve-15  ++++++++++++++.+++++++++++++++++  ++++++++++++++.+++++++++++++++++
              pve-16  +++++++++++++++.++++++++++++++++  +++++++++++++++.++++++++++++++++
              pve-17  ++++++++++++++++.+++++++++++++++  ++++++++++++++++.+++++++++++++++
              pve-18  +++++++++++++++++.++++++++++++++  +++++++++++++++++.++++++++++++++
              pve-19  ++++++++++++++++++.+++++++++++++  ++++++++++++++++++.+++++++++++++
              pve-20  +++++++++++++++++++.++++++++++++  +++++++++++++++++++.++++++++++++
              pve-21  ++++++++++++++++++++.+++++++++++  ++++++++++++++++++++.+++++++++++
              pve-22  +++++++++++++++++++++.++++++++++  +++++++++++++++++++++.++++++++++
              pve-23  ++++++++++++++++++++++.+++++++++  ++++++++++++++++++++++.+++++++++
              pve-24  +++++++++++++++++++++++.++++++++  +++++++++++++++++++++++.++++++++
              pve-25  ++++++++++++++++++++++++.+++++++  ++++++++++++++++++++++++.+++++++
              pve-26  +++++++++++++++++++++++++.++++++  +++++++++++++++++++++++++.++++++
              pve-27  ++++++++++++++++++++++++++.+++++  ++++++++++++++++++++++++++.+++++
              pve-28  +++++++++++++++++++++++++++.++++  +++++++++++++++++++++++++++.++++
              pve-29  ++++++++++++++++++++++++++++.+++  ++++++++++++++++++++++++++++.+++
              pve-30  +++++++++++++++++++++++++++++.++  +++++++++++++++++++++++++++++.++
              pve-31  ++++++++++++++++++++++++++++++.+  ++<+++++++++++++++++++++++++++.+
              pve-32  +++++++++++++++++++++++++++++++.  +++++++++++++++++++++++++++++++.
              + the row's node has the column's connected; > it has, but not the other way
              round; < only the other way round; ? unknown
              pve-07: bond0 1/2 802.3ad: eno2 down
              the other 31 nodes are heard and quorate, all 62 ports of their bonds are up
        "#]],
    );
}

#[test]
fn no_line_is_wider_than_the_terminal_however_narrow_it_is() {
    for width in 20..140 {
        plain(vec![troubled()], width);
        plain(vec![cluster(&names(32))], width);
    }
}

#[test]
fn a_terminal_that_is_too_narrow_for_the_matrix_gets_it_in_words() {
    let mut status = cluster(&names(3));
    set(&mut status, 1, 0, 1, v1::Way::Disconnected);
    set(&mut status, 0, 2, 1, v1::Way::Unspecified);
    check(
        vec![status],
        16,
        expect![[r#"
        pve (0b9d3a52):
          quorate: 3 of
          3 votes, 2
          needed (all 3
          nodes say so)
          no open
            incident
                  LINK 0
          NODE    123
          pve-01  .++
          pve-02  +.+
          pve-03  +?.
                  LINK 1
          NODE    123
          pve-01  .<+
          pve-02  >.+
          pve-03  ++.
          + the row's
          node has the
          column's
          connected; >
          it has, but
          not the other
          way round; <
          only the other
          way round; ?
          unknown
          all 3 nodes
            are heard
            and quorate,
            all 6 ports
            of their
            bonds are up
    "#]],
    );
}

#[test]
fn names_that_do_not_end_alike_are_numbered() {
    let names = ["alpha", "beta", "gamma"].map(str::to_owned);
    let mut status = cluster(&names);
    set(&mut status, 0, 0, 2, v1::Way::NotConfigured);
    set(&mut status, 0, 2, 0, v1::Way::NotConfigured);
    check(
        vec![status],
        80,
        expect![[r#"
        pve (0b9d3a52): quorate: 3 of 3 votes, 2 needed (all 3 nodes say so)
          no open incident
                                      LINK 0  LINK 1
          NODE      HEARD    QUORATE  1 2 3   1 2 3   BONDS
           1 alpha  1 s ago  yes      . +     . + +   bond0 2/2 802.3ad
           2 beta   1 s ago  yes      + . +   + . +   bond0 2/2 802.3ad
           3 gamma  1 s ago  yes        + .   + + .   bond0 2/2 802.3ad
          + the row's node has the column's connected; blank: one of them has no such
          link
    "#]],
    );
}

#[test]
fn a_node_without_an_agent_has_a_row_all_the_same() {
    let mut status = cluster(&names(3));
    status.nodes.remove(1);
    for to in [0, 2] {
        for link in 0..2 {
            set(&mut status, link, 1, to, v1::Way::Unspecified);
        }
    }
    check(
        vec![status],
        80,
        expect![[r#"
        pve (0b9d3a52): quorate: 3 of 3 votes, 2 needed (all 3 nodes say so)
          no open incident
                                     LINK 0  LINK 1
          NODE    HEARD     QUORATE  1 2 3   1 2 3   BONDS
          pve-01  1 s ago   yes      . + +   . + +   bond0 2/2 802.3ad
          pve-02  no agent  unknown  ? . ?   ? . ?   unknown
          pve-03  1 s ago   yes      + + .   + + .   bond0 2/2 802.3ad
          + the row's node has the column's connected; ? unknown
    "#]],
    );
}

#[test]
fn a_reading_that_is_too_old_is_unknown() {
    let mut status = cluster(&names(2));
    status.votes.clear();
    status.nodes[0].corosync_age_ms = Some(FRESH_MS + 1);
    status.nodes[1].corosync_age_ms = None;
    for link in 0..2 {
        set(&mut status, link, 0, 1, v1::Way::Unspecified);
        set(&mut status, link, 1, 0, v1::Way::Unspecified);
    }
    check(
        vec![status],
        80,
        expect![[r#"
        pve (0b9d3a52): votes unknown: none of 2 nodes tells
          no open incident
                                    LINK 0  LINK 1
          NODE    HEARD    QUORATE  1 2     1 2     BONDS
          pve-01  1 s ago  unknown  . ?     . ?     bond0 2/2 802.3ad
          pve-02  1 s ago  unknown  ? .     ? .     bond0 2/2 802.3ad
          ? unknown
    "#]],
    );
}

#[test]
fn a_collector_that_is_not_sure_to_decide_says_so() {
    let mut status = cluster(&names(1));
    status.is_authority = false;
    status.incident_steps_waiting = 2;
    check(
        vec![status],
        100,
        expect![[r#"
            pve (0b9d3a52): quorate: 1 of 1 votes, 1 needed (pve-01 says so)
              this collector does not decide until it is settled which one does; the one that decides: unknown
              no open incident
              ! what is newer is not on the collector's disk yet, and not shown
              NODE    HEARD    QUORATE  BONDS
              pve-01  1 s ago  yes      bond0 2/2 802.3ad
        "#]],
    );
}

#[test]
fn several_clusters_of_one_name_are_told_apart_and_none_is_said() {
    let mut digest = cluster(&[]);
    digest.votes.clear();
    digest.cluster = Some(v1::Cluster {
        id: format!("sha256-{}", "0f".repeat(32)),
        name: "pve".to_owned(),
    });
    check(
        vec![cluster(&names(2)), digest],
        100,
        expect![[r#"
        pve (0b9d3a52): quorate: 2 of 2 votes, 2 needed (all 2 nodes say so)
          no open incident
                                    LINK 0  LINK 1
          NODE    HEARD    QUORATE  1 2     1 2     BONDS
          pve-01  1 s ago  yes      . +     . +     bond0 2/2 802.3ad
          pve-02  1 s ago  yes      + .     + .     bond0 2/2 802.3ad
          + the row's node has the column's connected

        pve (0f0f0f0f): votes unknown
          no open incident
          no node has joined
    "#]],
    );
    check(
        Vec::new(),
        60,
        expect![[r#"
        no cluster has joined the collector at 192.0.2.10:7460;
          `quorate-collector token create` there shows how
    "#]],
    );
}
