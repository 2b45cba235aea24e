//! What is asked about alerts: silences, acknowledgements, and whether alerts arrive.

use std::collections::BTreeMap;

use proto::v1;
use proto::v1::alerts_client::AlertsClient;
use tonic::{Code, Status};

use super::way::Line;
use super::{Answered, Client, MOST_ANSWER_BYTES, NoAnswer, judged, query};

/// The receivers of one cluster's alerts.
#[derive(Debug)]
pub(crate) enum Receivers {
    Told(v1::ListReceiversResponse),
    /// It is too old to be asked, or does not decide, and tells nobody of anything.
    NotTold,
    /// It should say, and does not.
    Unknown {
        why: String,
    },
}

impl Client {
    pub(crate) fn silence(
        &self,
        request: &v1::SilenceRequest,
    ) -> Result<v1::AlertAnswer, NoAnswer> {
        self.answered(&async |line| alerts(line).silence(request.clone()).await)
    }

    pub(crate) fn expire(&self, request: &v1::ExpireRequest) -> Result<v1::AlertAnswer, NoAnswer> {
        self.answered(&async |line| alerts(line).expire(request.clone()).await)
    }

    pub(crate) fn acknowledge(
        &self,
        request: &v1::AcknowledgeRequest,
    ) -> Result<v1::AlertAnswer, NoAnswer> {
        self.answered(&async |line| alerts(line).acknowledge(request.clone()).await)
    }

    pub(crate) fn silences(&self, cluster: &str) -> Result<v1::ListSilencesResponse, NoAnswer> {
        let request = v1::ListSilencesRequest {
            cluster: cluster.to_owned(),
        };
        self.answered(&async |line| alerts(line).list_silences(request.clone()).await)
    }

    /// The status of one cluster, or of all of them, and whether their alerts arrive.
    pub(crate) fn glance(&self, cluster: Option<&str>) -> Result<Answered, NoAnswer> {
        let request = v1::GetStatusRequest {
            cluster: cluster.unwrap_or_default().to_owned(),
            with_closed_incidents: false,
        };
        let (address, answer) = self.ask(&async |line: Line| {
            let status = query(line.clone()).get_status(request.clone()).await?;
            let receivers = receivers(&line, status.get_ref()).await;
            Ok(status.map(|status| (status, receivers)))
        })?;
        let (status, receivers) = match answer {
            Ok((status, receivers)) => (Ok(status), receivers),
            Err(refused) => (Err(refused), BTreeMap::new()),
        };
        let answered = judged(address, cluster, status)?;
        Ok(Answered {
            receivers,
            ..answered
        })
    }
}

/// Asked for each cluster, over the same connection.
async fn receivers(line: &Line, status: &v1::GetStatusResponse) -> BTreeMap<String, Receivers> {
    let mut all = BTreeMap::new();
    for cluster in status
        .clusters
        .iter()
        .filter_map(|one| one.cluster.as_ref())
    {
        let request = v1::ListReceiversRequest {
            cluster: cluster.id.clone(),
        };
        let told = alerts(line.clone()).list_receivers(request).await;
        let told = told.map_or_else(
            |status| not_told(&status),
            |told| Receivers::Told(told.into_inner()),
        );
        all.insert(cluster.id.clone(), told);
    }
    all
}

fn not_told(status: &Status) -> Receivers {
    match status.code() {
        // A collector that has no such method refuses it as one that is nobody's.
        Code::Unimplemented | Code::PermissionDenied | Code::FailedPrecondition => {
            Receivers::NotTold
        }
        _ => Receivers::Unknown {
            why: status.message().to_owned(),
        },
    }
}

fn alerts(line: Line) -> AlertsClient<Line> {
    AlertsClient::new(line).max_decoding_message_size(MOST_ANSWER_BYTES)
}
