//! Another CA, over real TLS: who is let in, and what the collector shows, at each step.

use jiff::Timestamp;
use model::identity::Role;
use proto::dial::dial;
use proto::v1;
use proto::v1::fleet_client::FleetClient;

use crate::house::{Badge, House, csr};

async fn renewed(house: &House, badge: &Badge) -> Badge {
    let key = rcgen::KeyPair::generate().unwrap();
    let request = v1::RenewRequest {
        certificate_request: csr(&key),
    };
    let mut client = FleetClient::new(house.connect(badge).await);
    let answer = client.renew(request).await.unwrap().into_inner();
    let answer = v1::EnrolResponse {
        credentials: answer.credentials,
        ..v1::EnrolResponse::default()
    };
    Badge::of(answer, &key)
}

#[tokio::test]
async fn at_each_step_the_running_collector_shows_and_takes_what_the_command_said() {
    let house = House::open().await;
    let now = Timestamp::now();
    let old = house.agent("pve-01").await;
    let mut talk = house.stream(&old).await.unwrap();

    house.identities.rotate(now).unwrap();
    house.is_well_for(&old).await;
    // The collector's certificate is of the old one still: a file of before is good, and so is one of now.
    let anna = house.person(Role::Operator, "anna");
    house.gate(&anna).await;

    house.identities.switch(true, now).unwrap();
    let unknown = dial(&house.fleet.to_string(), old.config()).await;
    assert!(
        unknown.is_err(),
        "whoever trusts the old one alone goes no further"
    );
    let mut told = old.clone();
    told.trust = house.identities.trust().unwrap().cas;
    house.is_well_for(&told).await;
    talk.answers(2).await;
    let new = renewed(&house, &told).await;
    house.is_well_for(&new).await;
    house.gate(&anna).await;

    house.identities.retire(true, now).unwrap();
    talk.ended().await;
    house.log.line("its connection was closed").await;
    assert!(house.stream(&told).await.is_err());
    house
        .log
        .line("its certificate is not from this collector's CA")
        .await;
    house.is_well_for(&new).await;
}
