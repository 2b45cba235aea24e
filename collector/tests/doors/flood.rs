//! Many connections that lead nowhere.

use std::io;
use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use quorate_collector::refusal::Reason;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::house::{House, PATIENCE};

const HALF_OPEN: usize = 5_000;
/// The beginning of a ClientHello, of which the rest never comes.
const SLOW: &[u8] = &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01];

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_ended() {
    let house = House::open().await;
    let good = house.agent("pve-01").await;
    let mut slow = TcpStream::connect(house.fleet).await.unwrap();
    slow.write_all(SLOW).await.unwrap();
    house.is_well_for(&good).await;
    house.log.line("its TLS handshake took too long").await;
    assert!(is_over(&mut slow).await);
    house.is_well_for(&good).await;
}

#[tokio::test]
async fn five_thousand_half_open_connections_keep_nobody_out() {
    // Both ends are in this process.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let house = House::open().await;
    let good = house.agent("pve-01").await;
    let mut talk = house.stream(&good).await.unwrap();
    let mut open = Vec::new();
    for number in 0..HALF_OPEN {
        let mut tcp = TcpStream::connect(house.fleet).await.unwrap();
        if number % 2 == 0 {
            // One that gave way already.
            let _ = tcp.write_all(SLOW).await;
        }
        open.push(tcp);
        if number % 1_000 == 999 {
            house.is_well_for(&good).await;
        }
    }
    house.is_well_for(&good).await;
    talk.answers(2).await;
    let line = "its TLS handshake was not done when too many others came";
    house.log.line(line).await;
    // All but those that may be open at once went, and the log was not filled with them.
    let gone = house.refusals.count(Reason::GaveWay) + house.refusals.count(Reason::TooSlow);
    assert!(gone >= (HALF_OPEN - 3_072) as u64, "{gone}");
    assert!(house.log.count("refused") < 200);
    assert!(is_over(&mut open[0]).await);
}

/// Whoever has no certificate can finish a handshake at the enrolment listener, and then say nothing.
#[tokio::test]
async fn an_enrolment_that_never_comes_to_its_point_is_ended() {
    let house = House::open().await;
    let token = house.token(1).await;
    let tls = proto::tls::stranger(token.ca()).unwrap();
    let tcp = TcpStream::connect(house.enrolment).await.unwrap();
    let name = proto::tls::SERVER_NAME.try_into().unwrap();
    let mut silent = tokio_rustls::TlsConnector::from(Arc::new(tls))
        .connect(name, tcp)
        .await
        .unwrap();
    house.log.line("its enrolment took too long").await;
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut rest))
        .await
        .expect("it is still open");
    house.enrol(&token, "pve-01").await.unwrap();
}

async fn is_over(tcp: &mut TcpStream) -> bool {
    let read = tokio::time::timeout(PATIENCE, tcp.read(&mut [0; 64])).await;
    match read.expect("it is still open") {
        Ok(count) => count == 0,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    }
}
