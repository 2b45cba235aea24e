//! A collector for tests: a CA, an Enrolment listener and a Fleet listener, with answers that a test can spoil.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proto::tls::{ALPN, SERVER_NAME, provider, roots};
use proto::token::{JoinToken, fingerprint};
use proto::v1;
use proto::v1::enrolment_server::{Enrolment, EnrolmentServer};
use proto::v1::fleet_server::{Fleet, FleetServer};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair,
    SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, version};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::codegen::tokio_stream::Stream;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

pub(crate) const COLLECTOR: &str = "3f0e7a64-52a4-4c5c-8b8e-0d5a6a4b1c11";
pub(crate) const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How it answers.
pub(crate) struct Answers {
    /// Instead of any answer to `Enrol`.
    pub(crate) refusal: Option<Status>,
    pub(crate) spoil: fn(&mut v1::EnrolResponse),
    pub(crate) certificate_life: (SignedDuration, SignedDuration),
    pub(crate) token_life: SignedDuration,
    pub(crate) collector: String,
}

/// What it was asked.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) enrol: Vec<v1::EnrolRequest>,
    pub(crate) cluster_token: Vec<v1::ClusterTokenRequest>,
    pub(crate) renewed: usize,
}

/// A stream that an agent opened: what it says, and the way to answer.
pub(crate) type Opened = (
    Streaming<v1::AgentMessage>,
    mpsc::Sender<Result<v1::CollectorMessage, Status>>,
);

/// What both listeners share.
#[derive(Clone)]
struct Shared {
    opened: mpsc::Sender<Opened>,
    ca: Arc<(CertificateDer<'static>, Issuer<'static, KeyPair>)>,
    answers: Arc<Mutex<Answers>>,
    asked: Arc<Mutex<Asked>>,
    enrolment: SocketAddr,
    fleet: SocketAddr,
}

/// It runs as long as the runtime of the test.
pub(crate) struct FakeCollector {
    shared: Shared,
    streams: mpsc::Receiver<Opened>,
}

impl FakeCollector {
    pub(crate) async fn start() -> Self {
        Self::start_until(4096).await
    }

    /// The listeners' own certificate ends with the beginning of this year.
    pub(crate) async fn start_until(year: i32) -> Self {
        let ca = Arc::new(authority());
        let enrolment = listener().await;
        let fleet = listener().await;
        let (opened, streams) = mpsc::channel(8);
        let shared = Shared {
            opened,
            ca,
            answers: Arc::new(Mutex::new(Answers {
                refusal: None,
                spoil: |_| {},
                certificate_life: (-DAY, DAY * 29),
                token_life: DAY,
                collector: COLLECTOR.to_owned(),
            })),
            asked: Arc::default(),
            enrolment: enrolment.local_addr().unwrap(),
            fleet: fleet.local_addr().unwrap(),
        };
        let server = Server::builder()
            .add_service(EnrolmentServer::new(shared.clone()))
            .serve_with_incoming(incoming(enrolment, shared.server_tls(false, year)));
        tokio::spawn(server);
        let server = Server::builder()
            .add_service(FleetServer::new(shared.clone()))
            .serve_with_incoming(incoming(fleet, shared.server_tls(true, year)));
        tokio::spawn(server);
        Self { shared, streams }
    }

    /// The next stream that an agent opens.
    pub(crate) async fn stream(&mut self) -> Opened {
        self.streams.recv().await.unwrap()
    }

    pub(crate) fn token(&self) -> JoinToken {
        JoinToken::mint(fingerprint(&self.shared.ca.0)).unwrap()
    }

    /// On a thread of its own, for what makes a runtime itself.
    pub(crate) fn in_thread() -> Self {
        let (started, collector) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().unwrap().block_on(async {
                started.send(Self::start().await).unwrap();
                std::future::pending::<()>().await;
            });
        });
        collector.recv().unwrap()
    }

    /// The CA's certificate, DER.
    pub(crate) fn ca(&self) -> Vec<u8> {
        self.shared.ca.0.to_vec()
    }

    pub(crate) fn address(&self) -> String {
        self.shared.enrolment.to_string()
    }

    pub(crate) fn fleet_address(&self) -> String {
        self.shared.fleet.to_string()
    }

    pub(crate) fn answers(&self, change: impl FnOnce(&mut Answers)) {
        change(&mut self.shared.answers.lock().unwrap());
    }

    pub(crate) fn asked<T>(&self, look: impl FnOnce(&Asked) -> T) -> T {
        look(&self.shared.asked.lock().unwrap())
    }
}

impl Shared {
    fn server_tls(&self, mutual: bool, year: i32) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([SERVER_NAME.to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.ca.1).unwrap();
        let chain = vec![certificate.der().clone(), self.ca.0.clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&version::TLS13])
            .unwrap();
        let trust = roots(std::slice::from_ref(&self.ca.0)).unwrap();
        let builder = if mutual {
            let verifier = WebPkiClientVerifier::builder_with_provider(trust, provider());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![ALPN.to_vec()];
        config
    }

    fn credentials(&self, request: &[u8], name: &str) -> v1::Credentials {
        let request = CertificateSigningRequestDer::from(request.to_vec());
        let mut request = CertificateSigningRequestParams::from_der(&request).unwrap();
        let uri = Ia5String::try_from(name).unwrap();
        let (from, to) = self.answers.lock().unwrap().certificate_life;
        let now = Timestamp::now();
        let at = |when: Timestamp| {
            let since = u64::try_from(when.as_second()).unwrap();
            date_time_ymd(1970, 1, 1) + Duration::from_secs(since)
        };
        let params = &mut request.params;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.not_before = at(now + from);
        params.not_after = at(now + to);
        let certificate = request.signed_by(&self.ca.1).unwrap();
        v1::Credentials {
            chain: vec![certificate.der().to_vec()],
            trust: vec![self.ca.0.to_vec()],
            not_after_unix_s: (now + to).as_second(),
        }
    }
}

#[tonic::async_trait]
impl Enrolment for Shared {
    async fn enrol(
        &self,
        request: Request<v1::EnrolRequest>,
    ) -> Result<Response<v1::EnrolResponse>, Status> {
        let request = request.into_inner();
        self.asked.lock().unwrap().enrol.push(request.clone());
        if let Some(refusal) = self.answers.lock().unwrap().refusal.clone() {
            return Err(refusal);
        }
        let cluster = request.cluster.unwrap().id;
        let name = format!("quorate://{cluster}/node/{}", request.node);
        let credentials = self.credentials(&request.certificate_request, &name);
        let answers = self.answers.lock().unwrap();
        let mut answer = v1::EnrolResponse {
            credentials: Some(credentials),
            addresses: vec![self.fleet.to_string()],
            authority: Some(v1::Authority {
                collector: answers.collector.clone(),
                epoch: 1,
            }),
            is_authority: true,
            collector: answers.collector.clone(),
        };
        (answers.spoil)(&mut answer);
        Ok(Response::new(answer))
    }
}

#[tonic::async_trait]
impl Fleet for Shared {
    type StreamStream = Pin<Box<dyn Stream<Item = Result<v1::CollectorMessage, Status>> + Send>>;

    async fn stream(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let (answer, answers) = mpsc::channel(8);
        let opened = (request.into_inner(), answer);
        // A test that does not look at streams has none.
        if self.opened.try_send(opened).is_err() {
            return Err(Status::unavailable("nobody takes streams here"));
        }
        Ok(Response::new(Box::pin(Incoming(answers))))
    }

    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::RenewResponse>, Status> {
        self.asked.lock().unwrap().renewed += 1;
        let request = request.into_inner().certificate_request;
        let name = format!("quorate://{CLUSTER}/node/pve-01");
        Ok(Response::new(v1::RenewResponse {
            credentials: Some(self.credentials(&request, &name)),
        }))
    }

    async fn cluster_token(
        &self,
        request: Request<v1::ClusterTokenRequest>,
    ) -> Result<Response<v1::ClusterTokenResponse>, Status> {
        let mut asked = self.asked.lock().unwrap();
        asked.cluster_token.push(request.into_inner());
        let token = JoinToken::mint(fingerprint(&self.ca.0)).unwrap();
        let life = self.answers.lock().unwrap().token_life;
        Ok(Response::new(v1::ClusterTokenResponse {
            token: token.to_text(),
            not_after_unix_s: (Timestamp::now() + life).as_second(),
            enrolment_addresses: vec![self.enrolment.to_string()],
        }))
    }
}

/// Files below a root, as a node of Proxmox VE has them.
pub(crate) fn node(root: &Path, name: &str) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    let unit = rcgen::DnType::OrganizationalUnitName;
    params.distinguished_name.push(unit, CLUSTER);
    let ca = params.self_signed(&key).unwrap().pem();
    let conf = include_str!("../../../model/fixtures/corosync_conf/pve-8-nodes-2-links.conf");
    for (path, text) in [
        ("etc/pve/pve-root-ca.pem", ca.as_str()),
        ("etc/pve/corosync.conf", conf),
        ("etc/pve/priv/known_hosts", ""),
        ("proc/sys/kernel/hostname", name),
    ] {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn authority() -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    (certificate.der().clone(), Issuer::new(params, key))
}

async fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

fn incoming(listener: TcpListener, tls: ServerConfig) -> Incoming<io::Result<Tls>> {
    let (connected, incoming) = mpsc::channel(8);
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await
                && connected.send(Ok(Tls(stream))).await.is_err()
            {
                return;
            }
        }
    });
    Incoming(incoming)
}

struct Incoming<T>(mpsc::Receiver<T>);

impl<T> Stream for Incoming<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

struct Tls(TlsStream<TcpStream>);

impl Connected for Tls {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Tls {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, room)
    }
}

impl AsyncWrite for Tls {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
