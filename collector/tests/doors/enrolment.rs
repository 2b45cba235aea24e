//! A token for a certificate.

use tonic::Code;

use crate::house::House;

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
async fn a_token_that_is_used_up_closes_the_listener() {
    let house = House::open().await;
    let token = house.token(1).await;
    house.enrol(&token, "pve-01").await.unwrap();
    house.log.line("enrolment is closed").await;
    let refused = house.enrol(&token, "pve-02").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
}
