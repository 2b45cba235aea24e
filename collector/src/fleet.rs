//! The Fleet service: the socket's end of a stream. Each stream has a task here that reads, decodes and patches; what
//! is decided is the keeper's.

use std::sync::Arc;
use std::time::Duration;

use model::identity::{ClusterId, Role};
use model::name::NodeName;
use prost::Message as _;
use proto::v1;
use proto::v1::fleet_server::{Fleet, FleetServer};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::keeper::MAX_MESSAGE_BYTES;
use crate::keeper::actor::{Keeper, ToAgent, way_to_agent};
use crate::keeper::hello::{self, Greeting};
use crate::keeper::intake::Intake;
use crate::keeper::mailbox::Letters;
use crate::keeper::refusal::Refusal;
use crate::keepers::Keepers;
use crate::peer::{Peer, peer};

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
}

/// The service.
pub struct FleetService {
    keepers: Arc<Keepers>,
    identities: Arc<dyn Identities>,
}

impl std::fmt::Debug for FleetService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FleetService").finish_non_exhaustive()
    }
}

impl FleetService {
    pub fn service(keepers: Arc<Keepers>, identities: Arc<dyn Identities>) -> FleetServer<Self> {
        FleetServer::new(Self {
            keepers,
            identities,
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
        let (cluster, node) = speaker(&peer(&request)?)?;
        let (to_agent, from_here) = way_to_agent();
        let stream = Stream {
            cluster,
            node,
            keepers: Arc::clone(&self.keepers),
            messages: request.into_inner(),
            to_agent,
        };
        // Answered before the Hello came: some clients say nothing before they are answered.
        tokio::spawn(stream.run());
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
    keepers: Arc<Keepers>,
    messages: Streaming<v1::AgentMessage>,
    to_agent: mpsc::Sender<ToAgent>,
}

impl Stream {
    async fn run(mut self) {
        match self.greeted().await {
            Ok((keeper, greeting)) => {
                let intake = Intake::new(greeting.version.clone(), greeting.spool);
                if let Some(letters) = keeper.open(greeting, self.to_agent.clone()).await {
                    self.read(intake, &keeper, &letters).await;
                }
            }
            Err(why) => {
                log("refused", &self.cluster, &self.node, &why);
                // Whoever has gone need not hear it.
                let _ = self.to_agent.try_send(Err(why));
            }
        }
    }

    async fn greeted(&mut self) -> Result<(Keeper, Greeting), Status> {
        let refuse = |refusal: Refusal| Status::from(&refusal);
        let first = timeout(HELLO_WITHIN, self.messages.message()).await;
        let first = first.map_err(|_| refuse(Refusal::NoHello))??;
        let first = first.ok_or_else(|| refuse(Refusal::NoHello))?;
        let greeting = hello::check(first, &self.cluster, &self.node, self.keepers.version());
        let greeting = greeting.map_err(refuse)?;
        let keeper = self.keepers.keeper(&self.cluster).await;
        let keeper = keeper.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok((keeper, greeting))
    }

    async fn read(self, mut intake: Intake, keeper: &Keeper, letters: &Letters) {
        let Self {
            cluster,
            node,
            keepers: _,
            mut messages,
            to_agent,
        } = self;
        // Else this task would keep the way open after the keeper has ended the stream.
        drop(to_agent);
        loop {
            let message = tokio::select! {
                message = messages.message() => message,
                () = letters.closed() => return,
            };
            let taken = match message {
                Ok(Some(message)) => {
                    let bytes = message.encoded_len();
                    intake
                        .take(message, keeper.now())
                        .map(|arrived| (arrived, bytes))
                        .map_err(|refusal| Status::from(&refusal))
                }
                Ok(None) => return,
                Err(status) => Err(status),
            };
            match taken {
                Ok((arrived, bytes)) => {
                    if !letters.send(arrived, bytes).await {
                        return;
                    }
                }
                Err(why) => {
                    log("ended", &cluster, &node, &why);
                    return letters.end(why).await;
                }
            }
        }
    }
}

fn log(what: &str, cluster: &ClusterId, node: &NodeName, why: &Status) {
    let node = node.as_str();
    tracing::warn!(%cluster, node, "stream {what}: {}", why.message());
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
