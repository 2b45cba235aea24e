//! The service Gate: may I? In this version whoever may ask is told that nobody can say yet; whoever may not is refused.
//! Unknown is never good news: no lease is given, and no verdict but UNKNOWN.

use std::sync::Arc;

use model::identity::Role;
use model::name::NodeName;
use proto::v1;
use proto::v1::gate_server::{Gate, GateServer};
use tonic::{Code, Request, Response, Status};

use crate::answer::chain;
use crate::enrol::{MOST_NODES, bounded, node_name};
use crate::identity::Identities;
use crate::identity::node::{Cluster, NodeError};
use crate::keepers::Keepers;
use crate::refusal::{Reason, Refusals};
use crate::role::{Asker, asker};

/// The names of all nodes of a cluster, and a reason, fit well.
const MESSAGE_BYTES: usize = 64 << 10;
const OBSERVER: &str = "observer";
const UNSETTLED: &str = "authority";
/// In this version nothing that is said is valid for longer than it takes to read it.
const VALID_MS: u32 = 0;
const NOT_JUDGED: &str =
    "UNKNOWN - this version of the collector does not judge yet: look at `pvecm status` yourself";

/// The service.
#[derive(Debug)]
pub struct Judge {
    identities: Arc<Identities>,
    keepers: Arc<Keepers>,
    refusals: Arc<Refusals>,
}

impl Judge {
    pub fn service(
        identities: Arc<Identities>,
        keepers: Arc<Keepers>,
        refusals: Arc<Refusals>,
    ) -> GateServer<Self> {
        let service = Self {
            identities,
            keepers,
            refusals,
        };
        GateServer::new(service).max_decoding_message_size(MESSAGE_BYTES)
    }

    /// Whether this asker may ask it of these nodes; which cluster it is.
    fn authorise(&self, asker: &Asker, cluster: &str, nodes: &[String]) -> Result<Cluster, Status> {
        let judged = self.judge(asker, cluster, nodes);
        judged.inspect_err(|status| {
            let reason = match status.code() {
                Code::PermissionDenied => Reason::NotAllowed,
                _ => Reason::BadRequest,
            };
            let more = format!("{}: {}", asker.name(), status.message());
            self.refusals.refuse(reason, asker.peer.address, more);
        })
    }

    fn judge(&self, asker: &Asker, cluster: &str, nodes: &[String]) -> Result<Cluster, Status> {
        if nodes.len() > MOST_NODES {
            return Err(Status::invalid_argument(format!(
                "nodes: {} are more than {MOST_NODES}",
                nodes.len()
            )));
        }
        bounded("cluster", cluster)?;
        let nodes = nodes.iter().map(|name| node_name("nodes", name.clone()));
        let nodes: Vec<NodeName> = nodes.collect::<Result<_, _>>()?;
        let own = asker.peer.identity.cluster();
        let cluster = match own.filter(|_| cluster.is_empty()) {
            Some(own) => self.identities.find_cluster(own.as_str()),
            None => self.identities.find_cluster(cluster),
        };
        let cluster = cluster.map_err(|error| match error {
            NodeError::Identity(_) => {
                tracing::error!("{} cannot be answered: {}", asker.name(), chain(&error));
                Status::internal("the collector cannot look it up now; its log says why")
            }
            // Whoever is of one cluster alone does not learn which others there are.
            _ if asker.peer.identity.role() == Role::Node || own.is_some() => {
                Status::permission_denied("cluster: it is not that of the certificate")
            }
            _ => Status::not_found(format!("cluster: {error}")),
        })?;
        asker.check(&cluster.id, &nodes)?;
        Ok(cluster)
    }

    /// Why this collector has no say about a cluster, if it has none.
    async fn no_say(&self, cluster: &Cluster) -> Option<v1::Reason> {
        let view = match self.keepers.keeper(&cluster.id).await {
            Ok(keeper) => keeper.view(),
            Err(error) => {
                let sentence = format!(
                    "nothing is known of the cluster {:?}: {}",
                    cluster.name,
                    chain(&error)
                );
                return Some(reason(UNSETTLED, cluster, sentence, String::new()));
            }
        };
        if !view.own.is_authority {
            let sentence = format!(
                "seen from an observer: this collector, {}, only looks on",
                view.own.collector
            );
            let remedy = match &view.authority {
                Some(told) => format!("ask the collector {}, which decides", told.collector),
                None => "ask the collector that decides".to_owned(),
            };
            return Some(reason(OBSERVER, cluster, sentence, remedy));
        }
        if view.is_authority {
            return None;
        }
        let sentence = "it is not settled which collector decides for the cluster";
        let remedy = "`quorate status` shows who was told of another one; exactly one may decide";
        let (sentence, remedy) = (sentence.to_owned(), remedy.to_owned());
        Some(reason(UNSETTLED, cluster, sentence, remedy))
    }

    async fn verdict(&self, cluster: &Cluster) -> v1::Verdict {
        let reason = self.no_say(cluster).await;
        let sentence = match &reason {
            Some(reason) => format!("UNKNOWN - {}; {}", reason.sentence, reason.remedy),
            None => NOT_JUDGED.to_owned(),
        };
        v1::Verdict {
            answer: v1::Answer::Unknown.into(),
            sentence: sentence.trim_end_matches("; ").to_owned(),
            reasons: reason.into_iter().collect(),
            valid_ms: VALID_MS,
        }
    }

    async fn no_lease(&self, cluster: &Cluster) -> Response<v1::LeaseAnswer> {
        Response::new(v1::LeaseAnswer {
            verdict: Some(self.verdict(cluster).await),
            lease: None,
        })
    }
}

fn reason(kind: &str, cluster: &Cluster, sentence: String, remedy: String) -> v1::Reason {
    v1::Reason {
        kind: kind.to_owned(),
        subject: cluster.id.to_string(),
        sentence,
        remedy,
        way_back: String::new(),
    }
}

fn nobody_named() -> Status {
    Status::invalid_argument("nodes: at least one must be named")
}

#[tonic::async_trait]
impl Gate for Judge {
    async fn check(
        &self,
        request: Request<v1::CheckRequest>,
    ) -> Result<Response<v1::Verdict>, Status> {
        let asker = asker(&request)?;
        let check = request.into_inner();
        let cluster = self.authorise(&asker, &check.cluster, &check.nodes)?;
        if check.nodes.is_empty() {
            return Err(nobody_named());
        }
        said(&asker, "check", &cluster, &check.nodes);
        Ok(Response::new(self.verdict(&cluster).await))
    }

    async fn begin(
        &self,
        request: Request<v1::BeginRequest>,
    ) -> Result<Response<v1::LeaseAnswer>, Status> {
        let asker = asker(&request)?;
        let check = request.into_inner().check.unwrap_or_default();
        let cluster = self.authorise(&asker, &check.cluster, &check.nodes)?;
        if check.nodes.is_empty() {
            return Err(nobody_named());
        }
        said(&asker, "begin", &cluster, &check.nodes);
        Ok(self.no_lease(&cluster).await)
    }

    async fn end(
        &self,
        request: Request<v1::EndRequest>,
    ) -> Result<Response<v1::LeaseAnswer>, Status> {
        let asker = asker(&request)?;
        let end = request.into_inner();
        let nodes = [end.node];
        let cluster = self.authorise(&asker, &end.cluster, &nodes)?;
        said(&asker, "end", &cluster, &nodes);
        Ok(self.no_lease(&cluster).await)
    }

    async fn r#break(
        &self,
        request: Request<v1::BreakRequest>,
    ) -> Result<Response<v1::LeaseAnswer>, Status> {
        let asker = asker(&request)?;
        let request = request.into_inner();
        let nodes = [request.node];
        let cluster = self.authorise(&asker, &request.cluster, &nodes)?;
        said(&asker, "break", &cluster, &nodes);
        Ok(self.no_lease(&cluster).await)
    }

    /// No lease was ever given, so there is none. Where another collector gives them, none here does not mean none.
    async fn list_leases(
        &self,
        request: Request<v1::ListLeasesRequest>,
    ) -> Result<Response<v1::ListLeasesResponse>, Status> {
        let asker = asker(&request)?;
        let cluster = self.authorise(&asker, &request.into_inner().cluster, &[])?;
        if let Some(v1::Reason {
            sentence, remedy, ..
        }) = self.no_say(&cluster).await
        {
            let why = format!("leases are not known here: {sentence}; {remedy}");
            return Err(Status::failed_precondition(why));
        }
        Ok(Response::new(v1::ListLeasesResponse::default()))
    }
}

/// Every use of the gate can be read in the log afterwards.
fn said(asker: &Asker, what: &str, cluster: &Cluster, nodes: &[String]) {
    tracing::info!(
        "{} at {} asked to {what} {} of the cluster {:?}: UNKNOWN",
        asker.name(),
        asker.peer.address,
        nodes.join(", "),
        cluster.name
    );
}
