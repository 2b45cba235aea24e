//! Fleet, Query, health and reflection over a real socket; who calls is said by a header here, not by a certificate.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::sync::Arc;

use model::identity::{ClusterId, Identity};
use proto::token::Fingerprint;
use proto::v1;
use proto::v1::fleet_client::FleetClient;
use proto::v1::query_client::QueryClient;
use quorate_collector::fleet::Identities;
use quorate_collector::keeper::Own;
use quorate_collector::keepers::Keepers;
use quorate_collector::ledger::memory::Memory;
use quorate_collector::peer::Peer;
use quorate_collector::role;
use quorate_collector::routes::routes;
use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Status, Streaming};
use v1::agent_message::Message as FromAgent;
use v1::collector_message::Message as FromCollector;

const CLUSTER: &str = "0b9d3a52-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const COLLECTOR: &str = "11111111-6a36-4d0a-9f3c-0c6f7f1e2d3c";
const VERSION: &str = "0.1.0";

struct NoIdentities;

#[tonic::async_trait]
impl Identities for NoIdentities {
    async fn renew(&self, peer: &Peer, _: v1::RenewRequest) -> Result<v1::RenewResponse, Status> {
        Err(Status::unimplemented(format!(
            "renew for {}",
            peer.identity
        )))
    }

    async fn cluster_token(
        &self,
        peer: &Peer,
        _: v1::ClusterTokenRequest,
    ) -> Result<v1::ClusterTokenResponse, Status> {
        Err(Status::unimplemented(format!(
            "token for {}",
            peer.identity
        )))
    }

    async fn spoke(&self, _: &Peer, _: Vec<Fingerprint>) {}

    async fn keeps_trust(&self, _: &Peer, _: Vec<Fingerprint>) {}
}

/// What the door puts into a request.
fn whoever(mut request: http::Request<Body>) -> http::Request<Body> {
    let said = request.headers().get("test-identity");
    if let Some(text) = said.and_then(|said| said.to_str().ok()) {
        let peer = Peer {
            identity: Identity::parse(text).unwrap(),
            serial: "01".to_owned(),
            ca: [1; 32],
            address: ([127, 0, 0, 1], 1).into(),
        };
        let judged = role::judge(&peer, request.uri().path(), request.headers());
        if let Ok(asker) = judged {
            request.extensions_mut().insert(asker);
        }
        request.extensions_mut().insert(peer);
    }
    request
}

async fn serve() -> Channel {
    let own = |_: &ClusterId| Own {
        collector: COLLECTOR.to_owned(),
        epoch: 1,
        is_authority: true,
    };
    let keepers = Keepers::new(Arc::new(Memory::new()), None, VERSION, 7, own);
    let keepers = Arc::new(keepers);
    let keeper = keepers
        .keeper(&ClusterId::new(CLUSTER).unwrap())
        .await
        .unwrap();
    keeper
        .enrolled(model::name::NodeName::new("pve-02").unwrap())
        .await;
    let routes = routes(keepers, Arc::new(NoIdentities), Arc::default());
    let (routes, _health) = routes.await.unwrap();
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = incoming.local_addr().unwrap();
    let server = Server::builder()
        .layer(tower::util::MapRequestLayer::new(whoever))
        .add_routes(routes)
        .serve_with_incoming(incoming);
    tokio::spawn(server);
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect().await.unwrap()
}

fn asked_by<T>(who: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("test-identity", who.parse().unwrap());
    request
}

fn agent(node: &str) -> String {
    format!("quorate://{CLUSTER}/node/{node}")
}

const VIEWER: &str = "quorate://all/viewer/anna";

fn hello(node: &str) -> FromAgent {
    FromAgent::Hello(v1::Hello {
        cluster: Some(v1::Cluster {
            id: CLUSTER.to_owned(),
            name: "pve".to_owned(),
        }),
        node: node.to_owned(),
        agent: Some(v1::Software {
            version: VERSION.to_owned(),
            capabilities: vec![],
        }),
        boot_id: COLLECTOR.to_owned(),
        spool_id: vec![9; 16],
        spool_first: 1,
        spool_next: 100,
        authority: None,
        instance: vec![1],
        trust: Vec::new(),
    })
}

struct Line {
    to_collector: mpsc::Sender<v1::AgentMessage>,
    from_collector: Streaming<v1::CollectorMessage>,
}

impl Line {
    async fn open(channel: &Channel, who: &str) -> Self {
        let (to_collector, messages) = mpsc::channel(100);
        let messages = ReceiverStream::new(messages);
        let answer = FleetClient::new(channel.clone())
            .stream(asked_by(who, messages))
            .await;
        Self {
            to_collector,
            from_collector: answer.unwrap().into_inner(),
        }
    }

    async fn say(&self, message: FromAgent) {
        let message = v1::AgentMessage {
            boottime_ms: 500_000,
            message: Some(message),
        };
        self.to_collector.send(message).await.unwrap();
    }

    async fn hear(&mut self) -> Result<FromCollector, Status> {
        let message = self.from_collector.message().await?;
        Ok(message.unwrap().message.unwrap())
    }
}

fn corosync() -> v1::Fact {
    let json = serde_json::json!({
        "quorate": true, "node_id": 1, "total_votes": 3, "quorum": 2,
        "members": [{"node_id": 1, "votes": 1, "local": true}, {"node_id": 2, "votes": 2}],
        "links": [
            {"link": 0, "peers": [
                {"node_id": 1, "local": true},
                {"node_id": 2, "connected": true},
                {"node_id": 3, "connected": false}]},
            {"link": 1, "peers": [{"node_id": 2}, {"node_id": 3, "connected": true}]}],
    });
    v1::Fact {
        family: v1::Family::Corosync.into(),
        read_at_boottime_ms: 499_000,
        state: Some(v1::fact::State::Known(v1::Known {
            json: json.to_string(),
            at_unix_ms: 1_700_000_000_000,
            problems: vec![],
        })),
    }
}

fn event(number: u64) -> v1::Event {
    v1::Event {
        number,
        event: Some(v1::event::Event::ChangeJson(format!("{{\"n\":{number}}}"))),
    }
}

fn events(numbers: &[u64]) -> FromAgent {
    FromAgent::Events(v1::Events {
        spool_id: vec![9; 16],
        events: numbers.iter().map(|number| event(*number)).collect(),
    })
}

#[track_caller]
fn check_status(status: &v1::GetStatusResponse) {
    assert_eq!(status.collector.as_ref().unwrap().version, VERSION);
    let [cluster] = status.clusters.as_slice() else {
        panic!("{:?}", status.clusters);
    };
    assert!(cluster.is_authority);
    let [one, two] = cluster.nodes.as_slice() else {
        panic!("{:?}", cluster.nodes);
    };
    assert_eq!(
        (one.node.as_str(), one.standing()),
        ("pve-01", v1::Standing::Connected)
    );
    assert_eq!(
        (one.quorate, one.votes, one.total_votes, one.quorum),
        (Some(true), Some(1), Some(3), Some(2))
    );
    assert_eq!(one.events_kept, 2);
    assert!(one.corosync_age_ms.unwrap() >= 1_000);
    let links: Vec<_> = one
        .links
        .iter()
        .map(|link| (link.link, link.peers_connected, link.peers))
        .collect();
    assert_eq!(links, [(0, 1, 2), (1, 1, 2)]);
    assert_eq!(
        (two.node.as_str(), two.standing()),
        ("pve-02", v1::Standing::NeverHeard)
    );
    assert_eq!((two.heard_ago_ms, two.quorate), (None, None));
    assert_eq!(
        cluster.findings,
        ["pve-02 was not heard since the collector started"]
    );
}

#[tokio::test]
async fn what_an_agent_tells_is_what_a_viewer_sees() {
    let channel = serve().await;
    let mut line = Line::open(&channel, &agent("pve-01")).await;
    line.say(hello("pve-01")).await;
    let Ok(FromCollector::Welcome(welcome)) = line.hear().await else {
        panic!("no welcome");
    };
    assert_eq!((welcome.heartbeat_ms, welcome.is_authority), (2_000, true));
    let facts = vec![corosync()];
    line.say(FromAgent::Report(v1::Report { revision: 1, facts }))
        .await;
    line.say(events(&[1, 2])).await;
    let Ok(FromCollector::EventsKept(kept)) = line.hear().await else {
        panic!("not kept");
    };
    assert_eq!(kept.up_to, 2);

    let mut query = QueryClient::new(channel.clone());
    let request = asked_by(
        VIEWER,
        v1::GetStatusRequest {
            with_closed_incidents: false,
            cluster: "pve".to_owned(),
        },
    );
    let status = query.get_status(request).await.unwrap().into_inner();
    check_status(&status);

    let request = v1::GetReportRequest {
        cluster: CLUSTER.to_owned(),
        node: "pve-01".to_owned(),
    };
    let report = query
        .get_report(asked_by(VIEWER, request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(report.facts.len(), 1);
    assert!(report.facts[0].age_ms >= 1_000);

    let request = v1::ListEventsRequest {
        cluster: CLUSTER.to_owned(),
        node: String::new(),
        after: 1,
        follow: true,
    };
    let mut followed = query
        .list_events(asked_by(VIEWER, request))
        .await
        .unwrap()
        .into_inner();
    let kept = followed.message().await.unwrap().unwrap();
    assert_eq!((kept.place, kept.event), (2, Some(event(2))));
    line.say(events(&[3])).await;
    let kept = followed.message().await.unwrap().unwrap();
    assert_eq!(
        (kept.place, kept.node.as_str(), kept.event),
        (3, "pve-01", Some(event(3)))
    );
}

#[tokio::test]
async fn whoever_speaks_as_another_is_refused_and_nobody_is_disturbed() {
    let channel = serve().await;
    let mut right = Line::open(&channel, &agent("pve-01")).await;
    right.say(hello("pve-01")).await;
    right.hear().await.unwrap();

    let mut wrong = Line::open(&channel, &agent("pve-02")).await;
    wrong.say(hello("pve-01")).await;
    let refused = wrong.hear().await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(
        refused.message(),
        "the certificate is of node pve-02, and hello says \"pve-01\""
    );

    let (_messages, none) = mpsc::channel(1);
    let request = asked_by(VIEWER, ReceiverStream::new(none));
    let refused = FleetClient::new(channel.clone())
        .stream(request)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let refused = FleetClient::new(channel.clone())
        .renew(v1::RenewRequest::default())
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);

    let mut nonsense = Line::open(&channel, &agent("pve-03")).await;
    nonsense.say(hello("pve-03")).await;
    nonsense.hear().await.unwrap();
    nonsense.say(events(&[7])).await;
    let refused = nonsense.hear().await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    nonsense = Line::open(&channel, &agent("pve-03")).await;
    nonsense.say(hello("pve-03")).await;
    nonsense.hear().await.unwrap();
    nonsense.say(hello("pve-03")).await;
    let refused = nonsense.hear().await.unwrap_err();
    assert_eq!(
        refused.message(),
        "hello comes once, at the beginning of a stream"
    );

    right
        .say(FromAgent::Heartbeat(v1::Heartbeat {
            number: 1,
            ..Default::default()
        }))
        .await;
    assert!(matches!(
        right.hear().await,
        Ok(FromCollector::HeartbeatAnswer(_))
    ));
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_its_stream() {
    let channel = serve().await;
    let mut line = Line::open(&channel, &agent("pve-01")).await;
    line.say(hello("pve-01")).await;
    line.hear().await.unwrap();
    let mut fact = corosync();
    let json = format!("\"{}\"", "x".repeat(17 << 20));
    fact.state = Some(v1::fact::State::Known(v1::Known {
        json,
        at_unix_ms: 0,
        problems: vec![],
    }));
    let facts = vec![fact];
    line.say(FromAgent::Report(v1::Report { revision: 1, facts }))
        .await;
    let refused = line.hear().await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused:?}");
}

#[tokio::test]
async fn agents_do_not_ask_but_root_on_their_node_does_and_only_of_their_cluster() {
    let channel = serve().await;
    let mut query = QueryClient::new(channel);
    let request = || v1::GetStatusRequest {
        with_closed_incidents: false,
        cluster: String::new(),
    };
    let refused = query
        .get_status(asked_by(&agent("pve-01"), request()))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let mut root = asked_by(&agent("pve-01"), request());
    root.metadata_mut()
        .insert("quorate-on-behalf-of", "root".parse().unwrap());
    assert_eq!(
        query
            .get_status(root)
            .await
            .unwrap()
            .into_inner()
            .clusters
            .len(),
        1
    );
    let elsewhere = "quorate://22222222-6a36-4d0a-9f3c-0c6f7f1e2d3c/viewer/anna";
    let seen = query
        .get_status(asked_by(elsewhere, request()))
        .await
        .unwrap()
        .into_inner();
    assert!(seen.clusters.is_empty());
    let request = v1::GetReportRequest {
        cluster: CLUSTER.to_owned(),
        node: "pve-01".to_owned(),
    };
    let refused = query
        .get_report(asked_by(elsewhere, request))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test]
async fn health_says_serving() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    let mut health = HealthClient::new(serve().await);
    for service in ["", "quorate.v1.Fleet", "quorate.v1.Query"] {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status, 1, "{service}");
    }
}
