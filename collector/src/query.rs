//! The Query service: what the keepers' views and the ledger say, put into messages. Nothing here has an effect.

use std::sync::Arc;

use model::fact::corosync::{Corosync, LinkStatus};
use model::fleet::{FleetFinding, Hearing};
use model::identity::ClusterId;
use model::name::NodeName;
use model::report::{Fact, Family};
use prost::Message as _;
use proto::v1;
use proto::v1::query_server::{Query, QueryServer};
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::foresight::{risks, what_if};
use crate::glance::{bonds, glance, link_matrix, votes};
use crate::history;
use crate::incidents::incidents;
use crate::keeper::Now;
use crate::keeper::actor::Keeper;
use crate::keeper::view::{ClusterView, NodeView};
use crate::keepers::Keepers;
use crate::ledger::decision::KeptEvent;
use crate::ledger::{EventsWanted, Ledger, MAX_EVENTS_READ, MAX_NEWEST};
use crate::role::{Asker, asker};
use crate::verdicts::{Line, VerdictsError};

/// Where nobody says how many.
const VERDICTS_LISTED: u32 = 20;
/// Events on their way to one caller.
const MAX_UNSENT: usize = 64;

/// The service.
#[derive(Debug)]
pub struct QueryService {
    keepers: Arc<Keepers>,
}

impl QueryService {
    pub fn service(keepers: Arc<Keepers>) -> QueryServer<Self> {
        QueryServer::new(Self { keepers })
    }

    /// The one cluster of this id or name that the caller may see.
    async fn cluster(&self, asker: &Asker, wanted: &str) -> Result<Keeper, Status> {
        let mut found = self.clusters(asker, wanted).await;
        match (found.pop(), found.is_empty()) {
            (Some(keeper), true) => Ok(keeper),
            (Some(last), false) => Err(Status::failed_precondition(several(&found, &last, wanted))),
            (None, _) => Err(Status::not_found(format!(
                "no cluster that you may see is called {wanted:?}"
            ))),
        }
    }

    async fn clusters(&self, asker: &Asker, wanted: &str) -> Vec<Keeper> {
        let all = self.keepers.all().await.into_iter();
        let seen = all.filter(|(id, keeper)| {
            let is_wanted =
                wanted.is_empty() || wanted == id.as_str() || wanted == keeper.view().name;
            asker.may_see(id) && is_wanted
        });
        seen.map(|(_, keeper)| keeper).collect()
    }
}

#[tonic::async_trait]
impl Query for QueryService {
    async fn get_status(
        &self,
        request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let asker = asker(&request)?;
        let v1::GetStatusRequest {
            cluster: wanted,
            with_closed_incidents: with_closed,
        } = request.into_inner();
        let found = self.clusters(&asker, &wanted).await;
        if found.is_empty() && !wanted.is_empty() {
            return Err(Status::not_found(format!(
                "no cluster that you may see is called {wanted:?}"
            )));
        }
        let clusters = found
            .iter()
            .map(|keeper| cluster_status(&keeper.view(), with_closed, keeper.now()));
        Ok(Response::new(v1::GetStatusResponse {
            collector: Some(v1::Software {
                version: self.keepers.version().to_owned(),
                capabilities: Vec::new(),
            }),
            clusters: clusters.collect(),
        }))
    }

    async fn get_report(
        &self,
        request: Request<v1::GetReportRequest>,
    ) -> Result<Response<v1::GetReportResponse>, Status> {
        let asker = asker(&request)?;
        let wanted = request.into_inner();
        let keeper = self.cluster(&asker, &wanted.cluster).await?;
        let name = node_name(&wanted.node)?;
        let view = keeper.view();
        let node = view
            .nodes
            .get(&name)
            .ok_or_else(|| Status::not_found(format!("the cluster has no node {name}")))?;
        let now = keeper.now();
        let facts = node.facts.values().map(|aged| v1::AgedFact {
            fact: aged.fact.to_wire(),
            age_ms: aged.age_ms(now),
        });
        let facts = facts.collect();
        Ok(Response::new(v1::GetReportResponse { facts }))
    }

    async fn what_if(
        &self,
        request: Request<v1::WhatIfRequest>,
    ) -> Result<Response<v1::WhatIfResponse>, Status> {
        let asker = asker(&request)?;
        let wanted = request.into_inner();
        let keeper = self.cluster(&asker, &wanted.cluster).await?;
        let declared = self.keepers.declared().clone();
        let play = move || what_if(&keeper.view(), &declared, wanted.failures, keeper.now());
        beside(play).await.map(Response::new)
    }

    async fn get_verdict(
        &self,
        request: Request<v1::GetVerdictRequest>,
    ) -> Result<Response<v1::GetVerdictResponse>, Status> {
        let asker = asker(&request)?;
        let v1::GetVerdictRequest { cluster, id } = request.into_inner();
        let keeper = self.cluster(&asker, &cluster).await?;
        let cluster = keeper.view().cluster.clone();
        let read = self.keepers.verdicts().read(cluster, id.clone()).await;
        let json = read.map_err(|error| no_verdicts(&error))?;
        let none = || {
            let why =
                format!("there is no verdict {id:?}, or not any more: they are kept for 30 days");
            Status::not_found(why)
        };
        let json = json.ok_or_else(none)?;
        Ok(Response::new(v1::GetVerdictResponse { json }))
    }

    async fn list_verdicts(
        &self,
        request: Request<v1::ListVerdictsRequest>,
    ) -> Result<Response<v1::ListVerdictsResponse>, Status> {
        let asker = asker(&request)?;
        let v1::ListVerdictsRequest { cluster, most } = request.into_inner();
        let keeper = self.cluster(&asker, &cluster).await?;
        let cluster = keeper.view().cluster.clone();
        let most = if most == 0 { VERDICTS_LISTED } else { most };
        let listed = self.keepers.verdicts().list(cluster, most).await;
        let lines = listed.map_err(|error| no_verdicts(&error))?;
        let json = serde_json::json!({ "verdicts": lines }).to_string();
        let given = |line: Line| v1::GivenVerdict {
            id: line.id,
            at_unix_ms: line.at_unix_ms,
            asker: line.asker,
            sentence: line.sentence,
        };
        let verdicts = lines.into_iter().map(given).collect();
        Ok(Response::new(v1::ListVerdictsResponse { verdicts, json }))
    }

    async fn list_risks(
        &self,
        request: Request<v1::ListRisksRequest>,
    ) -> Result<Response<v1::ListRisksResponse>, Status> {
        let asker = asker(&request)?;
        let wanted = request.into_inner();
        let keeper = self.cluster(&asker, &wanted.cluster).await?;
        let declared = self.keepers.declared().clone();
        let play = move || risks(&keeper.view(), &declared, wanted.with_pairs, keeper.now());
        beside(play).await.map(Response::new)
    }

    type ListEventsStream = ReceiverStream<Result<v1::KeptEvent, Status>>;

    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<Self::ListEventsStream>, Status> {
        let asker = asker(&request)?;
        let wanted = request.into_inner();
        let keeper = self.cluster(&asker, &wanted.cluster).await?;
        let node = match wanted.node.as_str() {
            "" => None,
            name => Some(node_name(name)?),
        };
        let (events, answered) = mpsc::channel(MAX_UNSENT);
        let listing = Listing {
            ledger: self.keepers.ledger(),
            wanted: EventsWanted {
                cluster: keeper.view().cluster.clone(),
                node,
                after: wanted.after,
                limit: MAX_EVENTS_READ,
            },
            events,
        };
        tokio::spawn(listing.run(keeper, wanted.follow));
        Ok(Response::new(ReceiverStream::new(answered)))
    }

    type ListHistoryStream = ReceiverStream<Result<v1::HistoryPart, Status>>;

    async fn list_history(
        &self,
        request: Request<v1::ListHistoryRequest>,
    ) -> Result<Response<Self::ListHistoryStream>, Status> {
        let asker = asker(&request)?;
        let wanted = request.into_inner();
        let keeper = self.cluster(&asker, &wanted.cluster).await?;
        let node = match wanted.node.as_str() {
            "" => None,
            name => Some(known_node(&keeper, name)?),
        };
        let last = wanted
            .last
            .map(|last| usize::try_from(last).unwrap_or(MAX_NEWEST));
        if last.is_some_and(|last| last > MAX_NEWEST) {
            return Err(Status::invalid_argument(format!(
                "last: at most the newest {MAX_NEWEST} can be asked for; `since` has no such limit"
            )));
        }
        let (parts, answered) = mpsc::channel(MAX_UNSENT);
        let reading = history::Reading {
            ledger: self.keepers.ledger(),
            cluster: keeper.view().cluster.clone(),
            wanted: history::Wanted {
                node,
                since_unix_ms: wanted.since_unix_ms,
                last,
                follow: wanted.follow,
                after: wanted.after,
            },
            parts,
        };
        tokio::spawn(reading.run(keeper));
        Ok(Response::new(ReceiverStream::new(answered)))
    }
}

/// `there are 2 clusters: say which, pve (0b9d…) or lab (4711…)`
fn several(found: &[Keeper], last: &Keeper, wanted: &str) -> String {
    let named = |keeper: &Keeper| {
        let view = keeper.view();
        format!("{} ({})", view.name, view.cluster)
    };
    let names: Vec<String> = found.iter().chain([last]).map(named).collect();
    let called = if wanted.is_empty() {
        String::new()
    } else {
        format!(" called {wanted:?}")
    };
    format!(
        "there are {} clusters{called}: say which, by its id: {}",
        names.len(),
        names.join(", ")
    )
}

/// A name that was mistyped must not look like a node of which there is nothing to tell.
fn known_node(keeper: &Keeper, name: &str) -> Result<NodeName, Status> {
    let node = node_name(name)?;
    let view = keeper.view();
    if view.nodes.contains_key(&node) {
        return Ok(node);
    }
    let names: Vec<&str> = view.nodes.keys().map(NodeName::as_str).collect();
    Err(Status::not_found(format!(
        "the cluster has no node {name}; it has {}",
        names.join(", ")
    )))
}

struct Listing {
    ledger: Arc<dyn Ledger>,
    wanted: EventsWanted,
    events: mpsc::Sender<Result<v1::KeptEvent, Status>>,
}

impl Listing {
    async fn run(mut self, keeper: Keeper, follow: bool) {
        let mut views = keeper.views();
        loop {
            // Before the look: what comes after it is seen then.
            let last_place = views.borrow_and_update().last_place;
            loop {
                match self.some().await {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(why) => {
                        // Whoever has gone need not hear it.
                        let _ = self.events.send(Err(why)).await;
                        return;
                    }
                }
            }
            if !follow {
                return;
            }
            // Of a node, or none that fits: the place moves on all the same.
            self.wanted.after = self.wanted.after.max(last_place);
            tokio::select! {
                more = views.wait_for(|view| view.last_place > last_place) => if more.is_err() { return },
                () = self.events.closed() => return,
            }
        }
    }

    /// Sends what one look brings, and says how much it was.
    async fn some(&mut self) -> Result<usize, Status> {
        let found = self.ledger.events(&self.wanted).await;
        let found = found.map_err(|error| Status::unavailable(error.to_string()))?;
        let count = found.len();
        for kept in found {
            self.wanted.after = kept.place;
            let event = kept_event(&kept)?;
            if self.events.send(Ok(event)).await.is_err() {
                return Err(Status::cancelled("the caller has gone"));
            }
        }
        Ok(count)
    }
}

fn kept_event(kept: &KeptEvent) -> Result<v1::KeptEvent, Status> {
    let event = v1::Event::decode(kept.event.body.as_slice()).map_err(|error| {
        Status::data_loss(format!(
            "the event at place {} is not readable: {error}",
            kept.place
        ))
    })?;
    Ok(v1::KeptEvent {
        place: kept.place,
        node: kept.event.node.as_str().to_owned(),
        spool_id: kept.event.spool.0.to_vec(),
        event: Some(event),
        kept_unix_ms: kept.event.kept_unix_ms,
    })
}

fn node_name(name: &str) -> Result<NodeName, Status> {
    NodeName::new(name).map_err(|error| Status::invalid_argument(format!("node: {error}")))
}

/// What takes a while must not keep a thread from the streams.
pub(crate) async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Status::internal(format!("it could not be played: {error}")))?
}

/// One cluster at a glance, at this moment.
pub fn cluster_status(view: &ClusterView, with_closed: bool, now: Now) -> v1::ClusterStatus {
    let glance = glance(view, now);
    let of_node = |(name, node): (&NodeName, &Arc<NodeView>)| v1::NodeStatus {
        bonds: bonds(&glance, name),
        ..node_status(name, node, now)
    };
    v1::ClusterStatus {
        cluster: Some(cluster(&view.cluster, &view.name)),
        is_authority: view.is_authority,
        authority: view.authority.clone(),
        is_observer: !view.own.is_authority,
        nodes: view.nodes.iter().map(of_node).collect(),
        findings: view.findings.iter().map(FleetFinding::to_string).collect(),
        incidents: incidents(view, with_closed, now),
        incident_steps_waiting: view.steps_waiting as u64,
        votes: votes(&glance),
        link_matrix: Some(link_matrix(&glance.links)),
    }
}

fn cluster(id: &ClusterId, name: &str) -> v1::Cluster {
    v1::Cluster {
        id: id.to_string(),
        name: name.to_owned(),
    }
}

fn node_status(name: &NodeName, node: &NodeView, now: Now) -> v1::NodeStatus {
    let standing = match node.hearing {
        Hearing::Connected => v1::Standing::Connected,
        Hearing::Silent => v1::Standing::Silent,
        Hearing::NeverHeard => v1::Standing::NeverHeard,
        Hearing::Revoked => v1::Standing::Revoked,
    };
    let aged = node.facts.get(&Family::Corosync);
    let corosync = aged.and_then(|aged| match &*aged.fact.fact {
        Fact::Corosync(reading) => reading.known(),
        _ => None,
    });
    v1::NodeStatus {
        node: name.as_str().to_owned(),
        standing: standing.into(),
        heard_ago_ms: node
            .heard_at_ms
            .map(|at_ms| now.mono_ms.saturating_sub(at_ms)),
        agent_version: node.agent_version.clone(),
        skew_ms: node.skew_ms,
        corosync_age_ms: aged
            .filter(|_| corosync.is_some())
            .map(|aged| aged.age_ms(now)),
        quorate: corosync.and_then(|corosync| corosync.quorate),
        votes: corosync.and_then(own_votes),
        total_votes: corosync.and_then(|corosync| corosync.total_votes),
        quorum: corosync.and_then(|corosync| corosync.quorum),
        links: corosync.map(links).unwrap_or_default(),
        events_kept: node.events_kept,
        dropped: node.dropped,
        bonds: None,
    }
}

/// The votes of the node itself, as it sees them.
fn own_votes(corosync: &Corosync) -> Option<u32> {
    let members = corosync.members.as_ref()?;
    let own = members
        .iter()
        .find(|member| member.local == Some(true) || Some(member.node_id) == corosync.node_id)?;
    own.votes
}

fn no_verdicts(error: &VerdictsError) -> Status {
    Status::unavailable(crate::answer::chain(error))
}

/// Links of which the text names the single peers. A peer that is not known to be connected does not count as it.
fn links(corosync: &Corosync) -> Vec<v1::LinkStatus> {
    let own = corosync.node_id;
    let count = |link: &LinkStatus| {
        let peers = link.peers.as_ref()?;
        let others = peers
            .iter()
            .filter(|peer| peer.local != Some(true) && Some(peer.node_id) != own);
        let connected = others
            .clone()
            .filter(|peer| peer.connected == Some(true))
            .count();
        Some(v1::LinkStatus {
            link: link.link.into(),
            peers_connected: u32::try_from(connected).unwrap_or(u32::MAX),
            peers: u32::try_from(others.count()).unwrap_or(u32::MAX),
        })
    };
    corosync.links.iter().flatten().filter_map(count).collect()
}
