//! The service Enrolment: a token for a certificate. What is decided is decided in [`crate::identity::enrolment`];
//! here strangers' nonsense is refused by name, and what they hear is chosen.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use model::identity::{ClusterId, is_uuid};
use model::name::NodeName;
use proto::token::JoinToken;
use proto::v1;
use proto::v1::enrolment_server::{Enrolment, EnrolmentServer};
use tonic::{Code, Request, Response, Status};

use crate::addresses::Told;
use crate::answer::chain;
use crate::attempts::Attempts;
use crate::identity::ca::ProvenKey;
use crate::identity::certificate::Issued;
use crate::identity::enrolment::{Applicant, NotEnrolled};
use crate::identity::node::Cluster;
use crate::identity::{Identities, IdentityError};
use crate::peer::Stranger;
use crate::refusal::{Reason, Refusals};
use crate::tls::handshakes::source;

/// A nodelist of the largest cluster that corosync allows, and a key, fit well.
const MESSAGE_BYTES: usize = 64 << 10;
/// corosync's own limit is 384 at most.
pub(crate) const MOST_NODES: usize = 512;
/// Of a node, and of a cluster: longer ones are not repeated in an answer or in the log.
const MOST_NAME_BYTES: usize = 255;
/// Of one address in a minute. Guessing a secret of 160 bits is hopeless anyhow.
const MOST_FAILURES: u32 = 30;
/// The same for every token that is not good: a stranger learns nothing of those that exist.
const BAD_TOKEN: &str = "this token is not good, or not any more: make another one on the collector with \
                         `quorate-collector token create`";

/// The service.
#[derive(Debug)]
pub struct Enrol {
    identities: Arc<Identities>,
    refusals: Arc<Refusals>,
    failures: Mutex<Attempts>,
    told: Told,
}

impl Enrol {
    pub fn service(
        identities: Arc<Identities>,
        refusals: Arc<Refusals>,
        told: Told,
    ) -> EnrolmentServer<Self> {
        let service = Self {
            identities,
            refusals,
            failures: Mutex::new(Attempts::new(MOST_FAILURES)),
            told,
        };
        EnrolmentServer::new(service).max_decoding_message_size(MESSAGE_BYTES)
    }

    fn failures(&self) -> MutexGuard<'_, Attempts> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(&self, stranger: Stranger, node: &str, refused: &NotEnrolled) -> Status {
        let (reason, status) = heard(refused);
        let why = chain(refused);
        if status.code() == Code::Internal {
            tracing::error!("{node:?} at {} cannot enrol: {why}", stranger.address);
        } else {
            self.failures()
                .add(source(stranger.address), Instant::now());
            let more = format!("{node:?} wants to enrol: {why}");
            self.refusals.refuse(reason, stranger.address, more);
        }
        status
    }
}

#[tonic::async_trait]
impl Enrolment for Enrol {
    async fn enrol(
        &self,
        request: Request<v1::EnrolRequest>,
    ) -> Result<Response<v1::EnrolResponse>, Status> {
        let stranger = request.extensions().get::<Stranger>().copied();
        let stranger = stranger.ok_or_else(|| Status::internal("nobody knows who asks"))?;
        let from = source(stranger.address);
        if self.failures().is_too_many(from, Instant::now()) {
            self.refusals
                .refuse(Reason::TooManyFailures, stranger.address, "");
            return Err(Status::resource_exhausted(
                "too many attempts from this address failed: wait a minute",
            ));
        }
        let request = request.into_inner();
        let node: String = request.node.chars().take(MOST_NAME_BYTES).collect();
        let applicant = applicant(request).inspect_err(|status| {
            self.failures().add(from, Instant::now());
            let (reason, more) = match status.code() {
                Code::Unauthenticated => (Reason::Token, "it is none"),
                _ => (Reason::BadRequest, status.message()),
            };
            let more = format!("{node:?} wants to enrol: {more}");
            self.refusals.refuse(reason, stranger.address, more);
        })?;
        let identities = Arc::clone(&self.identities);
        let applied = tokio::task::spawn_blocking(move || {
            let issued = identities.enrol(&applicant, Timestamp::now());
            (issued, applicant)
        });
        let (issued, applicant) = applied
            .await
            .map_err(|_| Status::internal("the collector broke off; its log says why"))?;
        let issued = issued.map_err(|refused| self.refuse(stranger, &node, &refused))?;
        tracing::info!(
            "{} of the cluster {:?} ({}) enrolled from {}, with the certificate {} until {}",
            applicant.node.as_str(),
            applicant.cluster.name,
            applicant.cluster.id,
            stranger.address,
            issued.serial,
            issued.not_after
        );
        let credentials = credentials(&self.identities, issued)
            .map_err(|error| self.refuse(stranger, &node, &NotEnrolled::Identity(error)))?;
        let authority = self.identities.authority();
        Ok(Response::new(v1::EnrolResponse {
            credentials: Some(credentials),
            addresses: self.told.fleet.clone(),
            collector: self.identities.id().to_owned(),
            is_authority: authority.is_some(),
            authority,
        }))
    }
}

/// The certificate as it travels.
pub(crate) fn credentials(
    identities: &Identities,
    issued: Issued,
) -> Result<v1::Credentials, IdentityError> {
    let trust = identities.trust()?;
    Ok(v1::Credentials {
        chain: vec![issued.der],
        trust: trust.cas.iter().map(|ca| ca.to_vec()).collect(),
        not_after_unix_s: issued.not_after.as_second(),
    })
}

/// What the log counts it as, and what the stranger hears.
fn heard(refused: &NotEnrolled) -> (Reason, Status) {
    match refused {
        NotEnrolled::OtherCa
        | NotEnrolled::RetiredCa
        | NotEnrolled::UnknownToken
        | NotEnrolled::ExpiredToken { .. }
        | NotEnrolled::UsedUpToken { .. }
        | NotEnrolled::RevokedToken { .. }
        | NotEnrolled::OtherCluster { .. }
        | NotEnrolled::OtherName { .. } => (Reason::Token, Status::unauthenticated(BAD_TOKEN)),
        NotEnrolled::Living { .. } | NotEnrolled::Revoked { .. } => {
            (Reason::Name, Status::already_exists(refused.to_string()))
        }
        NotEnrolled::OtherAuthority { .. } => (
            Reason::Authority,
            Status::failed_precondition(refused.to_string()),
        ),
        NotEnrolled::ReplacedCa { .. } => (
            Reason::Cluster,
            Status::failed_precondition(refused.to_string()),
        ),
        NotEnrolled::Identity(_) => (
            Reason::BadRequest,
            Status::internal("the collector cannot enrol anybody now; its log says why"),
        ),
    }
}

/// Takes the request apart; what makes no sense is named.
fn applicant(request: v1::EnrolRequest) -> Result<Applicant, Status> {
    let token: JoinToken = request
        .token
        .parse()
        .map_err(|_| Status::unauthenticated(BAD_TOKEN))?;
    let cluster = request
        .cluster
        .ok_or_else(|| Status::invalid_argument("cluster: it is not said"))?;
    bounded("cluster.id", &cluster.id)?;
    let id = ClusterId::new(cluster.id)
        .map_err(|bad| Status::invalid_argument(format!("cluster.id: {bad}")))?;
    bounded("cluster.name", &cluster.name)?;
    if cluster.name.contains(char::is_control) {
        return Err(Status::invalid_argument("cluster.name: it is not one line"));
    }
    let node = node_name("node", request.node)?;
    let nodelist = nodelist(request.nodelist)?;
    if !nodelist.is_empty() && !nodelist.contains(&node) {
        return Err(Status::invalid_argument(format!(
            "nodelist: {} is not in it",
            node.as_str()
        )));
    }
    if let Some(told) = &request.authority
        && !is_uuid(&told.collector)
    {
        return Err(Status::invalid_argument(
            "authority.collector: it is no UUID in small letters",
        ));
    }
    let key = ProvenKey::of_request(&request.certificate_request)
        .map_err(|bad| Status::invalid_argument(format!("certificate_request: {}", chain(&bad))))?;
    Ok(Applicant {
        token,
        cluster: Cluster {
            id,
            name: cluster.name,
        },
        node,
        nodelist,
        key,
        authority: request.authority,
    })
}

/// The names of a cluster, as a stranger or a node says them.
pub(crate) fn nodelist(names: Vec<String>) -> Result<BTreeSet<NodeName>, Status> {
    if names.len() > MOST_NODES {
        return Err(Status::invalid_argument(format!(
            "nodelist: {} names are more than {MOST_NODES}",
            names.len()
        )));
    }
    let names = names.into_iter().map(|name| node_name("nodelist", name));
    names.collect()
}

/// A node's name that somebody said in this field.
pub(crate) fn node_name(field: &str, name: String) -> Result<NodeName, Status> {
    bounded(field, &name)?;
    NodeName::new(name).map_err(|bad| Status::invalid_argument(format!("{field}: {bad}")))
}

/// Refuses a name that is too long to be repeated.
pub(crate) fn bounded(field: &str, name: &str) -> Result<(), Status> {
    if name.len() <= MOST_NAME_BYTES {
        return Ok(());
    }
    Err(Status::invalid_argument(format!(
        "{field}: {} bytes are more than {MOST_NAME_BYTES}",
        name.len()
    )))
}
