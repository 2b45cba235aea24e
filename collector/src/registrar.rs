//! What the Fleet service asks of the identities. They write to disk, so they are asked on threads that may wait.

use std::sync::Arc;

use jiff::Timestamp;
use proto::token::Fingerprint;
use proto::v1;
use tonic::Status;

use crate::addresses::Told;
use crate::answer::chain;
use crate::fleet;
use crate::identity::{Identities, IdentityError};
use crate::peer::Peer;
use crate::renew;

/// Gives nodes new certificates, and tokens for their clusters.
#[derive(Debug)]
pub struct Registrar {
    pub identities: Arc<Identities>,
    pub told: Told,
}

#[tonic::async_trait]
impl fleet::Identities for Registrar {
    async fn renew(
        &self,
        peer: &Peer,
        request: v1::RenewRequest,
    ) -> Result<v1::RenewResponse, Status> {
        let (identities, peer) = (Arc::clone(&self.identities), peer.clone());
        waiting(move || renew::renew(&identities, &peer, &request, Timestamp::now())).await
    }

    async fn cluster_token(
        &self,
        peer: &Peer,
        request: v1::ClusterTokenRequest,
    ) -> Result<v1::ClusterTokenResponse, Status> {
        let (identities, peer) = (Arc::clone(&self.identities), peer.clone());
        let told = self.told.clone();
        let now = Timestamp::now();
        waiting(move || renew::cluster_token(&identities, &told, &peer, request, now)).await
    }

    async fn spoke(&self, peer: &Peer, trust: Vec<Fingerprint>) {
        self.note(peer, move |identities, peer| {
            identities.spoke(peer, &trust, Timestamp::now())
        })
        .await;
    }

    async fn keeps_trust(&self, peer: &Peer, trust: Vec<Fingerprint>) {
        self.note(peer, move |identities, peer| {
            identities.keeps_trust(peer, &trust, Timestamp::now())
        })
        .await;
    }
}

impl Registrar {
    /// What cannot be kept is said again with the next stream, and is no reason to refuse this one: until then the agent
    /// counts as one that does not trust a new CA.
    async fn note(
        &self,
        peer: &Peer,
        note: impl FnOnce(&Identities, &Peer) -> Result<(), IdentityError> + Send + 'static,
    ) {
        let (identities, of) = (Arc::clone(&self.identities), peer.clone());
        let noted = tokio::task::spawn_blocking(move || note(&identities, &of));
        if let Ok(Err(error)) = noted.await {
            let why = chain(&error);
            tracing::warn!("what {} trusts cannot be kept: {why}", peer.identity);
        }
    }
}

async fn waiting<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    let asked = tokio::task::spawn_blocking(ask).await;
    asked.unwrap_or_else(|_| {
        Err(Status::internal(
            "the collector broke off; its log says why",
        ))
    })
}
