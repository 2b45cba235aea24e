//! Incidents, as they stand on a terminal without colours. Times are those of the zone that the tests run in, and left out.

use expect_test::{Expect, expect};

use super::*;

fn incident(number: u64, cause: Option<u64>, sentence: &str) -> v1::Incident {
    v1::Incident {
        number,
        rule: "bond-degraded".to_owned(),
        severity: v1::Severity::Warning.into(),
        sentence: sentence.to_owned(),
        cause,
        is_found: true,
        ..v1::Incident::default()
    }
}

fn cluster() -> v1::ClusterStatus {
    let seen = |node: &str, age_ms| v1::Evidence {
        node: node.to_owned(),
        words: "eno2: MII status down".to_owned(),
        age_ms,
        ..v1::Evidence::default()
    };
    let cause = v1::Incident {
        severity: v1::Severity::Critical.into(),
        returns: 2,
        remedy: "Look at the switch: its power, its management page.".to_owned(),
        way_back: "Put the old cable back.".to_owned(),
        evidence: vec![seen("pve-01", Some(3_000)), seen("pve-02", None)],
        lines: vec![v1::IncidentLine {
            at_unix_ms: 0,
            sentence: "switch sw-a is gone".to_owned(),
        }],
        ..incident(
            7,
            None,
            "switch sw-a is gone: 2 nodes have no carrier on their ports to it",
        )
    };
    v1::ClusterStatus {
        incidents: vec![
            cause,
            incident(
                8,
                Some(7),
                "bond0 of pve-01 runs on 1 of 2 ports: eno2 is down",
            ),
            incident(
                9,
                Some(7),
                "bond0 of pve-02 runs on 1 of 2 ports: eno2 is down",
            ),
        ],
        ..v1::ClusterStatus::default()
    }
}

#[track_caller]
#[allow(clippy::needless_pass_by_value, reason = "expect! gives a value")]
fn check(text: &str, expected: Expect) {
    let text = anstream::adapter::strip_str(text).to_string();
    assert!(
        text.lines().all(|line| line.chars().count() <= 60),
        "{text}"
    );
    let epoch = show::moment(0);
    expected.assert_eq(&text.replace(&epoch, "THEN"));
}

#[test]
fn one_incident_is_opened_up() {
    let status = cluster();
    check(
        &of_one(&status, &status.incidents[0], Some(60)),
        expect![[r#"
            #7 critical: switch sw-a is gone: 2 nodes have no carrier on
              their ports to it
              since THEN, came back 2 times
              found by the rule bond-degraded: `quorate explain
                bond-degraded` says what it means

            Evidence
              pve-01: eno2: MII status down (3 s ago)
              pve-02: eno2: MII status down (age unknown)

            What to do
              Look at the switch: its power, its management page.

            Way back
              Put the old cable back.

            Effects
              #8 warning: bond0 of pve-01 runs on 1 of 2 ports: eno2 is
                down
              #9 warning: bond0 of pve-02 runs on 1 of 2 ports: eno2 is
                down

            What happened
              THEN  switch sw-a is gone
        "#]],
    );
    check(
        &of_one(&status, &status.incidents[1], Some(60)),
        expect![[r#"
            #8 warning: bond0 of pve-01 runs on 1 of 2 ports: eno2 is
              down
              since THEN
              it is only an effect of #7: switch sw-a is gone: 2 nodes
                have no carrier on their ports to it
              found by the rule bond-degraded: `quorate explain
                bond-degraded` says what it means
        "#]],
    );
}

#[test]
fn what_people_said_of_it_stands_with_it() {
    let mut status = cluster();
    let cause = &mut status.incidents[0];
    cause.acknowledgement = Some(v1::Acknowledgement {
        incident: 7,
        by: "anna".to_owned(),
        reason: "the new one comes tomorrow".to_owned(),
        ..v1::Acknowledgement::default()
    });
    cause.silence = Some(v1::Silence {
        id: 3,
        by: "ben".to_owned(),
        reason: "new\u{1b}cables".to_owned(),
        ..v1::Silence::default()
    });
    cause.evidence.clear();
    cause.lines.clear();
    status.incidents.truncate(1);
    check(
        &of_one(&status, &status.incidents[0], Some(60)),
        expect![[r#"
            #7 critical: switch sw-a is gone: 2 nodes have no carrier on
              their ports to it
              since THEN, came back 2 times
              acknowledged by anna at THEN: the new one
                comes tomorrow
              silenced until THEN by ben (silence 3):
                new\u{1b}cables
              found by the rule bond-degraded: `quorate explain
                bond-degraded` says what it means

            What to do
              Look at the switch: its power, its management page.

            Way back
              Put the old cable back.
        "#]],
    );
}

#[test]
fn the_list_has_each_cause_once() {
    let answered = Answered {
        address: String::new(),
        status: v1::GetStatusResponse {
            collector: None,
            clusters: vec![cluster()],
        },
        receivers: std::collections::BTreeMap::new(),
    };
    check(
        &of_incidents(&answered, false, Some(60)),
        expect![[r#"
        : 1 open incident
          #7 critical: switch sw-a is gone: 2 nodes have no carrier
            on their ports to it
            since THEN, came back 2 times; quorate
              explain bond-degraded
            2 more are only its effects: quorate incidents 7 shows
              them
            pve-01: eno2: MII status down (3 s ago)
            pve-02: eno2: MII status down (age unknown)
            Look at the switch: its power, its management page.
            Way back: Put the old cable back.
    "#]],
    );
}
