//! A collector in this process, with a Fleet that only answers heartbeats, and clients that speak real TLS to it.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use model::identity::{ClusterId, Identity, Role};
use model::name::NodeName;
use proto::dial::dial;
use proto::token::JoinToken;
use proto::v1;
use proto::v1::enrolment_client::EnrolmentClient;
use proto::v1::fleet_client::FleetClient;
use proto::v1::fleet_server::{Fleet, FleetServer};
use proto::v1::gate_client::GateClient;
use quorate_collector::addresses::Told;
use quorate_collector::alerts::{AlertsService, ReceiverHealth};
use quorate_collector::authority::Duty;
use quorate_collector::gate::Judge;
use quorate_collector::identity::Identities;
use quorate_collector::keeper::Own;
use quorate_collector::keepers::Keepers;
use quorate_collector::ledger::memory::Memory;
use quorate_collector::peer::peer;
use quorate_collector::refusal::Refusals;
use quorate_collector::registrar::Registrar;
use quorate_collector::renew;
use quorate_collector::routes::routes;
use quorate_collector::serve::{Collector, Listen};
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::tokio_stream::{Stream, StreamExt as _};
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

pub(crate) const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
/// Of the collector; agents of others are taken or refused by it.
pub(crate) const VERSION: &str = "1.4.0";
pub(crate) const OTHER: &str = "5d0f7a10-1111-4222-8333-0c6f7f1e2d3c";
/// Nothing here takes long; whoever waits so long waits in vain.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the collector of this test says. Everything of a test runs on its own thread, so the log is its own too.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    text: Arc<Mutex<String>>,
    news: Arc<Notify>,
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let said = String::from_utf8_lossy(bytes);
        write!(self.text.lock().unwrap(), "{said}").unwrap();
        self.news.notify_waiters();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn find(&self, what: &str) -> Option<String> {
        let text = self.text.lock().unwrap();
        text.lines()
            .find(|line| line.contains(what))
            .map(str::to_owned)
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        let text = self.text.lock().unwrap();
        text.lines().filter(|line| line.contains(what)).count()
    }

    /// The first line that holds this, as soon as there is one.
    #[track_caller]
    pub(crate) fn line(&self, what: &str) -> impl Future<Output = String> {
        let (log, what) = (self.clone(), what.to_owned());
        async move {
            let found = timeout(PATIENCE, async {
                loop {
                    let news = log.news.notified();
                    if let Some(line) = log.find(&what) {
                        return line;
                    }
                    news.await;
                }
            });
            let text = || log.text.lock().unwrap().clone();
            found
                .await
                .unwrap_or_else(|_| panic!("{what:?} was never said:\n{}", text()))
        }
    }
}

pub(crate) struct House {
    pub(crate) state: tempfile::TempDir,
    pub(crate) fleet: SocketAddr,
    pub(crate) enrolment: SocketAddr,
    /// As a command of the terminal opens it, beside the running collector.
    pub(crate) identities: Identities,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) log: Log,
    serving: JoinHandle<()>,
    _logging: tracing::subscriber::DefaultGuard,
}

impl Drop for House {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A key and what it was certified as.
#[derive(Debug, Clone)]
pub(crate) struct Badge {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: Vec<u8>,
    pub(crate) trust: Vec<CertificateDer<'static>>,
}

impl Badge {
    pub(crate) fn of(answer: v1::EnrolResponse, key: &rcgen::KeyPair) -> Self {
        let credentials = answer.credentials.unwrap();
        Self {
            chain: ders(credentials.chain),
            key: key.serialize_der(),
            trust: ders(credentials.trust),
        }
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        Arc::new(proto::tls::client(self.chain.clone(), key, &self.trust).unwrap())
    }
}

impl House {
    /// With a Fleet that only answers heartbeats.
    pub(crate) async fn open() -> Self {
        Self::furnished(Duty::Authority, async |collector: &Collector| {
            let stub = Stub {
                identities: collector.identities(),
                told: collector.told(),
            };
            let judge = Judge::new(
                collector.identities(),
                Arc::new(keepers(collector)),
                collector.refusals(),
            );
            Routes::new(FleetServer::new(stub)).add_service(judge.service())
        })
        .await
    }

    /// With everything that a collector has.
    pub(crate) async fn whole(duty: Duty) -> Self {
        Self::furnished(duty, async |collector: &Collector| {
            let keepers = Arc::new(keepers(collector));
            let registrar = Registrar {
                identities: collector.identities(),
                told: collector.told(),
            };
            let judge = Judge::new(
                collector.identities(),
                Arc::clone(&keepers),
                collector.refusals(),
            );
            let routes = routes(keepers, Arc::new(registrar), collector.refusals());
            let (routes, _health) = routes.await.unwrap();
            let alerts = AlertsService::service(Arc::clone(&judge), Arc::new(receivers));
            routes.add_service(judge.service()).add_service(alerts)
        })
        .await
    }

    async fn furnished(duty: Duty, services: impl AsyncFnOnce(&Collector) -> Routes) -> Self {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let logging = tracing::subscriber::set_default(subscriber);
        let state = tempfile::tempdir().unwrap();
        let addresses = ["127.0.0.1".to_owned()];
        let now = Timestamp::now();
        let identities = Identities::init(state.path(), &addresses, duty, now).unwrap();
        let listen = Listen {
            fleet: SocketAddr::from(([127, 0, 0, 1], 0)),
            enrolment: SocketAddr::from(([127, 0, 0, 1], 0)),
            addresses: Vec::new(),
        };
        let collector = Collector::bind(identities, &listen).await.unwrap();
        let (fleet, enrolment) = (collector.fleet(), collector.enrolment());
        let refusals = collector.refusals();
        let routes = services(&collector).await;
        let serving = tokio::spawn(async move {
            collector
                .serve(routes, std::future::pending())
                .await
                .unwrap();
        });
        Self {
            identities: Identities::open(state.path()).unwrap(),
            state,
            fleet,
            enrolment,
            refusals,
            log,
            serving,
            _logging: logging,
        }
    }

    /// Makes a token, and waits until somebody can enrol with it.
    pub(crate) async fn token(&self, uses: u32) -> JoinToken {
        let lifetime = Duration::from_secs(3_600);
        let new = self
            .identities
            .make_token(None, uses, lifetime, Timestamp::now())
            .unwrap();
        self.log.line("enrolment is open").await;
        new.token
    }

    pub(crate) async fn enrol(&self, token: &JoinToken, node: &str) -> Result<Badge, Status> {
        let key = rcgen::KeyPair::generate().unwrap();
        let request = request(token, node, &key);
        let answer = self.ask_to_enrol(token, request).await?;
        Ok(Badge::of(answer, &key))
    }

    pub(crate) async fn ask_to_enrol(
        &self,
        token: &JoinToken,
        request: v1::EnrolRequest,
    ) -> Result<v1::EnrolResponse, Status> {
        let tls = Arc::new(proto::tls::stranger(token.ca()).unwrap());
        let channel = dial(&self.enrolment.to_string(), tls)
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        let mut client = EnrolmentClient::new(channel);
        Ok(client.enrol(request).await?.into_inner())
    }

    /// A node that is enrolled.
    pub(crate) async fn agent(&self, node: &str) -> Badge {
        let token = self.token(1).await;
        self.enrol(&token, node).await.unwrap()
    }

    pub(crate) fn person(&self, role: Role, name: &str) -> Badge {
        let identity = Identity::person(None, role, NodeName::new(name).unwrap()).unwrap();
        let (issued, key) = self
            .identities
            .add_person(&identity, Timestamp::now())
            .unwrap();
        Badge {
            chain: vec![CertificateDer::from(issued.der)],
            key: key.serialize_der(),
            trust: self.identities.trust().unwrap().cas,
        }
    }

    pub(crate) async fn connect(&self, badge: &Badge) -> Channel {
        dial(&self.fleet.to_string(), badge.config()).await.unwrap()
    }

    pub(crate) async fn gate(&self, badge: &Badge) -> GateClient<Channel> {
        GateClient::new(self.connect(badge).await)
    }

    /// Opens a stream, and waits until it speaks.
    pub(crate) async fn stream(&self, badge: &Badge) -> Result<Talk, Status> {
        let mut client = FleetClient::new(self.connect(badge).await);
        let (say, said) = mpsc::channel(4);
        say.send(heartbeat(1)).await.unwrap();
        let answer = client.stream(ReceiverStream::new(said)).await?;
        let mut talk = Talk {
            say,
            heard: answer.into_inner(),
        };
        talk.heard.message().await?;
        Ok(talk)
    }

    /// Whoever is good still gets an answer.
    pub(crate) async fn is_well_for(&self, badge: &Badge) {
        let mut talk = timeout(PATIENCE, self.stream(badge))
            .await
            .expect("a good client is kept waiting")
            .unwrap();
        talk.answers(2).await;
    }
}

/// As the configuration of the house has them: nothing arrives at the second one.
fn receivers() -> Vec<ReceiverHealth> {
    let well = ReceiverHealth {
        name: "ops-mail".to_owned(),
        kind: "mail".to_owned(),
        ..ReceiverHealth::default()
    };
    let failing = ReceiverHealth {
        name: "ops-slack".to_owned(),
        kind: "slack".to_owned(),
        failing_since_unix_ms: 1_800_000_000_000,
        why: "answered 403".to_owned(),
    };
    vec![well, failing]
}

fn keepers(collector: &Collector) -> Keepers {
    let identities = collector.identities();
    let own = move |_: &ClusterId| Own {
        collector: identities.id().to_owned(),
        epoch: identities.epoch(),
        is_authority: identities.duty() == Duty::Authority,
    };
    Keepers::new(Arc::new(Memory::new()), None, VERSION, 7, own)
}

/// An open stream.
pub(crate) struct Talk {
    pub(crate) say: mpsc::Sender<v1::AgentMessage>,
    pub(crate) heard: Streaming<v1::CollectorMessage>,
}

impl Talk {
    pub(crate) async fn answers(&mut self, number: u64) {
        self.say.send(heartbeat(number)).await.unwrap();
        let answer = self.heard.message().await.unwrap().unwrap();
        let expect =
            v1::collector_message::Message::HeartbeatAnswer(v1::HeartbeatAnswer { number });
        assert_eq!(answer.message, Some(expect));
    }

    /// Waits for the stream's end.
    pub(crate) async fn ended(&mut self) -> Option<Status> {
        timeout(PATIENCE, async {
            loop {
                match self.heard.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return None,
                    Err(status) => return Some(status),
                }
            }
        })
        .await
        .expect("the stream is still open")
    }
}

fn heartbeat(number: u64) -> v1::AgentMessage {
    v1::AgentMessage {
        boottime_ms: 1,
        message: Some(v1::agent_message::Message::Heartbeat(v1::Heartbeat {
            number,
            ..v1::Heartbeat::default()
        })),
    }
}

pub(crate) fn cluster() -> ClusterId {
    ClusterId::new(CLUSTER).unwrap()
}

pub(crate) fn csr(key: &rcgen::KeyPair) -> Vec<u8> {
    let params = rcgen::CertificateParams::default();
    params.serialize_request(key).unwrap().der().to_vec()
}

pub(crate) fn request(token: &JoinToken, node: &str, key: &rcgen::KeyPair) -> v1::EnrolRequest {
    v1::EnrolRequest {
        token: token.to_text(),
        cluster: Some(v1::Cluster {
            id: CLUSTER.to_owned(),
            name: "pve".to_owned(),
        }),
        node: node.to_owned(),
        certificate_request: csr(key),
        nodelist: vec![
            "pve-01".to_owned(),
            "pve-02".to_owned(),
            "pve-03".to_owned(),
        ],
        agent: None,
        authority: None,
    }
}

fn ders(ders: Vec<Vec<u8>>) -> Vec<CertificateDer<'static>> {
    ders.into_iter().map(CertificateDer::from).collect()
}

struct Stub {
    identities: Arc<Identities>,
    told: Told,
}

#[tonic::async_trait]
impl Fleet for Stub {
    type StreamStream =
        Pin<Box<dyn Stream<Item = Result<v1::CollectorMessage, Status>> + Send + 'static>>;

    async fn stream(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        peer(&request)?;
        let answers = request.into_inner().filter_map(|message| match message {
            Ok(v1::AgentMessage {
                message: Some(v1::agent_message::Message::Heartbeat(heartbeat)),
                ..
            }) => Some(Ok(v1::CollectorMessage {
                message: Some(v1::collector_message::Message::HeartbeatAnswer(
                    v1::HeartbeatAnswer {
                        number: heartbeat.number,
                    },
                )),
            })),
            Ok(_) => None,
            Err(status) => Some(Err(status)),
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::RenewResponse>, Status> {
        let peer = peer(&request)?;
        let request = request.into_inner();
        renew::renew(&self.identities, &peer, &request, Timestamp::now()).map(Response::new)
    }

    async fn cluster_token(
        &self,
        request: Request<v1::ClusterTokenRequest>,
    ) -> Result<Response<v1::ClusterTokenResponse>, Status> {
        let peer = peer(&request)?;
        let request = request.into_inner();
        renew::cluster_token(
            &self.identities,
            &self.told,
            &peer,
            request,
            Timestamp::now(),
        )
        .map(Response::new)
    }
}
