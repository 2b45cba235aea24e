//! The service Gate: may I? And the lease. Whoever may ask is given the model's verdict on the cluster as it is seen now;
//! whoever may not is refused.

use std::net::SocketAddr;
use std::sync::Arc;

use model::gate::{Action, CephAnswer, Kind, Verdict};
use model::identity::Role;
use model::name::NodeName;
use proto::v1;
use proto::v1::gate_server::{Gate, GateServer};
use tonic::{Code, Request, Response, Status};

use crate::accepted;
use crate::answer::chain;
use crate::ceph;
use crate::enrol::{MOST_NODES, bounded, node_name};
use crate::identity::Identities;
use crate::identity::node::{Cluster, NodeError};
use crate::keeper::actor::Keeper;
use crate::keeper::core::LeaseAsk;
use crate::keepers::Keepers;
use crate::lease::{self, Leases};
use crate::query::beside;
use crate::refusal::{Reason, Refusals};
use crate::role::{Asker, asker};
use crate::tally::Tally;
use crate::verdict::{self, Judged, basis};
use crate::verdicts::Asked;

/// The names of all nodes of a cluster, and a reason, fit well.
const MESSAGE_BYTES: usize = 64 << 10;

/// The service.
#[derive(Debug)]
pub struct Judge {
    identities: Arc<Identities>,
    keepers: Arc<Keepers>,
    refusals: Arc<Refusals>,
    pub(crate) given: Arc<Tally>,
}

impl Judge {
    pub fn new(
        identities: Arc<Identities>,
        keepers: Arc<Keepers>,
        refusals: Arc<Refusals>,
    ) -> Arc<Self> {
        Arc::new(Self {
            identities,
            keepers,
            refusals,
            given: Arc::default(),
        })
    }

    pub fn service(self: Arc<Self>) -> GateServer<Self> {
        GateServer::from_arc(self).max_decoding_message_size(MESSAGE_BYTES)
    }

    /// Whether this asker may ask it of these nodes; which cluster it is.
    pub(crate) fn authorise(
        &self,
        asker: &Asker,
        cluster: &str,
        nodes: &[String],
    ) -> Result<Cluster, Status> {
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

    /// What is known of the cluster, or why this collector has no say about it.
    pub(crate) async fn voice(&self, cluster: &Cluster) -> Result<Keeper, Verdict> {
        let keeper = match self.keepers.keeper(&cluster.id).await {
            Ok(keeper) => keeper,
            Err(error) => {
                let sentence = format!(
                    "nothing is known of the cluster {:?}: {}",
                    cluster.name,
                    chain(&error)
                );
                return Err(Verdict::unknown(
                    Kind::NothingKnown,
                    sentence,
                    String::new(),
                ));
            }
        };
        let view = keeper.view();
        if !view.own.is_authority {
            let sentence = format!(
                "seen from an observer: this collector, {}, only looks on",
                view.own.collector
            );
            let remedy = match &view.authority {
                Some(told) => format!("ask the collector {}, which decides", told.collector),
                None => "ask the collector that decides".to_owned(),
            };
            return Err(Verdict::unknown(Kind::Observer, sentence, remedy));
        }
        if view.is_authority {
            return Ok(keeper);
        }
        let sentence = "it is not settled which collector decides for the cluster";
        let remedy = "`quorate status` shows who was told of another one; exactly one may decide";
        let (sentence, remedy) = (sentence.to_owned(), remedy.to_owned());
        Err(Verdict::unknown(Kind::AuthorityUnsettled, sentence, remedy))
    }

    /// The same, where nothing but a list is asked for.
    async fn keeper(&self, cluster: &Cluster) -> Result<Keeper, Status> {
        self.voice(cluster).await.map_err(|unknown| {
            let why = format!("leases are not known here: {}", unknown.sentence);
            Status::failed_precondition(why)
        })
    }

    /// The same, and what Ceph says to this request. That may take seconds, in which another collector may have begun to
    /// decide.
    async fn voice_with_ceph(
        &self,
        cluster: &Cluster,
        request: &model::gate::Request,
    ) -> Result<(Keeper, Vec<CephAnswer>), Verdict> {
        let keeper = self.voice(cluster).await?;
        let answers = ceph::answers(&keeper, self.keepers.declared(), request).await;
        if answers.is_empty() {
            return Ok((keeper, answers));
        }
        Ok((self.voice(cluster).await?, answers))
    }

    async fn verdict(
        &self,
        cluster: &Cluster,
        check: v1::CheckRequest,
        asker: String,
    ) -> Result<v1::Verdict, Status> {
        let named = check.nodes.iter().cloned();
        let nodes = named.map(|name| node_name("nodes", name));
        let wanted = verdict::request(nodes.collect::<Result<_, _>>()?, &check)?;
        // Who asks again and again takes nothing from who asks once: Ceph is asked so often and no more.
        let known = if check.is_watch {
            let keeper = self.voice(cluster).await;
            keeper.map(|keeper| (keeper, Vec::new()))
        } else {
            self.voice_with_ceph(cluster, &wanted).await
        };
        let (keeper, answers) = match known {
            Ok(known) => known,
            Err(unknown) => return verdict::message(unknown),
        };
        let (keepers, id) = (Arc::clone(&self.keepers), cluster.id.clone());
        let judge = move || {
            let (view, now) = (keeper.view(), keeper.now());
            let basis = basis(&view, keepers.declared(), wanted, &asker, now, answers);
            let verdict = basis.judge();
            if check.is_watch {
                return verdict::message(verdict);
            }
            let kept = Judged {
                asker,
                asked: Asked::Check,
                verdict,
                basis,
            };
            verdict::message(kept.keep(&keepers, id, &view))
        };
        beside(judge).await
    }

    /// What is said to who asks once more for the lease that he has; `None` where he does not have it, or has used it.
    pub(crate) async fn again(
        &self,
        cluster: &Cluster,
        nodes: &[NodeName],
        owner: &str,
    ) -> Result<Option<v1::LeaseAnswer>, Status> {
        let wanted = model::gate::Request::of_nodes(nodes.iter().cloned(), Action::Reboot);
        let (keeper, answers) = match self.voice_with_ceph(cluster, &wanted).await {
            Ok(known) => known,
            Err(unknown) => return lease::unknown(unknown).map(Some),
        };
        let owner = owner.to_owned();
        // One look: the lease that is found is the lease that is judged.
        let again = move |leases: &Leases<'_>| leases.again(&wanted, &owner, &answers);
        self.at_leases(keeper, again).await
    }

    /// Looks at them as they are now, beside the tasks that serve.
    pub(crate) async fn at_leases<T: Send + 'static>(
        &self,
        keeper: Keeper,
        look: impl FnOnce(&Leases<'_>) -> Result<T, Status> + Send + 'static,
    ) -> Result<T, Status> {
        let declared = self.keepers.declared().clone();
        let look = move || {
            let view = keeper.view();
            look(&Leases {
                view: &view,
                declared: &declared,
                now: keeper.now(),
            })
        };
        beside(look).await
    }

    /// Asks the one who keeps the cluster for something of the lease.
    pub(crate) async fn lease(
        &self,
        cluster: &Cluster,
        ask: LeaseAsk,
    ) -> Result<v1::LeaseAnswer, Status> {
        let is_judged = matches!(ask, LeaseAsk::Begin(_));
        let answer = self.ask(cluster, ask).await?;
        if let Some(verdict) = answer.verdict.as_ref().filter(|_| is_judged) {
            self.given.count(verdict.answer());
        }
        Ok(answer)
    }

    async fn ask(&self, cluster: &Cluster, mut ask: LeaseAsk) -> Result<v1::LeaseAnswer, Status> {
        let keeper = match self.voice(cluster).await {
            Ok(keeper) => keeper,
            Err(unknown) => return lease::unknown(unknown),
        };
        // Who grants it does so in one turn, in which nobody can be waited for.
        if let LeaseAsk::Begin(begin) = &mut ask {
            begin.ceph = ceph::answers(&keeper, self.keepers.declared(), &begin.request()).await;
        }
        let asker = ask.asker().to_owned();
        let told = keeper.lease(ask).await;
        let (keepers, id) = (Arc::clone(&self.keepers), cluster.id.clone());
        let answer = move |leases: &Leases<'_>| match told {
            Some(told) => {
                let verdict = match told.basis {
                    Some(basis) => {
                        let kept = Judged {
                            asker,
                            asked: Asked::Begin,
                            verdict: told.verdict,
                            basis: *basis,
                        };
                        kept.keep(&keepers, id, leases.view)
                    }
                    None => told.verdict,
                };
                leases.answer(verdict, told.lease.as_ref(), told.is_done)
            }
            None => {
                let sentence = "whether it was written down is not known".to_owned();
                let remedy = "`quorate maintenance list` says whether there is a lease";
                let verdict = Verdict::unknown(Kind::NotRecorded, sentence, remedy.to_owned());
                leases.answer(verdict, None, false)
            }
        };
        self.at_leases(keeper, answer).await
    }
}

fn nobody_named() -> Status {
    Status::invalid_argument("nodes: at least one must be named, or a switch, or a network")
}

/// All that is asked about.
fn named(check: &v1::CheckRequest) -> Result<Vec<String>, Status> {
    let mut named = check.nodes.clone();
    for switch in &check.switches {
        bounded("switches", switch)?;
        named.push(format!("switch {switch}"));
    }
    let networks = check.networks.iter();
    named.extend(networks.map(|link| format!("corosync network {link}")));
    match named.len() {
        0 => Err(nobody_named()),
        1..=MOST_NODES => Ok(named),
        many => Err(Status::invalid_argument(format!(
            "{many} things are more than {MOST_NODES}"
        ))),
    }
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
        let named = named(&check)?;
        let is_watch = check.is_watch;
        let verdict = self.verdict(&cluster, check, asker.name()).await?;
        if !is_watch {
            self.given.count(verdict.answer());
        }
        let who = (asker.name(), asker.peer.address);
        said(who, "check", &cluster, &named, &verdict.sentence);
        Ok(Response::new(verdict))
    }

    async fn begin(
        &self,
        request: Request<v1::BeginRequest>,
    ) -> Result<Response<v1::LeaseAnswer>, Status> {
        let asker = asker(&request)?;
        let begin = request.into_inner();
        let check = begin.check.clone().unwrap_or_default();
        let cluster = self.authorise(&asker, &check.cluster, &check.nodes)?;
        if check.nodes.is_empty() {
            return Err(nobody_named());
        }
        let named = check.nodes.iter().cloned();
        let nodes = named.map(|name| node_name("nodes", name));
        let ask = lease::begin(begin, nodes.collect::<Result<_, _>>()?, asker.name())?;
        let answer = self.lease(&cluster, ask).await?;
        let who = (asker.name(), asker.peer.address);
        said(who, "begin", &cluster, &check.nodes, &outcome(&answer));
        Ok(Response::new(answer))
    }

    async fn end(
        &self,
        request: Request<v1::EndRequest>,
    ) -> Result<Response<v1::LeaseAnswer>, Status> {
        let asker = asker(&request)?;
        let end = request.into_inner();
        let nodes = [end.node];
        let cluster = self.authorise(&asker, &end.cluster, &nodes)?;
        let node = node_name("node", nodes[0].clone())?;
        let ask = lease::end(node, asker.name(), end.not_rebooted);
        let answer = self.lease(&cluster, ask).await?;
        let who = (asker.name(), asker.peer.address);
        said(who, "end", &cluster, &nodes, &outcome(&answer));
        Ok(Response::new(answer))
    }

    async fn r#break(
        &self,
        request: Request<v1::BreakRequest>,
    ) -> Result<Response<v1::LeaseAnswer>, Status> {
        let asker = asker(&request)?;
        let request = request.into_inner();
        let nodes = [request.node];
        let cluster = self.authorise(&asker, &request.cluster, &nodes)?;
        let ask = LeaseAsk::Break {
            node: node_name("node", nodes[0].clone())?,
            by: asker.name(),
            reason: lease::reason(&request.reason)?,
        };
        let answer = self.lease(&cluster, ask).await?;
        let who = (asker.name(), asker.peer.address);
        said(who, "break", &cluster, &nodes, &outcome(&answer));
        Ok(Response::new(answer))
    }

    async fn say(
        &self,
        request: Request<v1::SayRequest>,
    ) -> Result<Response<v1::LeaseAnswer>, Status> {
        let asker = asker(&request)?;
        let request = request.into_inner();
        let nodes = [request.node];
        let cluster = self.authorise(&asker, &request.cluster, &nodes)?;
        let ask = LeaseAsk::Say {
            node: node_name("node", nodes[0].clone())?,
            by: asker.name(),
            words: lease::line("words", &request.words)?,
        };
        let answer = self.lease(&cluster, ask).await?;
        let who = (asker.name(), asker.peer.address);
        said(who, "speak of", &cluster, &nodes, &outcome(&answer));
        Ok(Response::new(answer))
    }

    async fn accept(
        &self,
        request: Request<v1::AcceptRequest>,
    ) -> Result<Response<v1::LeaseAnswer>, Status> {
        let asker = asker(&request)?;
        let request = request.into_inner();
        let cluster = self.authorise(&asker, &request.cluster, &[])?;
        let named = [format!("{} of {}", request.kind, request.subject)];
        let ask = accepted::accept(&request, asker.name())?;
        let answer = self.lease(&cluster, ask).await?;
        let who = (asker.name(), asker.peer.address);
        said(who, "accept", &cluster, &named, &outcome(&answer));
        Ok(Response::new(answer))
    }

    async fn take_back(
        &self,
        request: Request<v1::TakeBackRequest>,
    ) -> Result<Response<v1::LeaseAnswer>, Status> {
        let asker = asker(&request)?;
        let request = request.into_inner();
        let cluster = self.authorise(&asker, &request.cluster, &[])?;
        let named = [format!("{} of {}", request.kind, request.subject)];
        let ask = accepted::take_back(&request, asker.name())?;
        let answer = self.lease(&cluster, ask).await?;
        let who = (asker.name(), asker.peer.address);
        said(who, "take back", &cluster, &named, &outcome(&answer));
        Ok(Response::new(answer))
    }

    async fn list_accepted(
        &self,
        request: Request<v1::ListAcceptedRequest>,
    ) -> Result<Response<v1::ListAcceptedResponse>, Status> {
        let asker = asker(&request)?;
        let cluster = self.authorise(&asker, &request.into_inner().cluster, &[])?;
        let keeper = self.keeper(&cluster).await?;
        let list = self.at_leases(keeper, accepted::list).await?;
        Ok(Response::new(list))
    }

    /// Where another collector gives them, none here does not mean none.
    async fn list_leases(
        &self,
        request: Request<v1::ListLeasesRequest>,
    ) -> Result<Response<v1::ListLeasesResponse>, Status> {
        let asker = asker(&request)?;
        let cluster = self.authorise(&asker, &request.into_inner().cluster, &[])?;
        let keeper = self.keeper(&cluster).await?;
        let list = self.at_leases(keeper, |leases| leases.list()).await?;
        Ok(Response::new(list))
    }
}

/// The verdict, and what was done: an override does it against the verdict, and a break has a reason.
pub(crate) fn outcome(answer: &v1::LeaseAnswer) -> String {
    let verdict = answer.verdict.as_ref();
    let sentence = verdict.map_or("", |verdict| verdict.sentence.as_str());
    match answer.lease.as_ref().filter(|_| answer.is_done) {
        Some(lease) => format!(
            "{sentence}; done: {} is {}. {}",
            lease.sentence, lease.state, lease.words
        ),
        None => sentence.to_owned(),
    }
}

/// Every use of the gate can be read in the log afterwards.
pub(crate) fn said(
    (who, address): (String, SocketAddr),
    what: &str,
    cluster: &Cluster,
    nodes: &[String],
    answer: &str,
) {
    tracing::info!(
        "{who} at {address} asked to {what} {} of the cluster {:?}: {answer}",
        nodes.join(", "),
        cluster.name
    );
}
