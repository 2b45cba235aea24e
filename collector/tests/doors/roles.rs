//! What a certificate may be used for: the table of roles in the code, in the docs, and at the door.

use model::identity::Role;
use proto::role::ON_BEHALF_OF;
use proto::v1;
use quorate_collector::role::{Caller, MATRIX};
use tonic::{Code, Request};

use crate::house::House;

const ARCHITECTURE: &str = include_str!("../../../docs/architecture.md");

#[test]
fn the_table_in_the_docs_is_the_one_in_the_code() {
    let head = format!(
        "| method | {} |",
        Caller::ALL.map(Caller::as_str).join(" | ")
    );
    let rows = ARCHITECTURE.lines().skip_while(|line| *line != head);
    let rows: Vec<&str> = rows
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    let expect: Vec<String> = MATRIX
        .iter()
        .map(|(method, scopes)| {
            let cells = scopes.map(|scope| scope.as_str()).join(" | ");
            format!("| `{method}` | {cells} |")
        })
        .collect();
    assert_eq!(rows, expect, "docs/architecture.md, below {head}");
}

/// What has no row is nobody's, and would be missed late.
#[test]
fn every_method_of_the_wire_has_its_row() {
    let files = [
        (
            "Alerts",
            include_str!("../../../proto/proto/quorate/v1/alerts.proto"),
        ),
        (
            "Fleet",
            include_str!("../../../proto/proto/quorate/v1/fleet.proto"),
        ),
        (
            "Gate",
            include_str!("../../../proto/proto/quorate/v1/gate.proto"),
        ),
        (
            "Query",
            include_str!("../../../proto/proto/quorate/v1/query.proto"),
        ),
    ];
    let mut methods = Vec::new();
    for (service, text) in files {
        let rpcs = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("rpc "));
        let names = rpcs.filter_map(|rpc| rpc.split('(').next());
        methods.extend(names.map(|name| format!("quorate.v1.{service}/{name}")));
    }
    let rows = MATRIX.iter().map(|(method, _)| *method);
    let rows: Vec<&str> = rows.filter(|method| method.contains('/')).collect();
    methods.sort_unstable();
    let mut sorted = rows.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, methods);
}

fn as_root<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let root = "root".parse().unwrap();
    request.metadata_mut().insert(ON_BEHALF_OF, root);
    request
}

fn check(nodes: &[&str]) -> v1::CheckRequest {
    v1::CheckRequest {
        nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
        action: v1::Action::Reboot.into(),
        ..v1::CheckRequest::default()
    }
}

fn begin(nodes: &[&str]) -> v1::BeginRequest {
    v1::BeginRequest {
        check: Some(check(nodes)),
        reason: "kernel".to_owned(),
        ..v1::BeginRequest::default()
    }
}

#[tokio::test]
async fn root_on_a_node_may_ask_about_all_and_take_a_lease_for_its_own_alone() {
    let house = House::open().await;
    let badge = house.agent("pve-01").await;
    let mut gate = house.gate(&badge).await;

    let verdict = gate.check(as_root(check(&["pve-02"]))).await.unwrap();
    let verdict = verdict.into_inner();
    assert_eq!(verdict.answer(), v1::Answer::Unknown);
    assert!(verdict.sentence.starts_with("UNKNOWN - "));
    let own = gate.begin(as_root(begin(&["pve-01"]))).await.unwrap();
    let own = own.into_inner();
    assert_eq!(own.verdict.unwrap().answer(), v1::Answer::Unknown);
    assert_eq!(own.lease, None);
    house.log.line("root@pve-01 at ").await;

    for nodes in [&["pve-02"][..], &["pve-01", "pve-02"]] {
        let refused = gate.begin(as_root(begin(nodes))).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    house
        .log
        .line("root@pve-01: pve-01 may ask this for itself alone, and not for pve-02")
        .await;
    let end = v1::EndRequest {
        node: "pve-02".to_owned(),
        ..v1::EndRequest::default()
    };
    let refused = gate.end(as_root(end)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let refused = gate.r#break(as_root(v1::BreakRequest::default())).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    house
        .log
        .line("quorate.v1.Gate/Break is not for the role node-operator")
        .await;
    house.is_well_for(&badge).await;
}

#[tokio::test]
async fn an_agent_by_itself_has_no_business_at_the_gate() {
    let house = House::open().await;
    let badge = house.agent("pve-01").await;
    let mut gate = house.gate(&badge).await;
    let refused = gate.check(check(&["pve-01"])).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let mut other = Request::new(check(&["pve-01"]));
    let somebody = "somebody".parse().unwrap();
    other.metadata_mut().insert(ON_BEHALF_OF, somebody);
    let refused = gate.check(other).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    house
        .log
        .line("quorate.v1.Gate/Check is not for the role agent")
        .await;
}

#[tokio::test]
async fn a_viewer_may_look_and_take_nothing() {
    let house = House::open().await;
    let badge = house.agent("pve-01").await;
    let viewer = house.person(Role::Viewer, "grafana");
    let mut gate = house.gate(&viewer).await;
    gate.check(check(&["pve-01"])).await.unwrap();
    let leases = v1::ListLeasesRequest::default();
    gate.list_leases(leases).await.unwrap();
    let refused = gate.begin(begin(&["pve-01"])).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let line = house
        .log
        .line("quorate.v1.Gate/Begin is not for the role viewer")
        .await;
    assert!(line.contains("quorate://all/viewer/grafana"), "{line}");
    let refused = gate.check(as_root(check(&["pve-01"]))).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let refused = house.stream(&viewer).await.err().unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied);
    house.is_well_for(&badge).await;
}

#[tokio::test]
async fn an_operator_may_break_a_lease_and_speaks_for_no_node() {
    let house = House::open().await;
    let badge = house.agent("pve-01").await;
    let operator = house.person(Role::Operator, "anna");
    let mut gate = house.gate(&operator).await;
    let asked = v1::BreakRequest {
        node: "pve-01".to_owned(),
        reason: "gone for good".to_owned(),
        ..v1::BreakRequest::default()
    };
    let answer = gate.r#break(asked).await.unwrap().into_inner();
    // Nobody heard of it yet.
    let verdict = answer.verdict.unwrap();
    assert_eq!(
        (verdict.answer(), answer.is_done),
        (v1::Answer::Unknown, false)
    );
    assert_eq!(verdict.reasons[0].kind, "no-such-node");
    house.log.line("quorate://all/operator/anna at ").await;
    let refused = house.stream(&operator).await.err().unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let unknown = v1::CheckRequest {
        cluster: "elsewhere".to_owned(),
        ..check(&["pve-01"])
    };
    let refused = gate.check(unknown).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let nobody = gate.check(check(&[])).await.unwrap_err();
    assert_eq!(nobody.code(), Code::InvalidArgument);
    house.is_well_for(&badge).await;
}
