//! Silences and acknowledgements at the door: who may say what, what becomes of it, and that it can be read in the log.

use std::time::Duration;

use jiff::Timestamp;
use model::identity::Role;
use proto::role::ON_BEHALF_OF;
use proto::v1;
use proto::v1::agent_message::Message;
use proto::v1::alerts_client::AlertsClient;
use proto::v1::query_client::QueryClient;
use quorate_collector::authority::Duty;
use serde_json::Value;
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::house::{Badge, House, PATIENCE, VERSION};
use crate::speaking::{Line, hello};

type Alerts = AlertsClient<Channel>;

const HOUR_MS: i64 = 3_600_000;

async fn alerts(house: &House, badge: &Badge) -> Alerts {
    AlertsClient::new(house.connect(badge).await)
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

fn silence(rule: &str, subject: &str) -> v1::SilenceRequest {
    v1::SilenceRequest {
        rule: rule.to_owned(),
        subject: subject.to_owned(),
        until_unix_ms: now() + HOUR_MS,
        reason: "new cables".to_owned(),
        ..v1::SilenceRequest::default()
    }
}

fn acknowledge(incident: u64) -> v1::AcknowledgeRequest {
    v1::AcknowledgeRequest {
        incident,
        reason: "the new switch comes tomorrow".to_owned(),
        ..v1::AcknowledgeRequest::default()
    }
}

fn as_root<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let root = "root".parse().unwrap();
    request.metadata_mut().insert(ON_BEHALF_OF, root);
    request
}

async fn silences(alerts: &mut Alerts) -> v1::ListSilencesResponse {
    let list = v1::ListSilencesRequest::default();
    alerts.list_silences(list).await.unwrap().into_inner()
}

#[track_caller]
fn check_not_allowed<T: std::fmt::Debug>(asked: Result<T, Status>) {
    assert_eq!(asked.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn an_operator_silences_everybody_sees_it_and_an_operator_ends_it() {
    let house = House::whole(Duty::Authority).await;
    let agent = house.agent("pve-01").await;
    let operator = house.person(Role::Operator, "anna");
    let viewer = house.person(Role::Viewer, "grafana");
    let mut anna = alerts(&house, &operator).await;

    let asked = anna.silence(silence("bond-*", "pve-0[1-3]")).await;
    let answer = asked.unwrap().into_inner();
    assert_eq!(answer.outcome(), v1::Outcome::Done, "{answer:?}");
    let made = answer.silence.clone().unwrap();
    assert_eq!(
        (made.id, made.holds, made.rule.as_str()),
        (1, true, "bond-*")
    );
    assert_eq!(made.by, "quorate://all/operator/anna");
    assert_eq!(answer.sentence, made.sentence);
    let begins = "silence 1: rule bond-*, subject pve-0[1-3]: until ";
    assert!(answer.sentence.starts_with(begins), "{}", answer.sentence);
    let ends = ", by quorate://all/operator/anna: new cables";
    assert!(answer.sentence.ends_with(ends), "{}", answer.sentence);
    let json: Value = serde_json::from_str(&answer.json).unwrap();
    assert_eq!(json["outcome"], "done");
    assert_eq!(json["silence"]["id"], 1);
    assert_eq!(json["acknowledgement"], Value::Null);
    let line = house.log.line("asked to silence ").await;
    let expect = "quorate://all/operator/anna at 127.0.0.1:";
    assert!(line.contains(expect), "{line}");
    let expect =
        "silence rule bond-*, subject pve-0[1-3] of the cluster \"pve\": done: silence 1: ";
    assert!(line.contains(expect), "{line}");

    let mut grafana = alerts(&house, &viewer).await;
    assert_eq!(silences(&mut grafana).await.silences, [made]);
    let mut root = alerts(&house, &agent).await;
    let list = as_root(v1::ListSilencesRequest::default());
    let list = root.list_silences(list).await.unwrap().into_inner();
    assert_eq!(list.silences.len(), 1);

    let expire = |id| v1::ExpireRequest {
        id,
        ..v1::ExpireRequest::default()
    };
    let ended = anna.expire(expire(1)).await.unwrap().into_inner();
    assert_eq!(ended.outcome(), v1::Outcome::Done, "{ended:?}");
    let over = ended.silence.unwrap();
    assert!(!over.holds);
    assert_eq!(over.ended_by, "quorate://all/operator/anna");
    let list = silences(&mut grafana).await;
    assert!(!list.silences[0].holds, "{list:?}");
    let json: Value = serde_json::from_str(&list.json).unwrap();
    assert_eq!(json["silences"][0]["holds"], false);
    let again = anna.expire(expire(1)).await.unwrap().into_inner();
    assert_eq!(again.outcome(), v1::Outcome::Refused);
    assert_eq!(
        again.sentence,
        "there is no silence 1 that holds: `quorate silence list` has them all"
    );
    house
        .log
        .line("asked to expire silence 1 of the cluster \"pve\": refused: there is no")
        .await;
}

fn bond_with_one_port() -> v1::Fact {
    let json = r#"[{"name":"bond0","monitor_targets":[],"slaves":[
        {"name":"eno1","mii_status":"up","speed_unknown":false},
        {"name":"eno2","mii_status":"down","speed_unknown":false}]}]"#;
    v1::Fact {
        family: v1::Family::Bonds.into(),
        read_at_boottime_ms: 999,
        state: Some(v1::fact::State::Known(v1::Known {
            json: json.to_owned(),
            at_unix_ms: now(),
            problems: Vec::new(),
        })),
    }
}

/// Of the bond; as soon as there is one and this is so.
async fn incident(
    house: &House,
    badge: &Badge,
    line: &Line,
    is_so: fn(&v1::Incident) -> bool,
) -> v1::Incident {
    let mut query = QueryClient::new(house.connect(badge).await);
    let found = timeout(PATIENCE, async {
        for number in 1.. {
            line.say(Message::Heartbeat(v1::Heartbeat {
                number,
                revision: 1,
                ..v1::Heartbeat::default()
            }))
            .await;
            let status = query.get_status(v1::GetStatusRequest::default()).await;
            let clusters = status.unwrap().into_inner().clusters.into_iter();
            let mut all = clusters.flat_map(|cluster| cluster.incidents);
            let is_it = |one: &v1::Incident| one.rule == "bond-degraded" && is_so(one);
            if let Some(found) = all.find(is_it) {
                return found;
            }
            sleep(Duration::from_millis(500)).await;
        }
        unreachable!("the numbers have no end")
    });
    found.await.expect("there is no such incident")
}

#[tokio::test]
async fn an_open_incident_is_acknowledged_and_silenced_and_says_so() {
    let house = House::whole(Duty::Authority).await;
    let agent = house.agent("pve-01").await;
    let operator = house.person(Role::Operator, "anna");
    let line = Line::open(&house, &agent, hello("pve-01", VERSION)).await;
    let line = line.unwrap();
    let facts = vec![bond_with_one_port()];
    line.say(Message::Report(v1::Report { revision: 1, facts }))
        .await;
    let open = incident(&house, &operator, &line, |_| true).await;
    assert_eq!((open.acknowledgement, open.silence), (None, None));

    let mut anna = alerts(&house, &operator).await;
    let answer = anna.acknowledge(acknowledge(open.number)).await;
    let answer = answer.unwrap().into_inner();
    assert_eq!(answer.outcome(), v1::Outcome::Done, "{answer:?}");
    let known = answer.acknowledgement.unwrap();
    assert_eq!(known.incident, open.number);
    let begins = format!(
        "#{} is known to quorate://all/operator/anna since ",
        open.number
    );
    assert!(answer.sentence.starts_with(&begins), "{}", answer.sentence);
    // The name of a node is everything of it.
    for (rule, subject) in [("", "pve-01"), ("vlan-*", "")] {
        let made = anna.silence(silence(rule, subject)).await.unwrap();
        assert_eq!(made.into_inner().outcome(), v1::Outcome::Done);
    }
    let said = incident(&house, &operator, &line, |one| one.silence.is_some()).await;
    assert_eq!(said.acknowledgement.as_ref(), Some(&known));
    assert_eq!(said.silence.unwrap().subject, "pve-01");
    let list = silences(&mut anna).await;
    assert_eq!(list.acknowledgements, [known]);
    assert_eq!(list.silences.len(), 2);
    house
        .log
        .line(&format!(
            "asked to acknowledge incident #{} of the cluster \"pve\": done: ",
            open.number
        ))
        .await;
}

#[tokio::test]
async fn nobody_but_an_operator_silences_ends_or_acknowledges() {
    let house = House::whole(Duty::Authority).await;
    let agent = house.agent("pve-01").await;
    let viewer = house.person(Role::Viewer, "grafana");
    let expire = v1::ExpireRequest::default;

    let mut grafana = alerts(&house, &viewer).await;
    check_not_allowed(grafana.silence(silence("bond-*", "")).await);
    check_not_allowed(grafana.expire(expire()).await);
    check_not_allowed(grafana.acknowledge(acknowledge(1)).await);
    house
        .log
        .line("quorate.v1.Alerts/Silence is not for the role viewer")
        .await;

    let mut node = alerts(&house, &agent).await;
    check_not_allowed(node.silence(as_root(silence("bond-*", ""))).await);
    check_not_allowed(node.expire(as_root(expire())).await);
    check_not_allowed(node.acknowledge(as_root(acknowledge(1))).await);
    house
        .log
        .line("quorate.v1.Alerts/Expire is not for the role node-operator")
        .await;

    check_not_allowed(node.silence(silence("bond-*", "")).await);
    let list = v1::ListSilencesRequest::default();
    check_not_allowed(node.list_silences(list).await);
    let list = v1::ListReceiversRequest::default();
    check_not_allowed(node.list_receivers(list).await);
    house
        .log
        .line("quorate.v1.Alerts/ListReceivers is not for the role agent")
        .await;
    assert_eq!(silences(&mut grafana).await.silences, []);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_what_is_malformed_is_an_error() {
    let house = House::whole(Duty::Authority).await;
    house.agent("pve-01").await;
    let operator = house.person(Role::Operator, "anna");
    let mut anna = alerts(&house, &operator).await;

    let unknown = anna.acknowledge(acknowledge(7)).await.unwrap().into_inner();
    assert_eq!(unknown.outcome(), v1::Outcome::Refused);
    assert_eq!(unknown.sentence, "there is no incident #7 that is open");
    let past = v1::SilenceRequest {
        until_unix_ms: now() - HOUR_MS,
        ..silence("bond-*", "")
    };
    let far = v1::SilenceRequest {
        until_unix_ms: i64::MAX,
        ..silence("bond-*", "")
    };
    let of_one = v1::SilenceRequest {
        incident: Some(7),
        ..silence("", "")
    };
    for refused in [silence("", " "), past, far, of_one] {
        let answer = anna.silence(refused.clone()).await.unwrap().into_inner();
        assert_eq!(answer.outcome(), v1::Outcome::Refused, "{refused:?}");
        assert_eq!(answer.silence, None);
    }

    let nameless = v1::SilenceRequest {
        reason: " ".to_owned(),
        ..silence("bond-*", "")
    };
    let long = v1::SilenceRequest {
        reason: "x".repeat(501),
        ..silence("bond-*", "")
    };
    for bad in [silence("bond-[", ""), silence("", "a\nb"), nameless, long] {
        let error = anna.silence(bad.clone()).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{bad:?}: {error}");
    }
    let elsewhere = v1::ListSilencesRequest {
        cluster: "elsewhere".to_owned(),
    };
    let error = anna.list_silences(elsewhere).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert_eq!(silences(&mut anna).await.silences, []);
}

#[tokio::test]
async fn receivers_are_listed_with_what_is_owed_to_them() {
    let house = House::whole(Duty::Authority).await;
    let agent = house.agent("pve-01").await;
    let mut root = alerts(&house, &agent).await;
    let list = as_root(v1::ListReceiversRequest::default());
    let list = root.list_receivers(list).await.unwrap().into_inner();
    let told: Vec<(&str, Option<u64>, &str)> = list
        .receivers
        .iter()
        .map(|one| (one.name.as_str(), one.owed, one.why.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("ops-mail", Some(0), ""),
            ("ops-slack", Some(0), "answered 403")
        ]
    );
    assert_eq!(list.given_up, Some(0));
}

#[tokio::test]
async fn an_observer_says_that_it_is_one() {
    let house = House::whole(Duty::Observer).await;
    house.agent("pve-01").await;
    let operator = house.person(Role::Operator, "anna");
    let mut anna = alerts(&house, &operator).await;
    let answer = anna.silence(silence("bond-*", "")).await.unwrap();
    let answer = answer.into_inner();
    assert_eq!(answer.outcome(), v1::Outcome::Unknown);
    let expect = "seen from an observer: this collector, ";
    assert!(answer.sentence.starts_with(expect), "{}", answer.sentence);
    let list = v1::ListSilencesRequest::default();
    let error = anna.list_silences(list).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    let expect = "silences are not known here: seen from an observer";
    assert!(error.message().starts_with(expect), "{error}");
}
