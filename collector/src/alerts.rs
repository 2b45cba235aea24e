//! The service Alerts: what people say of alerts, and whether alerts reach anybody. Who may say what, and of which cluster, is the
//! gate's to judge; what is said is kept by the keeper.

use std::fmt;
use std::sync::Arc;

use model::alert::Ask;
use model::gate::Verdict;
use proto::v1;
use proto::v1::alerts_server::{Alerts, AlertsServer};
use tonic::{Request, Response, Status};

use crate::gate::{Judge, said};
use crate::identity::node::Cluster;
use crate::keeper::view::ClusterView;
use crate::lease::Leases;
use crate::role::{Asker, asker};
use crate::silence;

/// Two patterns and a reason fit well.
const MESSAGE_BYTES: usize = 64 << 10;

/// How well one receiver is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceiverHealth {
    /// As the configuration has it.
    pub name: String,
    /// `slack`, as in `[[receiver.slack]]`.
    pub kind: String,
    /// Since when nothing arrives though it should; 0: all is well.
    pub failing_since_unix_ms: i64,
    /// Why the last attempt failed; empty: it did not.
    pub why: String,
}

/// All receivers of the collector, in the order of its configuration, as they are when it is called.
pub type Receivers = Arc<dyn Fn() -> Vec<ReceiverHealth> + Send + Sync>;

/// The service.
pub struct AlertsService {
    judge: Arc<Judge>,
    receivers: Receivers,
}

impl fmt::Debug for AlertsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertsService").finish_non_exhaustive()
    }
}

impl AlertsService {
    pub fn service(judge: Arc<Judge>, receivers: Receivers) -> AlertsServer<Self> {
        AlertsServer::new(Self { judge, receivers }).max_decoding_message_size(MESSAGE_BYTES)
    }

    /// Asks the one who keeps the cluster; what was asked and became of it can be read in the log afterwards.
    async fn ask(
        &self,
        asker: &Asker,
        cluster: &Cluster,
        verb: &str,
        ask: Ask,
    ) -> Result<Response<v1::AlertAnswer>, Status> {
        let named = silence::named(&ask);
        let answer = match self.judge.voice(cluster).await {
            Err(unknown) => silence::unknown(why(&unknown).to_owned())?,
            Ok(keeper) => {
                let told = keeper.alerts(ask).await;
                let answer = move |known: &Leases<'_>| silence::answer(known, told);
                self.judge.at_leases(keeper, answer).await?
            }
        };
        let outcome = format!("{}: {}", silence::word(&answer), answer.sentence);
        let who = (asker.name(), asker.peer.address);
        said(who, verb, cluster, &named, &outcome);
        Ok(Response::new(answer))
    }
}

#[tonic::async_trait]
impl Alerts for AlertsService {
    async fn silence(
        &self,
        request: Request<v1::SilenceRequest>,
    ) -> Result<Response<v1::AlertAnswer>, Status> {
        let asker = asker(&request)?;
        let request = request.into_inner();
        let cluster = self.judge.authorise(&asker, &request.cluster, &[])?;
        let ask = silence::asked(&request, asker.name())?;
        self.ask(&asker, &cluster, "silence", ask).await
    }

    async fn expire(
        &self,
        request: Request<v1::ExpireRequest>,
    ) -> Result<Response<v1::AlertAnswer>, Status> {
        let asker = asker(&request)?;
        let request = request.into_inner();
        let cluster = self.judge.authorise(&asker, &request.cluster, &[])?;
        let ask = Ask::Expire {
            id: request.id,
            by: asker.name(),
        };
        self.ask(&asker, &cluster, "expire", ask).await
    }

    async fn acknowledge(
        &self,
        request: Request<v1::AcknowledgeRequest>,
    ) -> Result<Response<v1::AlertAnswer>, Status> {
        let asker = asker(&request)?;
        let request = request.into_inner();
        let cluster = self.judge.authorise(&asker, &request.cluster, &[])?;
        let ask = silence::known(&request, asker.name())?;
        self.ask(&asker, &cluster, "acknowledge", ask).await
    }

    /// Where another collector decides, none here does not mean none.
    async fn list_silences(
        &self,
        request: Request<v1::ListSilencesRequest>,
    ) -> Result<Response<v1::ListSilencesResponse>, Status> {
        let asker = asker(&request)?;
        let wanted = request.into_inner().cluster;
        let cluster = self.judge.authorise(&asker, &wanted, &[])?;
        let keeper = self.judge.voice(&cluster).await;
        let keeper = keeper.map_err(|unknown| not_known("silences", &unknown))?;
        let list = self.judge.at_leases(keeper, silence::list).await?;
        Ok(Response::new(list))
    }

    async fn list_receivers(
        &self,
        request: Request<v1::ListReceiversRequest>,
    ) -> Result<Response<v1::ListReceiversResponse>, Status> {
        let asker = asker(&request)?;
        let wanted = request.into_inner().cluster;
        let cluster = self.judge.authorise(&asker, &wanted, &[])?;
        let keeper = self.judge.voice(&cluster).await;
        let keeper = keeper.map_err(|unknown| not_known("receivers", &unknown))?;
        let receivers = (self.receivers)();
        Ok(Response::new(list_of(receivers, &keeper.view())))
    }
}

/// Only who decides tells anybody.
fn not_known(what: &str, unknown: &Verdict) -> Status {
    Status::failed_precondition(format!("{what} are not known here: {}", why(unknown)))
}

/// Why this collector has no say, without the answer to what nobody asked.
fn why(unknown: &Verdict) -> &str {
    let sentence = unknown.sentence.as_str();
    sentence.strip_prefix("UNKNOWN - ").unwrap_or(sentence)
}

fn list_of(receivers: Vec<ReceiverHealth>, view: &ClusterView) -> v1::ListReceiversResponse {
    // All that is decided is read together: where leases are not known, what is owed is not either.
    let alerts = view.leases.as_ref().map(|_| &view.alerts);
    let message = |health: ReceiverHealth| v1::Receiver {
        owed: alerts.map(|alerts| alerts.owed_to(&health.name).count() as u64),
        name: health.name,
        kind: health.kind,
        failing_since_unix_ms: health.failing_since_unix_ms,
        why: health.why,
    };
    v1::ListReceiversResponse {
        receivers: receivers.into_iter().map(message).collect(),
        given_up: alerts.map(|alerts| alerts.given_up),
    }
}
