//! A token for a certificate.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use model::name::NodeName;
use proto::token::JoinToken;
use proto::v1;
use proto::v1::fleet_client::FleetClient;
use tonic::Code;

use crate::house::{House, OTHER, cluster, request};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_node_enrols_with_a_token_and_then_speaks() {
    let house = House::open().await;
    let badge = house.agent("pve-01").await;
    house.is_well_for(&badge).await;
    house
        .log
        .line("pve-01 of the cluster \"pve\" (0b9d3a52")
        .await;
}

#[tokio::test]
async fn the_listener_is_there_only_while_a_token_is_good() {
    let house = House::open().await;
    tokio::net::TcpStream::connect(house.enrolment)
        .await
        .unwrap_err();
    let token = house.token(1).await;
    house.enrol(&token, "pve-01").await.unwrap();
    house.log.line("enrolment is closed").await;
    tokio::net::TcpStream::connect(house.enrolment)
        .await
        .unwrap_err();
}

/// They are told apart in the log alone.
#[tokio::test]
async fn a_token_that_is_not_good_is_refused_whyever() {
    let house = House::open().await;
    let good = house.token(3).await;
    let make = |at: Timestamp, uses| house.identities.make_token(None, uses, HOUR, at).unwrap();
    let now = Timestamp::now();
    let expired = make(now - HOUR, 1);
    let used_up = make(now, 1);
    let revoked = make(now, 1);
    house.identities.revoke_token(&revoked.id, now).unwrap();
    house.enrol(&used_up.token, "pve-01").await.unwrap();
    let unknown = JoinToken::mint(good.ca()).unwrap();
    let mut heard = BTreeSet::new();
    for (token, said) in [
        (
            &expired.token,
            format!("its token {} has expired", expired.id),
        ),
        (
            &used_up.token,
            format!("its token {} is used up", used_up.id),
        ),
        (
            &revoked.token,
            format!("its token {} was revoked", revoked.id),
        ),
        (&unknown, "its token is not known here".to_owned()),
    ] {
        let refused = house.enrol(token, "pve-02").await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        heard.insert(refused.message().to_owned());
        let line = house.log.line(&said).await;
        assert!(line.contains("refused 127.0.0.1:"), "{line}");
        assert!(
            line.contains("its token is not good: \"pve-02\" wants to enrol"),
            "{line}"
        );
    }
    assert_eq!(heard.len(), 1);
    house.enrol(&good, "pve-02").await.unwrap();
}

#[tokio::test]
async fn a_token_with_another_fingerprint_is_worth_nothing_to_its_holder() {
    let house = House::open().await;
    let good = house.token(1).await;
    let wrong = JoinToken::mint([7; 32]).unwrap();
    let refused = house.enrol(&wrong, "pve-01").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    house
        .log
        .line("it does not trust this collector's certificate")
        .await;
    house.enrol(&good, "pve-01").await.unwrap();
}

#[tokio::test]
async fn a_name_with_a_living_certificate_needs_an_operator() {
    let house = House::open().await;
    let token = house.token(9).await;
    let old = house.enrol(&token, "pve-01").await.unwrap();
    let refused = house.enrol(&token, "pve-01").await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    assert!(
        refused.message().contains("node replace pve-01"),
        "{refused:?}"
    );
    house.log.line("its name is taken").await;

    let mut open = house.stream(&old).await.unwrap();
    let now = Timestamp::now();
    house.identities.replace_node("pve-01", None, now).unwrap();
    open.ended().await;
    let new = house.enrol(&token, "pve-01").await.unwrap();
    house.is_well_for(&new).await;

    // Sent away is something else: no token brings it back.
    house.identities.revoke_node("pve-01", None, now).unwrap();
    let refused = house.enrol(&token, "pve-01").await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    assert!(refused.message().contains("was revoked"), "{refused:?}");
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_and_costs_no_second_use() {
    let house = House::open().await;
    let token = house.token(2).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let ask = || house.ask_to_enrol(&token, request(&token, "pve-01", &key));
    ask().await.unwrap();
    ask().await.unwrap();
    house.enrol(&token, "pve-02").await.unwrap();
    house.log.line("enrolment is closed").await;
}

#[tokio::test]
async fn a_cluster_whose_ca_was_replaced_is_for_a_person_to_look_at() {
    let house = House::open().await;
    let token = house.token(9).await;
    house.enrol(&token, "pve-01").await.unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let other = |token: &JoinToken| {
        let mut request = request(token, "pve-02", &key);
        request.cluster = Some(v1::Cluster {
            id: OTHER.to_owned(),
            name: "pve".to_owned(),
        });
        request
    };
    let refused = house.ask_to_enrol(&token, other(&token)).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let remedy = format!("token create --cluster {OTHER}");
    assert!(refused.message().contains(&remedy), "{refused:?}");
    house
        .log
        .line("its cluster must be looked at by a person")
        .await;

    let id = model::identity::ClusterId::new(OTHER).unwrap();
    let made = house
        .identities
        .make_token(Some(&id), 1, HOUR, Timestamp::now())
        .unwrap();
    let asked = house.ask_to_enrol(&made.token, other(&made.token)).await;
    asked.unwrap();
    assert_eq!(house.identities.clusters().unwrap().len(), 2);
}

#[tokio::test]
async fn the_token_of_a_join_file_is_good_for_the_nodes_of_its_cluster_once_each() {
    let house = House::open().await;
    let badge = house.agent("pve-01").await;
    house.log.line("enrolment is closed").await;
    let mut fleet = FleetClient::new(house.connect(&badge).await);
    let nodelist = |names: &[&str]| v1::ClusterTokenRequest {
        nodelist: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let refused = fleet.cluster_token(nodelist(&["pve-02"])).await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
    let answer = fleet.cluster_token(nodelist(&["pve-01", "pve-02"])).await;
    let answer = answer.unwrap().into_inner();
    assert_eq!(answer.enrolment_addresses, [house.enrolment.to_string()]);
    let token: JoinToken = answer.token.parse().unwrap();

    for (node, code) in [
        ("pve-01", Code::AlreadyExists),
        ("pve-03", Code::Unauthenticated),
    ] {
        let refused = loop {
            let refused = house.enrol(&token, node).await.unwrap_err();
            // The listener comes back when the collector has seen the token.
            if refused.code() != Code::Unavailable {
                break refused;
            }
        };
        assert_eq!(refused.code(), code, "{refused:?}");
    }
    house.log.line("not good for this name").await;
    house.enrol(&token, "pve-02").await.unwrap();
    // Whoever could enrol has: nobody listens any more, though the token lives.
    while tokio::net::TcpStream::connect(house.enrolment)
        .await
        .is_ok()
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_node_that_left_the_nodelist_is_revoked() {
    let house = House::open().await;
    let token = house.token(9).await;
    let stays = house.enrol(&token, "pve-01").await.unwrap();
    let leaves = house.enrol(&token, "pve-02").await.unwrap();
    let mut open = house.stream(&leaves).await.unwrap();
    let now = Timestamp::now();
    let none = BTreeSet::new();
    let forgotten = house.identities.forget(&cluster(), &none, now);
    assert_eq!(forgotten.unwrap(), []);
    let gone = BTreeSet::from(["pve-02", "pve-09"].map(|name| NodeName::new(name).unwrap()));
    let forgotten = house.identities.forget(&cluster(), &gone, now);
    assert_eq!(forgotten.unwrap(), [NodeName::new("pve-02").unwrap()]);
    open.ended().await;
    house.is_well_for(&stays).await;
    house.enrol(&token, "pve-02").await.unwrap();
}

#[tokio::test]
async fn nonsense_is_refused_by_name() {
    let house = House::open().await;
    let token = house.token(9).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let good = request(&token, "pve-01", &key);
    let mut forged = good.certificate_request.clone();
    if let Some(last) = forged.last_mut() {
        *last ^= 1;
    }
    let cases: [(v1::EnrolRequest, &str); 7] = [
        (
            v1::EnrolRequest {
                node: "x".repeat(9_000),
                ..good.clone()
            },
            "node: 9000 bytes are more than 255",
        ),
        (
            v1::EnrolRequest {
                cluster: None,
                ..good.clone()
            },
            "cluster: it is not said",
        ),
        (
            v1::EnrolRequest {
                node: "a/b".to_owned(),
                ..good.clone()
            },
            "node: \"a/b\" is not a node name",
        ),
        (
            v1::EnrolRequest {
                node: "pve-09".to_owned(),
                ..good.clone()
            },
            "nodelist: pve-09 is not in it",
        ),
        (
            v1::EnrolRequest {
                nodelist: vec!["pve-01".to_owned(); 513],
                ..good.clone()
            },
            "nodelist: 513 names are more than 512",
        ),
        (
            v1::EnrolRequest {
                certificate_request: forged,
                ..good.clone()
            },
            "certificate_request: it is no PKCS#10 request signed with its own key",
        ),
        (
            v1::EnrolRequest {
                certificate_request: vec![0; 40],
                ..good.clone()
            },
            "certificate_request: it is no PKCS#10 request",
        ),
    ];
    for (request, why) in cases {
        let refused = house.ask_to_enrol(&token, request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with(why), "{refused:?}");
        house.log.line(why).await;
    }
}

#[tokio::test]
async fn whoever_fails_again_and_again_is_not_listened_to() {
    let house = House::open().await;
    let token = house.token(9).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let good = request(&token, "pve-01", &key);
    let large = v1::EnrolRequest {
        nodelist: vec!["x".repeat(60); 2_000],
        ..good.clone()
    };
    let refused = house.ask_to_enrol(&token, large).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange);
    house.log.line("its message is too large").await;
    for _ in 0..40 {
        let bad = v1::EnrolRequest {
            cluster: None,
            ..good.clone()
        };
        house.ask_to_enrol(&token, bad).await.unwrap_err();
    }
    let refused = house.ask_to_enrol(&token, good).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    house.log.line("too many of its attempts failed").await;
}
