//! The Fleet service: the socket's end of a stream. Each stream has a task here that reads, decodes and patches; what
//! is decided is the keeper's.

use std::sync::Arc;
use std::time::Duration;

use model::identity::{ClusterId, Role};
use model::name::NodeName;
use prost::Message as _;
use proto::broken::BrokenOff;
use proto::token::Fingerprint;
use proto::v1;
use proto::v1::agent_message::Message;
use proto::v1::fleet_server::{Fleet, FleetServer};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::keeper::MAX_MESSAGE_BYTES;
use crate::keeper::actor::{Keeper, ToAgent, way_to_agent};
use crate::keeper::hello::{self, Greeting};
use crate::keeper::intake::Intake;
use crate::keeper::mailbox::Letters;
use crate::keeper::refusal::Refusal;
use crate::keepers::Keepers;
use crate::peer::{Peer, peer};
use crate::refusal::{Reason, Refusals};

/// How long a stream may be open without a Hello.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// Certificates and tokens: what the Fleet service hands on to whoever keeps the identities.
#[tonic::async_trait]
pub trait Identities: Send + Sync + 'static {
    async fn renew(
        &self,
        peer: &Peer,
        request: v1::RenewRequest,
    ) -> Result<v1::RenewResponse, Status>;

    async fn cluster_token(
        &self,
        peer: &Peer,
        request: v1::ClusterTokenRequest,
    ) -> Result<v1::ClusterTokenResponse, Status>;

    /// The agent of this certificate opened a stream, and trusts these CAs.
    async fn spoke(&self, peer: &Peer, trust: Vec<Fingerprint>);

    /// It keeps these now.
    async fn keeps_trust(&self, peer: &Peer, trust: Vec<Fingerprint>);
}

/// The service.
pub struct FleetService {
    keepers: Arc<Keepers>,
    identities: Arc<dyn Identities>,
    refusals: Arc<Refusals>,
}

impl std::fmt::Debug for FleetService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FleetService").finish_non_exhaustive()
    }
}

impl FleetService {
    pub fn service(
        keepers: Arc<Keepers>,
        identities: Arc<dyn Identities>,
        refusals: Arc<Refusals>,
    ) -> FleetServer<Self> {
        FleetServer::new(Self {
            keepers,
            identities,
            refusals,
        })
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
    }
}

#[tonic::async_trait]
impl Fleet for FleetService {
    type StreamStream = ReceiverStream<Result<v1::CollectorMessage, Status>>;

    async fn stream(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let peer = peer(&request)?;
        let (cluster, node) = speaker(&peer)?;
        let (to_agent, from_here) = way_to_agent();
        let stream = Stream {
            cluster,
            node,
            peer,
            identities: Arc::clone(&self.identities),
            keepers: Arc::clone(&self.keepers),
            refusals: Arc::clone(&self.refusals),
            messages: request.into_inner(),
        };
        // Answered before the Hello came: some clients say nothing before they are answered.
        tokio::spawn(stream.run(to_agent));
        Ok(Response::new(ReceiverStream::new(from_here)))
    }

    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::RenewResponse>, Status> {
        let peer = peer(&request)?;
        speaker(&peer)?;
        let renewed = self.identities.renew(&peer, request.into_inner()).await?;
        Ok(Response::new(renewed))
    }

    async fn cluster_token(
        &self,
        request: Request<v1::ClusterTokenRequest>,
    ) -> Result<Response<v1::ClusterTokenResponse>, Status> {
        let peer = peer(&request)?;
        speaker(&peer)?;
        let minted = self
            .identities
            .cluster_token(&peer, request.into_inner())
            .await?;
        Ok(Response::new(minted))
    }
}

/// One stream, from its first byte to its end.
struct Stream {
    cluster: ClusterId,
    node: NodeName,
    peer: Peer,
    identities: Arc<dyn Identities>,
    keepers: Arc<Keepers>,
    refusals: Arc<Refusals>,
    messages: Streaming<v1::AgentMessage>,
}

/// Why a stream is not taken, or not read any further.
enum Stopped {
    /// What it said.
    Refused(Refusal),
    /// What the transport made of it.
    Status(Status),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Status> for Stopped {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl Stream {
    async fn run(mut self, to_agent: mpsc::Sender<ToAgent>) {
        match self.greeted().await {
            Ok((keeper, greeting)) => {
                let intake = Intake::new(greeting.version.clone(), greeting.spool);
                // Nothing of the way is kept here: it would stay open after the keeper has ended the stream.
                if let Some(letters) = keeper.open(greeting, to_agent).await {
                    self.read(intake, &keeper, &letters).await;
                }
            }
            Err(why) => {
                let why = self.log(why);
                // Whoever has gone need not hear it.
                let _ = to_agent.try_send(Err(why));
            }
        }
    }

    async fn greeted(&mut self) -> Result<(Keeper, Greeting), Stopped> {
        let first = timeout(HELLO_WITHIN, self.messages.message()).await;
        let first = first.map_err(|_| Refusal::NoHello)??;
        let first = first.ok_or(Refusal::NoHello)?;
        let version = self.keepers.version();
        let mut greeting = hello::check(first, &self.cluster, &self.node, version)?;
        greeting.ca = Some(self.peer.ca);
        let trust = greeting.trust.clone();
        self.identities.spoke(&self.peer, trust).await;
        let keeper = self.keepers.keeper(&self.cluster).await;
        let keeper = keeper.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok((keeper, greeting))
    }

    async fn read(mut self, mut intake: Intake, keeper: &Keeper, letters: &Letters) {
        loop {
            let message = tokio::select! {
                message = self.messages.message() => message,
                () = letters.closed() => return,
            };
            let taken = match message {
                Ok(Some(message)) => {
                    if let Some(Message::TrustKept(kept)) = &message.message
                        && let Ok(trust) = hello::fingerprints("trust_kept.trust", &kept.trust)
                    {
                        self.identities.keeps_trust(&self.peer, trust).await;
                    }
                    let bytes = message.encoded_len();
                    let taken = intake.take(message, keeper.now());
                    taken.map(|arrived| (arrived, bytes)).map_err(Stopped::from)
                }
                Ok(None) => return,
                Err(status) => Err(Stopped::from(status)),
            };
            match taken {
                Ok((arrived, bytes)) => {
                    if !letters.send(arrived, bytes).await {
                        return;
                    }
                }
                Err(why) => {
                    let why = self.log(why);
                    return letters.end(why).await;
                }
            }
        }
    }

    /// Says why, and hands out what the agent is told.
    fn log(&self, why: Stopped) -> Status {
        let (cluster, node) = (&self.cluster, self.node.as_str());
        let (reason, status) = match why {
            Stopped::Refused(refusal) => (reason(&refusal), Status::from(&refusal)),
            Stopped::Status(status) if status.code() == Code::OutOfRange => {
                (Some(Reason::TooLarge), status)
            }
            Stopped::Status(status) => {
                match BrokenOff::of(&status) {
                    Some(broken) => {
                        tracing::info!(%cluster, node, "stream ended: {broken}");
                    }
                    None => {
                        tracing::warn!(%cluster, node, "stream ended: {}", status.message());
                    }
                }
                return status;
            }
        };
        match reason {
            Some(reason) => {
                let more = format!("{}: {}", self.peer.identity, status.message());
                self.refusals.refuse(reason, self.peer.address, more);
            }
            None => tracing::warn!(%cluster, node, "stream ended: {}", status.message()),
        }
        status
    }
}

/// What the log counts it as; `None`: nobody is refused.
fn reason(refusal: &Refusal) -> Option<Reason> {
    match refusal {
        Refusal::NoHello | Refusal::SecondHello | Refusal::Field { .. } | Refusal::Gap { .. } => {
            Some(Reason::BadRequest)
        }
        Refusal::OtherNode { .. } => Some(Reason::OtherNode),
        Refusal::OtherCluster { .. } => Some(Reason::OtherCluster),
        Refusal::Version { .. } => Some(Reason::Version),
        Refusal::Revoked { .. } => Some(Reason::Revoked),
        Refusal::Newer { .. }
        | Refusal::Silent { .. }
        | Refusal::DoesNotRead
        | Refusal::EventsNotTaken
        | Refusal::Ends => None,
    }
}

/// For whom a certificate may speak here: a node, and nobody else.
fn speaker(peer: &Peer) -> Result<(ClusterId, NodeName), Status> {
    match (peer.identity.role(), peer.identity.cluster()) {
        (Role::Node, Some(cluster)) => Ok((cluster.clone(), peer.identity.name().clone())),
        _ => Err(Status::permission_denied(format!(
            "only agents speak here, and the certificate is {}",
            peer.identity
        ))),
    }
}
