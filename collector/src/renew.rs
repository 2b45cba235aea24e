//! What enrolled nodes ask for: a new certificate in time, and a token for their cluster's join file. The service Fleet
//! calls these.

use jiff::Timestamp;
use model::identity::{ClusterId, Role};
use proto::v1;
use tonic::Status;

use crate::addresses::Told;
use crate::answer::chain;
use crate::enrol::{credentials, nodelist};
use crate::identity::Identities;
use crate::identity::ca::ProvenKey;
use crate::identity::certificate::NotRenewed;
use crate::identity::token::TokenError;
use crate::peer::Peer;

const NOT_NOW: &str = "the collector cannot do this now; its log says why";

/// Fleet.Renew: a certificate for the node that asks, whatever its request says. It writes to disk: not for a thread
/// that must not wait.
pub fn renew(
    identities: &Identities,
    peer: &Peer,
    request: &v1::RenewRequest,
    now: Timestamp,
) -> Result<v1::RenewResponse, Status> {
    node_of(peer)?;
    let key = ProvenKey::of_request(&request.certificate_request)
        .map_err(|bad| Status::invalid_argument(format!("certificate_request: {}", chain(&bad))))?;
    let issued = identities.renew(&peer.identity, &peer.serial, &key, now);
    let issued = issued.map_err(|error| {
        tracing::error!("{} cannot renew: {}", peer.identity, chain(&error));
        match error {
            NotRenewed::NotLiving => Status::permission_denied(error.to_string()),
            NotRenewed::Identity(_) => Status::internal(NOT_NOW),
        }
    })?;
    tracing::info!(
        "{} at {} has the new certificate {} until {}",
        peer.identity,
        peer.address,
        issued.serial,
        issued.not_after
    );
    let credentials = credentials(identities, issued).map_err(|error| {
        tracing::error!("{} cannot renew: {}", peer.identity, chain(&error));
        Status::internal(NOT_NOW)
    })?;
    Ok(v1::RenewResponse {
        credentials: Some(credentials),
    })
}

/// Fleet.ClusterToken: a token for the nodes of the cluster of the node that asks. It writes to disk, as [`renew`] does.
pub fn cluster_token(
    identities: &Identities,
    told: &Told,
    peer: &Peer,
    request: v1::ClusterTokenRequest,
    now: Timestamp,
) -> Result<v1::ClusterTokenResponse, Status> {
    let cluster = node_of(peer)?;
    let names = nodelist(request.nodelist)?;
    if !names.contains(peer.identity.name()) {
        return Err(Status::invalid_argument(format!(
            "nodelist: {} itself is not in it",
            peer.identity.name().as_str()
        )));
    }
    let new = identities.make_cluster_token(&peer.serial, cluster, &names, now);
    let new = new.map_err(|error| {
        tracing::error!("{} cannot have a token: {}", peer.identity, chain(&error));
        match error {
            TokenError::NotLiving => Status::permission_denied(error.to_string()),
            _ => Status::internal(NOT_NOW),
        }
    })?;
    tracing::info!(
        "{} at {} has the token {} for its cluster's join file, until {}",
        peer.identity,
        peer.address,
        new.id,
        new.not_after
    );
    Ok(v1::ClusterTokenResponse {
        token: new.token.to_text(),
        not_after_unix_s: new.not_after.as_second(),
        enrolment_addresses: told.enrolment.clone(),
    })
}

fn node_of(peer: &Peer) -> Result<&ClusterId, Status> {
    let cluster = peer.identity.cluster();
    cluster
        .filter(|_| peer.identity.role() == Role::Node)
        .ok_or_else(|| Status::permission_denied("only a node has a cluster to speak for"))
}
