use std::net::SocketAddr;

use jiff::Timestamp;
use proto::tls::{SERVER_NAME, stranger};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::codegen::tokio_stream::StreamExt as _;

use super::connections::Connections;
use super::door::{ForStrangers, bind, open};
use super::*;
use crate::authority::Duty;
use crate::refusal::Refusals;

async fn connect(address: SocketAddr, identities: &Identities) -> TlsStream<TcpStream> {
    let config = stranger(identities.signs().unwrap()).unwrap();
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = SERVER_NAME.try_into().unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, tcp).await.unwrap()
}

fn shown(stream: &TlsStream<TcpStream>) -> Vec<CertificateDer<'static>> {
    stream.get_ref().1.peer_certificates().unwrap().to_vec()
}

#[tokio::test]
async fn the_collectors_own_certificate_changes_without_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let identities = Identities::init(dir.path(), &[], Duty::Authority, Timestamp::now()).unwrap();
    let identities = Arc::new(identities);
    let own = Arc::new(OwnCertificate::new(&identities).unwrap());
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let host = ForStrangers {
        longest: Duration::from_secs(3_600),
    };
    let tls = for_strangers(Arc::clone(&own)).unwrap();
    let mut incoming = open(
        listener,
        tls,
        host,
        Connections::new(9, 9),
        Arc::<Refusals>::default(),
    );

    let mut before = connect(address, &identities).await;
    let mut taken = incoming.next().await.unwrap().unwrap();
    own.renew().unwrap();
    let after = connect(address, &identities).await;
    assert_ne!(shown(&before)[0], shown(&after)[0]);
    let first = identities.signing().unwrap();
    assert_eq!(shown(&before)[1], *first.der());
    assert_eq!(shown(&after)[1], *first.der());

    // Another process switches to a new CA: from the next handshake on it is another certificate.
    let now = Timestamp::now();
    let other = Identities::open(dir.path()).unwrap();
    other.rotate(now).unwrap();
    let waiting = connect(address, &identities).await;
    assert_eq!(shown(&waiting)[1], *first.der(), "the old one signs still");
    other.switch(false, now).unwrap();
    let switched = connect(address, &identities).await;
    assert_ne!(shown(&switched)[1], *first.der());
    before.write_all(b"still here").await.unwrap();
    let mut heard = [0; 10];
    taken.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");
}
