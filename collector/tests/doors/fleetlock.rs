//! FleetLock's door: who is answered, how much of it, and that an answer is the gate's.

use std::net::SocketAddr;
use std::sync::Arc;

use model::identity::ClusterId;
use model::name::NodeName;
use quorate_collector::authority::Duty;
use quorate_collector::fleetlock::{FleetLock, Known, Terms};
use quorate_collector::gate::Judge;
use quorate_collector::identity::Identities;
use quorate_collector::keeper::Own;
use quorate_collector::keepers::Keepers;
use quorate_collector::ledger::memory::Memory;
use quorate_collector::refusal::Reason;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::house::{House, PATIENCE, VERSION};

const PRE_REBOOT: &str = "/v1/pre-reboot";
const HEADER: &str = "fleet-lock-protocol: true\r\n";

/// Beside the collector of this house.
fn open(house: &House, network: &str) -> SocketAddr {
    let identities = Arc::new(Identities::open(house.state.path()).unwrap());
    let of = Arc::clone(&identities);
    let own = move |_: &ClusterId| Own {
        collector: of.id().to_owned(),
        epoch: of.epoch(),
        is_authority: of.duty() == Duty::Authority,
    };
    let keepers = Keepers::new(Arc::new(Memory::new()), None, VERSION, 8, own);
    let refusals = Arc::clone(&house.refusals);
    let judge = Judge::new(
        Arc::clone(&identities),
        Arc::new(keepers),
        Arc::clone(&refusals),
    );
    let terms = Terms {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        networks: vec![network.parse().unwrap()],
        known: vec![Known {
            id: "c98".to_owned(),
            node: NodeName::new("pve-01").unwrap(),
            cluster: String::new(),
        }],
    };
    let door = FleetLock::bind(terms).unwrap();
    let address = door.address();
    tokio::spawn(door.serve(identities, judge, refusals));
    address
}

/// All that is said to these bytes, until the other end closes.
async fn said(address: SocketAddr, bytes: &str) -> String {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // What was not read any more may be answered with a reset.
    let _ = timeout(PATIENCE, tcp.read_to_end(&mut answer))
        .await
        .unwrap();
    String::from_utf8(answer).unwrap()
}

async fn asked(address: SocketAddr, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: c\r\n{headers}content-length: {length}\r\n\r\n{body}"
    );
    said(address, &request).await
}

fn body(id: &str) -> String {
    format!("{{\"client_params\": {{\"id\": \"{id}\", \"group\": \"default\"}}}}")
}

#[track_caller]
fn check(answer: &str, code: u16, kind: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{answer}");
    assert!(
        answer.contains(&format!("{{\"kind\":\"{kind}\",\"value\":\"")),
        "{answer}"
    );
}

#[tokio::test]
async fn whoever_is_in_no_network_is_refused_before_a_byte_of_his_body_is_read() {
    let house = House::whole(Duty::Authority).await;
    let address = open(&house, "192.0.2.0/24");
    // The body never comes.
    let request = format!("POST {PRE_REBOOT} HTTP/1.1\r\n{HEADER}content-length: 100\r\n\r\n");
    check(&said(address, &request).await, 403, "outside_networks");
    let line = "its address is in none of FleetLock's networks";
    assert!(house.log.line(line).await.contains("refused 127.0.0.1"));
    assert_eq!(house.refusals.count(Reason::OutsideNetworks), 1);
}

#[tokio::test]
async fn what_makes_no_sense_or_is_too_large_is_refused_and_counted() {
    let house = House::whole(Duty::Authority).await;
    let address = open(&house, "127.0.0.0/8");
    let ask = async |path, headers, body: &str| asked(address, path, headers, body).await;
    let good = body("pve-01");
    check(&ask(PRE_REBOOT, "", &good).await, 400, "bad_request");
    let wrong = "fleet-lock-protocol: yes\r\n";
    check(&ask(PRE_REBOOT, wrong, &good).await, 400, "bad_request");
    check(&ask(PRE_REBOOT, HEADER, "{}").await, 400, "bad_request");
    check(&ask("/v1/pre-boot", HEADER, &good).await, 404, "not_found");
    let got = said(address, "GET /v1/pre-reboot HTTP/1.1\r\nhost: c\r\n\r\n").await;
    check(&got, 405, "wrong_method");
    assert_eq!(house.refusals.count(Reason::BadRequest), 3);
    let large = body(&"a".repeat(5_000));
    check(&ask(PRE_REBOOT, HEADER, &large).await, 413, "too_large");
    let head = format!("{HEADER}more: {}\r\n", "a".repeat(20_000));
    let answer = ask(PRE_REBOOT, &head, &good).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    house.log.line("its message is too large: its head").await;
    assert_eq!(house.refusals.count(Reason::TooLarge), 2);
    check(&ask(PRE_REBOOT, HEADER, &good).await, 403, "unknown_client");
    assert_eq!(house.refusals.count(Reason::UnknownClient), 1);
}

#[tokio::test]
async fn whoever_does_not_come_to_the_point_is_hung_up_on_and_many_of_them_keep_nobody_out() {
    let house = House::whole(Duty::Authority).await;
    let address = open(&house, "127.0.0.0/8");
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        let _ = tcp.write_all(b"POST /v1/pre-reboot HTTP/1.1\r\n").await;
        slow.push(tcp);
    }
    check(
        &asked(address, PRE_REBOOT, HEADER, &body("x")).await,
        403,
        "unknown_client",
    );
    house.log.line("too many connections").await;
    house.log.line("its request was not done in time").await;
}

#[tokio::test]
async fn whoever_asks_too_often_is_not_listened_to() {
    let house = House::whole(Duty::Authority).await;
    let address = open(&house, "127.0.0.0/8");
    for _ in 0..120 {
        check(
            &asked(address, PRE_REBOOT, HEADER, &body("x")).await,
            403,
            "unknown_client",
        );
    }
    check(
        &asked(address, PRE_REBOOT, HEADER, &body("x")).await,
        429,
        "too_often",
    );
    house.log.line("it asks FleetLock too often").await;
}

#[tokio::test]
async fn what_is_not_known_is_refused_for_the_nodes_own_name_and_for_an_id_of_the_configuration() {
    let house = House::whole(Duty::Authority).await;
    let _badge = house.agent("pve-01").await;
    let address = open(&house, "127.0.0.0/8");
    for id in ["pve-01", "c98"] {
        let answer = asked(address, PRE_REBOOT, HEADER, &body(id)).await;
        check(&answer, 503, "unknown");
        assert!(answer.contains("UNKNOWN - "), "{answer}");
    }
    check(
        &asked(address, PRE_REBOOT, HEADER, &body("C98")).await,
        403,
        "unknown_client",
    );
    house
        .log
        .line("fleetlock c98 at 127.0.0.1 at 127.0.0.1:")
        .await;
}

#[tokio::test]
async fn an_observer_gives_nothing() {
    let house = House::whole(Duty::Observer).await;
    let _badge = house.agent("pve-01").await;
    let address = open(&house, "127.0.0.0/8");
    for path in [PRE_REBOOT, "/v1/steady-state"] {
        let answer = asked(address, path, HEADER, &body("pve-01")).await;
        check(&answer, 503, "unknown");
        assert!(answer.contains("seen from an observer"), "{answer}");
    }
}
