//! Who is refused at the door for agents and people.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::identity::{Identity, Role};
use model::name::NodeName;
use proto::dial::dial;
use proto::tls::{ALPN, provider, roots};
use proto::v1;
use proto::v1::fleet_client::FleetClient;
use proto::v1::gate_client::GateClient;
use quorate_collector::authority::Duty;
use quorate_collector::identity::Identities;
use quorate_collector::refusal::Reason;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use tonic::Status;

use crate::house::{Badge, House, csr};

/// Tries to ask something; a handshake of TLS 1.3 seems to be done before the server has looked.
async fn ask(house: &House, tls: Arc<ClientConfig>) -> Result<(), Status> {
    let channel = dial(&house.fleet.to_string(), tls)
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let leases = v1::ListLeasesRequest::default();
    GateClient::new(channel).list_leases(leases).await?;
    Ok(())
}

/// Certified by whom, and when.
fn person(identities: &Identities, trust: &Identities, at: Timestamp) -> Badge {
    let name = NodeName::new("anna").unwrap();
    let identity = Identity::person(None, Role::Operator, name).unwrap();
    let (issued, key) = identities.add_person(&identity, at).unwrap();
    Badge {
        chain: vec![CertificateDer::from(issued.der)],
        key: key.serialize_der(),
        trust: trust.trust().unwrap().cas,
    }
}

#[tokio::test]
async fn without_a_certificate_nobody_gets_in() {
    let house = House::open().await;
    let good = house.agent("pve-01").await;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots(&good.trust).unwrap())
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    ask(&house, Arc::new(config)).await.unwrap_err();
    let line = house.log.line("it showed no certificate").await;
    assert!(line.contains("refused 127.0.0.1:"), "{line}");
    house.is_well_for(&good).await;
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_refused() {
    let house = House::open().await;
    let good = house.agent("pve-01").await;
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Identities::init(elsewhere.path(), &[], Duty::Authority, Timestamp::now()).unwrap();
    let badge = person(&other, &house.identities, Timestamp::now());
    ask(&house, badge.config()).await.unwrap_err();
    house
        .log
        .line("its certificate is not from this collector's CA")
        .await;
    house.is_well_for(&good).await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let house = House::open().await;
    let good = house.agent("pve-01").await;
    let long_ago = Timestamp::now() - Duration::from_secs(366 * 86_400);
    let badge = person(&house.identities, &house.identities, long_ago);
    ask(&house, badge.config()).await.unwrap_err();
    house.log.line("its certificate has expired").await;
    house.is_well_for(&good).await;
}

/// As somebody makes one who has a copy of the CA's key, or after identity.db came back from an older copy.
#[tokio::test]
async fn a_certificate_that_was_not_given_out_is_refused() {
    let house = House::open().await;
    let good = house.agent("pve-01").await;
    let stolen = tempfile::tempdir().unwrap();
    drop(Identities::init(stolen.path(), &[], Duty::Authority, Timestamp::now()).unwrap());
    for file in ["ca/key.pem", "ca/certificate.pem"] {
        std::fs::copy(house.state.path().join(file), stolen.path().join(file)).unwrap();
    }
    let database = rusqlite::Connection::open(stolen.path().join("identity.db")).unwrap();
    let theirs = house.state.path().join("identity.db");
    let copied = database.execute_batch(&format!(
        "ATTACH '{}' AS theirs; DELETE FROM main.ca; INSERT INTO main.ca SELECT * FROM theirs.ca;",
        theirs.display()
    ));
    copied.unwrap();
    let forger = Identities::open(stolen.path()).unwrap();
    let badge = person(&forger, &house.identities, Timestamp::now());
    ask(&house, badge.config()).await.unwrap_err();
    house
        .log
        .line("its certificate is not among those given out here")
        .await;
    house.is_well_for(&good).await;
}

#[tokio::test]
async fn revoking_a_node_ends_its_open_stream_at_once_and_keeps_it_out() {
    let house = House::open().await;
    let good = house.agent("pve-01").await;
    let bad = house.agent("pve-02").await;
    let mut open = house.stream(&bad).await.unwrap();
    let mut other = house.stream(&good).await.unwrap();
    let now = Timestamp::now();
    house.identities.revoke_node("pve-02", None, now).unwrap();
    open.ended().await;
    let line = house.log.line("its certificate was revoked").await;
    assert!(line.contains("its connection was closed"), "{line}");

    ask(&house, bad.config()).await.unwrap_err();
    let again = |line: &str| house.log.count(line);
    while again("its certificate was revoked") < 2 {
        tokio::task::yield_now().await;
    }
    other.answers(2).await;
    house.is_well_for(&good).await;
}

#[tokio::test]
async fn revoking_an_operator_ends_what_it_has_open() {
    let house = House::open().await;
    let anna = house.person(Role::Operator, "anna");
    let joanna = house.person(Role::Operator, "joanna");
    let mut gate = house.gate(&anna).await;
    let mut other = house.gate(&joanna).await;
    let ask = v1::ListLeasesRequest::default;
    assert_eq!(
        gate.list_leases(ask()).await.unwrap_err().code(),
        tonic::Code::NotFound
    );
    other.list_leases(ask()).await.unwrap_err();
    let revoked = house.identities.revoke_person("anna", Timestamp::now());
    assert_eq!(revoked.unwrap(), 1);
    house.log.line("its certificate was revoked").await;
    let code = gate.list_leases(ask()).await.unwrap_err().code();
    assert_ne!(code, tonic::Code::NotFound);
    let code = other.list_leases(ask()).await.unwrap_err().code();
    assert_eq!(code, tonic::Code::NotFound);
}

#[tokio::test]
async fn tls_1_2_is_not_spoken() {
    let house = House::open().await;
    let good = house.agent("pve-01").await;
    let address = house.fleet.to_string();
    let client = tokio::task::spawn_blocking(move || {
        std::process::Command::new("openssl")
            .args(["s_client", "-tls1_2", "-connect", &address])
            .stdin(Stdio::null())
            .output()
            .expect("the Debian package openssl is needed")
    });
    assert!(!client.await.unwrap().status.success());
    house.log.line("it does not speak TLS 1.3").await;
    house.is_well_for(&good).await;
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_and_nothing_else() {
    let house = House::open().await;
    let good = house.agent("pve-01").await;
    let mut gate = house.gate(&house.person(Role::Operator, "anna")).await;
    let large = v1::CheckRequest {
        nodes: vec!["pve-01".to_owned(); 20_000],
        ..v1::CheckRequest::default()
    };
    let refused = gate.check(large).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::OutOfRange);
    let line = house.log.line("its message is too large").await;
    assert!(line.contains("/quorate.v1.Gate/Check"), "{line}");
    assert_eq!(house.refusals.count(Reason::TooLarge), 1);
    house.is_well_for(&good).await;
}

#[tokio::test]
async fn a_certificate_is_renewed_while_the_stream_stays_open() {
    let house = House::open().await;
    let badge = house.agent("pve-01").await;
    let mut open = house.stream(&badge).await.unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let request = v1::RenewRequest {
        certificate_request: csr(&key),
    };
    let mut fleet = FleetClient::new(house.connect(&badge).await);
    let answer = fleet.renew(request).await.unwrap().into_inner();
    let credentials = answer.credentials.unwrap();
    let renewed = Badge {
        chain: credentials
            .chain
            .into_iter()
            .map(CertificateDer::from)
            .collect(),
        key: key.serialize_der(),
        trust: badge.trust.clone(),
    };
    assert_ne!(renewed.chain, badge.chain);
    house.is_well_for(&renewed).await;
    open.answers(2).await;

    // Both are of one node: revoking it ends both.
    let mut new = house.stream(&renewed).await.unwrap();
    let now = Timestamp::now();
    house.identities.revoke_node("pve-01", None, now).unwrap();
    open.ended().await;
    new.ended().await;
}
