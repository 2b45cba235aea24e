//! A collector of a few lines, to hold clients against without one: it signs whatever asks, welcomes everybody, answers
//! every heartbeat, and keeps nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use proto::tls::{ALPN, SERVER_NAME, provider, roots};
use proto::token::{JoinToken, fingerprint};
use proto::v1;
use proto::v1::agent_message::Message as Said;
use proto::v1::collector_message::Message as Answer;
use proto::v1::enrolment_server::{Enrolment, EnrolmentServer};
use proto::v1::fleet_server::{Fleet, FleetServer};
use proto::v1::query_server::{Query, QueryServer};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType,
    IsCa, KeyPair, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::{async_trait, tokio_stream as streams};
use tonic::{Request, Response, Status, Streaming};

const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";

type Ca = Arc<CertifiedIssuer<'static, KeyPair>>;

/// Where it is, and a token for it. It stands as long as the runtime that it was started on.
#[derive(Debug)]
pub(crate) struct StandIn {
    pub(crate) enrolment: SocketAddr,
    pub(crate) token: String,
    /// An operator's file, as `quorate-collector operator add` writes it.
    pub(crate) operator: serde_json::Value,
}

impl StandIn {
    pub(crate) async fn start() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        // OpenSSL takes a certificate for self-signed whose issuer has its own name.
        params
            .distinguished_name
            .push(DnType::CommonName, "a CA of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca: Ca = Arc::new(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?);
        let fleet_listener = TcpListener::bind("127.0.0.1:0").await?;
        let enrolment_listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = fleet_listener.local_addr()?.to_string();
        let enrolment = enrolment_listener.local_addr()?;
        let service = Service {
            ca: Arc::clone(&ca),
            address: address.clone(),
        };
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<FleetServer<Service>>().await;
        // Python's and older clients know only the version before 1.
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let inside = tonic::service::Routes::new(FleetServer::new(service.clone()))
            .add_service(QueryServer::new(service.clone()))
            .add_service(health_service)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?);
        let outside = tonic::service::Routes::new(EnrolmentServer::new(service));
        tokio::spawn(serve(fleet_listener, config(&ca, true)?, inside));
        tokio::spawn(serve(enrolment_listener, config(&ca, false)?, outside));
        let key = KeyPair::generate()?;
        let anna = person()?.signed_by(&key, &*ca)?;
        Ok(Self {
            enrolment,
            token: JoinToken::mint(fingerprint(ca.der()))?.to_text(),
            operator: serde_json::json!({
                "addresses": [address],
                "certificate_pem": anna.pem(),
                "key_pem": key.serialize_pem(),
                "trust_pem": ca.pem(),
            }),
        })
    }
}

fn person() -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.subject_alt_names = vec![SanType::URI("quorate://all/operator/anna".try_into()?)];
    Ok(params)
}

fn config(ca: &Ca, asks_for_certificate: bool) -> Result<Arc<ServerConfig>> {
    let key = KeyPair::generate()?;
    let own = CertificateParams::new(vec![SERVER_NAME.to_owned()])?.signed_by(&key, &**ca)?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?;
    let builder = if asks_for_certificate {
        let trust = roots(&[ca.der().clone()])?;
        let verifier = WebPkiClientVerifier::builder_with_provider(trust, provider());
        builder.with_client_cert_verifier(verifier.build()?)
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let chain = vec![own.der().clone(), ca.der().clone()];
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}

async fn serve(listener: TcpListener, config: Arc<ServerConfig>, routes: tonic::service::Routes) {
    let acceptor = TlsAcceptor::from(config);
    while let Ok((tcp, _)) = listener.accept().await {
        let (acceptor, routes) = (acceptor.clone(), routes.clone());
        tokio::spawn(async move {
            let Ok(mut tls) = acceptor.accept(tcp).await else {
                return;
            };
            // tonic serves a stream of its own kinds only.
            let (mut outer, inner) = tokio::io::duplex(64 << 10);
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut tls, &mut outer).await });
            let one = streams::once(Ok::<_, std::io::Error>(inner));
            // How a connection ends is for its other end to say.
            let _ = tonic::transport::Server::builder()
                .add_routes(routes)
                .serve_with_incoming(one)
                .await;
        });
    }
}

#[derive(Clone)]
struct Service {
    ca: Ca,
    address: String,
}

fn refused(error: impl std::fmt::Display) -> Status {
    Status::invalid_argument(error.to_string())
}

impl Service {
    fn sign(&self, request: &v1::EnrolRequest) -> Result<Vec<u8>> {
        let cluster = request.cluster.as_ref().context("no cluster")?;
        let csr = request.certificate_request.as_slice().into();
        let mut csr = CertificateSigningRequestParams::from_der(&csr)?;
        let name = format!("quorate://{}/node/{}", cluster.id, request.node);
        csr.params.subject_alt_names = vec![SanType::URI(name.try_into()?)];
        Ok(csr.signed_by(&*self.ca)?.der().to_vec())
    }
}

#[async_trait]
impl Enrolment for Service {
    async fn enrol(
        &self,
        request: Request<v1::EnrolRequest>,
    ) -> Result<Response<v1::EnrolResponse>, Status> {
        let own = self.sign(request.get_ref()).map_err(refused)?;
        Ok(Response::new(v1::EnrolResponse {
            credentials: Some(v1::Credentials {
                chain: vec![own],
                trust: vec![self.ca.der().to_vec()],
                not_after_unix_s: 0,
            }),
            addresses: vec![self.address.clone()],
            authority: None,
            is_authority: true,
        }))
    }
}

/// What is said to a message, if anything.
fn answer(said: Said) -> Option<Answer> {
    match said {
        Said::Hello(_) => Some(Answer::Welcome(v1::Welcome {
            heartbeat_ms: 2_000,
            is_authority: true,
            ..Default::default()
        })),
        Said::Heartbeat(heartbeat) => Some(Answer::HeartbeatAnswer(v1::HeartbeatAnswer {
            number: heartbeat.number,
        })),
        Said::Events(events) => Some(Answer::EventsKept(v1::EventsKept {
            up_to: events.events.last()?.number,
            spool_id: events.spool_id,
        })),
        Said::Report(_) | Said::Delta(_) | Said::ProbeAnswer(_) => None,
    }
}

#[async_trait]
impl Fleet for Service {
    type StreamStream = ReceiverStream<Result<v1::CollectorMessage, Status>>;

    async fn stream(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let mut said = request.into_inner();
        let (sender, answers) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok(Some(message)) = said.message().await {
                let answer = message.message.and_then(answer);
                if answer.is_some() {
                    let message = v1::CollectorMessage { message: answer };
                    if sender.send(Ok(message)).await.is_err() {
                        break;
                    }
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn renew(
        &self,
        _: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::RenewResponse>, Status> {
        Err(Status::unimplemented("a stand-in renews nothing"))
    }
}

#[async_trait]
impl Query for Service {
    async fn get_status(
        &self,
        _: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let cluster = v1::ClusterStatus {
            cluster: Some(v1::Cluster {
                id: CLUSTER.to_owned(),
                name: "python".to_owned(),
            }),
            nodes: vec![v1::NodeStatus {
                node: "pve-01".to_owned(),
                standing: v1::Standing::Connected.into(),
                ..Default::default()
            }],
            ..Default::default()
        };
        Ok(Response::new(v1::GetStatusResponse {
            collector: None,
            clusters: vec![cluster],
        }))
    }

    async fn get_report(
        &self,
        _: Request<v1::GetReportRequest>,
    ) -> Result<Response<v1::GetReportResponse>, Status> {
        Err(Status::unimplemented("a stand-in keeps nothing"))
    }

    type ListEventsStream = streams::Empty<Result<v1::KeptEvent, Status>>;

    async fn list_events(
        &self,
        _: Request<v1::ListEventsRequest>,
    ) -> Result<Response<Self::ListEventsStream>, Status> {
        Ok(Response::new(streams::empty()))
    }
}
