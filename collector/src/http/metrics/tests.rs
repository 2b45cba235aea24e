use std::collections::BTreeMap;
use std::time::Instant;

use axum::http::HeaderValue;
use expect_test::expect;
use model::fact::corosync::Corosync;
use model::fleet::Hearing;
use model::identity::ClusterId;
use model::lease::Leases;
use model::name::NodeName;
use model::reading::Reading;
use model::report::{Fact, Family};
use proto::fact::ReadFact;

use super::*;
use crate::alerts::ReceiverHealth;
use crate::keeper::view::{AgedFact, ClusterView, NodeView};
use crate::keeper::{Now, Own};
use crate::ledger::decision::Revision;
use crate::refusal::Reason;
use table::ALL;

const NOW: Now = Now {
    mono_ms: 10_000_000,
    unix_ms: 1_800_000_000_000,
};

/// What one node says of its part: whether it is quorate, its votes, and how long ago it was heard.
type Says = (Hearing, Option<(bool, u32)>, u64);

fn node((hearing, votes, ago_ms): Says) -> Arc<NodeView> {
    let corosync = votes.map(|(is_quorate, votes)| Corosync {
        quorate: Some(is_quorate),
        total_votes: Some(votes),
        quorum: Some(2),
        expected_votes: Some(3),
        ..Corosync::default()
    });
    let aged = |corosync| AgedFact {
        fact: Arc::new(ReadFact {
            fact: Arc::new(Fact::Corosync(Reading::Known {
                value: corosync,
                at: Timestamp::UNIX_EPOCH,
                problems: Vec::new(),
            })),
            read_at_boottime_ms: 1,
        }),
        read_at_ms: (NOW.mono_ms - ago_ms).cast_signed(),
    };
    let facts = corosync.map(|corosync| (Family::Corosync, aged(corosync)));
    Arc::new(NodeView {
        hearing,
        heard_at_ms: (hearing != Hearing::NeverHeard).then_some(NOW.mono_ms - ago_ms),
        agent_version: String::new(),
        skew_ms: None,
        boot_id: String::new(),
        facts: facts.into_iter().collect(),
        events_kept: 0,
        dropped: None,
        findings: Vec::new(),
    })
}

fn view(name: &str, says: &[Says]) -> ClusterView {
    let nodes = (1..).zip(says);
    let named = |(number, says): (u32, &Says)| {
        let name = NodeName::new(format!("pve-{number:02}")).unwrap();
        (name, node(*says))
    };
    ClusterView {
        cluster: ClusterId::new("0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c").unwrap(),
        name: name.to_owned(),
        own: Own {
            collector: String::new(),
            epoch: 1,
            is_authority: true,
        },
        is_authority: true,
        authority: None,
        nodes: nodes.map(named).collect::<BTreeMap<_, _>>(),
        findings: Vec::new(),
        found: Arc::default(),
        incidents: Arc::default(),
        leases: Some(Arc::new(Leases::default())),
        alerts: Arc::default(),
        alerts_kept: Arc::default(),
        are_alerts_kept: true,
        well_since_ms: None,
        steps_waiting: 0,
        revision: Revision(7),
        last_place: 42,
    }
}

const SPEAKS: Says = (Hearing::Connected, Some((true, 3)), 1_500);

fn picture(views: Vec<ClusterView>) -> Picture {
    let views = views.into_iter().map(Arc::new);
    Picture {
        now: NOW,
        version: "0.1.0",
        started_unix_s: 1_799_999_000,
        can_write: true,
        ledger_bytes: Some(4_096),
        connections: 3,
        refusals: vec![(Reason::NoCertificate, 2)],
        given: [("GO", 1), ("WARN", 0), ("NO-GO", 2), ("UNKNOWN", 0)],
        receivers: vec![
            ReceiverHealth {
                name: "slack-ops".to_owned(),
                kind: "slack".to_owned(),
                ..ReceiverHealth::default()
            },
            ReceiverHealth {
                name: "mail-ops".to_owned(),
                kind: "mail".to_owned(),
                failing_since_unix_ms: 1_799_999_999_500,
                why: "550 secret".to_owned(),
            },
        ],
        clusters: views.map(|view| OfCluster::new(view, NOW)).collect(),
    }
}

fn text(view: ClusterView) -> String {
    Form::Prometheus.text(picture(vec![view])).unwrap()
}

/// The values of these metrics, without help, type and the labels of the cluster.
fn values(text: &str, names: &str) -> Vec<String> {
    let cluster = "cluster=\"pve\",cluster_id=\"0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c\"";
    let lines = text.lines().filter(|line| line.starts_with(names));
    lines.map(|line| line.replace(cluster, "")).collect()
}

#[test]
fn the_older_text_names_a_counter_as_its_values_are_named() {
    let text = text(view("pve", &[SPEAKS, (Hearing::Silent, None, 90_000)]));
    let without_help: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("# HELP"))
        .collect();
    expect![[r##"
        # TYPE quorate_build_info gauge
        quorate_build_info{version="0.1.0"} 1
        # TYPE quorate_start_time_seconds gauge
        quorate_start_time_seconds 1799999000
        # TYPE quorate_ledger_writable gauge
        quorate_ledger_writable 1
        # TYPE quorate_ledger_size_bytes gauge
        quorate_ledger_size_bytes 4096
        # TYPE quorate_connections gauge
        quorate_connections 3
        # TYPE quorate_refusals_total counter
        quorate_refusals_total{reason="no-certificate"} 2
        # TYPE quorate_verdicts_total counter
        quorate_verdicts_total{answer="GO"} 1
        quorate_verdicts_total{answer="WARN"} 0
        quorate_verdicts_total{answer="NO-GO"} 2
        quorate_verdicts_total{answer="UNKNOWN"} 0
        # TYPE quorate_receiver_failing gauge
        quorate_receiver_failing{receiver="slack-ops",kind="slack"} 0
        quorate_receiver_failing{receiver="mail-ops",kind="mail"} 1
        # TYPE quorate_receiver_failing_since_timestamp_seconds gauge
        quorate_receiver_failing_since_timestamp_seconds{receiver="mail-ops",kind="mail"} 1799999999.5
        # TYPE quorate_cluster_authority gauge
        quorate_cluster_authority{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c"} 1
        # TYPE quorate_cluster_nodes gauge
        quorate_cluster_nodes{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c",standing="connected"} 1
        quorate_cluster_nodes{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c",standing="silent"} 1
        quorate_cluster_nodes{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c",standing="never-heard"} 0
        quorate_cluster_nodes{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c",standing="revoked"} 0
        # TYPE quorate_node_last_heard_age_seconds gauge
        quorate_node_last_heard_age_seconds{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c",node="pve-01"} 1.5
        quorate_node_last_heard_age_seconds{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c",node="pve-02"} 90.0
        # TYPE quorate_cluster_quorate gauge
        quorate_cluster_quorate{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c"} 1
        # TYPE quorate_cluster_votes gauge
        quorate_cluster_votes{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c"} 3
        # TYPE quorate_cluster_votes_expected gauge
        quorate_cluster_votes_expected{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c"} 3
        # TYPE quorate_cluster_votes_needed gauge
        quorate_cluster_votes_needed{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c"} 2
        # TYPE quorate_cluster_votes_margin gauge
        quorate_cluster_votes_margin{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c"} 1
        # TYPE quorate_cluster_incidents gauge
        quorate_cluster_incidents{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c",severity="info"} 0
        quorate_cluster_incidents{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c",severity="warning"} 0
        quorate_cluster_incidents{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c",severity="critical"} 0
        # TYPE quorate_cluster_lease_held gauge
        quorate_cluster_lease_held{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c"} 0
        # TYPE quorate_cluster_events_total counter
        quorate_cluster_events_total{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c"} 42
        # TYPE quorate_cluster_ledger_revision gauge
        quorate_cluster_ledger_revision{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c"} 7
        # TYPE quorate_cluster_alerts_owed gauge
        quorate_cluster_alerts_owed{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c"} 0
        # TYPE quorate_cluster_alerts_given_up_total counter
        quorate_cluster_alerts_given_up_total{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c"} 0"##]].assert_eq(&without_help.join("\n"));
}

#[test]
fn openmetrics_names_units_and_families_and_says_where_it_ends() {
    let all = Form::OpenMetrics
        .text(picture(vec![view("pve", &[SPEAKS])]))
        .unwrap();
    let some = ["refusals", "ledger_size", "node_last", "cluster_events"];
    let is_shown = |line: &&str| {
        some.iter()
            .any(|name| line.contains(&format!("quorate_{name}")))
    };
    let shown: Vec<&str> = all.lines().filter(is_shown).collect();
    expect![[r##"
        # HELP quorate_ledger_size_bytes Size of the ledger's file and its log, looked at every 10 s.
        # TYPE quorate_ledger_size_bytes gauge
        # UNIT quorate_ledger_size_bytes bytes
        quorate_ledger_size_bytes 4096
        # HELP quorate_refusals How often somebody was refused, by reason.
        # TYPE quorate_refusals counter
        quorate_refusals_total{reason="no-certificate"} 2
        # HELP quorate_node_last_heard_age_seconds How long ago the node's agent was heard; left out where it was not heard since the collector started, or is revoked.
        # TYPE quorate_node_last_heard_age_seconds gauge
        # UNIT quorate_node_last_heard_age_seconds seconds
        quorate_node_last_heard_age_seconds{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c",node="pve-01"} 1.5
        # HELP quorate_cluster_events Events of the nodes that were ever kept.
        # TYPE quorate_cluster_events counter
        quorate_cluster_events_total{cluster="pve",cluster_id="0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c"} 42"##]].assert_eq(&shown.join("\n"));
    assert!(all.ends_with("\n# EOF\n"), "{all}");
    assert_eq!(all.matches("# EOF").count(), 1);
}

#[test]
fn what_is_not_known_is_left_out_and_is_no_zero() {
    let nobody = view("pve", &[(Hearing::Silent, Some((true, 3)), 90_000)]);
    let said = text(nobody);
    assert_eq!(values(&said, "quorate_cluster_votes"), [""; 0]);
    assert_eq!(values(&said, "quorate_cluster_quorate"), [""; 0]);
    let unread = ClusterView {
        leases: None,
        ..view("pve", &[SPEAKS, (Hearing::NeverHeard, None, 0)])
    };
    let said = text(unread);
    for name in ["incidents", "lease", "events", "ledger", "alerts"] {
        assert_eq!(values(&said, &format!("quorate_cluster_{name}")), [""; 0]);
    }
    assert_eq!(
        values(&said, "quorate_node_last_heard"),
        ["quorate_node_last_heard_age_seconds{,node=\"pve-01\"} 1.5"]
    );
    let not_written = ClusterView {
        are_alerts_kept: false,
        ..view("pve", &[SPEAKS])
    };
    assert_eq!(
        values(&text(not_written), "quorate_cluster_incidents"),
        [""; 0]
    );
    let no_size = Picture {
        ledger_bytes: None,
        ..picture(Vec::new())
    };
    let said = Form::Prometheus.text(no_size).unwrap();
    assert_eq!(values(&said, "quorate_ledger_size_bytes"), [""; 0]);
}

#[test]
fn an_observer_says_nothing_of_leases_and_alerts() {
    let mut observer = view("pve", &[SPEAKS]);
    observer.own.is_authority = false;
    observer.is_authority = false;
    let said = text(observer);
    assert_eq!(
        values(&said, "quorate_cluster_authority"),
        ["quorate_cluster_authority{} 0"]
    );
    for name in ["lease", "alerts"] {
        assert_eq!(values(&said, &format!("quorate_cluster_{name}")), [""; 0]);
    }
}

#[track_caller]
fn check_votes(says: &[Says], expect: &[&str]) {
    let said = text(view("pve", says));
    let names = ["quorate", "votes{", "votes_margin"];
    let found = names
        .iter()
        .flat_map(|name| values(&said, &format!("quorate_cluster_{name}")));
    let found: Vec<String> = found
        .map(|line| line.replace("quorate_cluster_", "").replace("{}", ""))
        .collect();
    assert_eq!(found, expect);
}

#[test]
fn of_parts_the_quorate_one_counts_and_of_contradicting_words_the_worse() {
    let with = |votes| (Hearing::Connected, Some(votes), 1_000);
    let (whole, small) = (with((true, 3)), with((false, 1)));
    check_votes(
        &[whole, whole, small],
        &["quorate 1", "votes 3", "votes_margin 1"],
    );
    check_votes(
        &[whole, with((true, 2))],
        &["quorate 1", "votes 2", "votes_margin 0"],
    );
    check_votes(&[small, small], &["quorate 0", "votes 1"]);
    check_votes(&[(Hearing::Connected, Some((true, 3)), 3_600_000)], &[]);
}

#[test]
fn a_name_that_is_more_than_a_word_stays_one_label() {
    let said = text(view("a \"b\"\\ c", &[SPEAKS]));
    assert!(
        said.contains("quorate_cluster_quorate{cluster=\"a \\\"b\\\"\\\\ c\",cluster_id="),
        "{said}"
    );
}

#[test]
fn why_a_receiver_fails_is_not_told() {
    let said = text(view("pve", &[SPEAKS]));
    assert!(!said.contains("secret"), "{said}");
}

#[track_caller]
fn check_form(accept: Option<&'static str>, expect: Form) {
    let mut headers = HeaderMap::new();
    if let Some(accept) = accept {
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    }
    assert_eq!(Form::wanted(&headers), expect, "{accept:?}");
}

#[test]
fn openmetrics_is_for_whoever_asks_for_it() {
    let of_prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                         text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    check_form(Some(of_prometheus), Form::OpenMetrics);
    check_form(Some("application/openmetrics-text"), Form::OpenMetrics);
    let of_its_third = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;q=0.3";
    check_form(Some(of_its_third), Form::OpenMetrics);
    for other in [
        "*/*",
        "text/plain",
        "application/openmetrics-text; version=0.0.1",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.1,text/plain;q=0.9",
        "application/openmetrics-text;q=much",
    ] {
        check_form(Some(other), Form::Prometheus);
    }
    check_form(None, Form::Prometheus);
}

#[test]
fn the_page_shows_every_metric_as_it_is_and_every_reason() {
    let page = include_str!("../../../../docs/metrics.md");
    let shown: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| `quorate_"))
        .collect();
    let row = |family: &family::Family| {
        let labels: Vec<String> = family
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let (name, kind, help) = (family.name, family.kind.name(), family.help);
        format!("| `{name}` | {kind} | {} | {help} |", labels.join(", "))
    };
    let rows: Vec<String> = ALL.iter().map(row).collect();
    assert_eq!(shown.join("\n"), rows.join("\n"));
    let reasons: Vec<String> = Reason::ALL
        .iter()
        .map(|reason| format!("| `{}` | {} |", reason.word(), reason.sentence()))
        .collect();
    assert!(page.contains(&reasons.join("\n")), "{}", reasons.join("\n"));
}

#[test]
fn a_thousand_clusters_take_well_under_a_second() {
    let of_eight = view("pve", &[SPEAKS; 8]);
    let views = (0..1_000).map(|number| ClusterView {
        cluster: ClusterId::new(format!("{number:08x}-6a36-4d0a-9f3c-0c6f7f1e2d3c")).unwrap(),
        ..of_eight.clone()
    });
    let picture = picture(views.collect());
    let begun = Instant::now();
    let text = Form::OpenMetrics.text(picture).unwrap();
    let took = begun.elapsed();
    assert_eq!(
        text.matches("\nquorate_node_last_heard_age_seconds{")
            .count(),
        8_000
    );
    assert!(took.as_millis() < 500, "{took:?}");
}
