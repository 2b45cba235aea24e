//! Trades a token for a certificate. Everything is decided and written in one step of the database: of two who come at
//! the same moment for one name, or with the last use of a token, one gets it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::identity::{ClusterId, Identity};
use model::name::NodeName;
use proto::token::JoinToken;
use proto::v1;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::ca::ProvenKey;
use super::certificate::{Issued, NODE_LIFETIME, living_until, revoke};
use super::node::{Cluster, NodeStanding, add_cluster, clusters, names, set_standing, standing_of};
use super::rotation::{CaStanding, cas};
use super::token::{Token, TokenKind, TokenStanding, find};
use super::{Doing as _, Identities, IdentityError};
use crate::authority::contests;

/// Who wants in, and with what.
#[derive(Debug)]
pub struct Applicant {
    pub token: JoinToken,
    pub cluster: Cluster,
    pub node: NodeName,
    /// All names in its corosync.conf; empty where there is none.
    pub nodelist: BTreeSet<NodeName>,
    pub key: ProvenKey,
    /// The collector that decides for its cluster, as it was told elsewhere.
    pub authority: Option<v1::Authority>,
}

/// Why somebody does not get in. The sentences are for the collector's log; [`crate::enrol`] says what the stranger
/// hears.
#[derive(Debug, thiserror::Error)]
pub enum NotEnrolled {
    #[error("its token was made by another collector, or its CA's fingerprint was changed")]
    OtherCa,
    #[error("its token was made before the CA was replaced: make another one")]
    RetiredCa,
    #[error("its token is not known here")]
    UnknownToken,
    #[error("its token {id} has expired")]
    ExpiredToken { id: String },
    #[error("its token {id} is used up")]
    UsedUpToken { id: String },
    #[error("its token {id} was revoked")]
    RevokedToken { id: String },
    #[error("its token {id} is for another cluster")]
    OtherCluster { id: String },
    #[error("its token {id} is of a cluster's join file, and not good for this name (any more)")]
    OtherName { id: String },
    #[error(
        "{node} has a living certificate, until {until}: `quorate-collector node replace {node}` lets the name go"
    )]
    Living { node: NodeName, until: Timestamp },
    #[error("{node} was revoked: `quorate-collector node replace {node}` lets it in again")]
    Revoked { node: NodeName },
    #[error(
        "the collector {known} (epoch {epoch}) decides for its cluster already, and {own} would be a second one: make \
         this one an observer (`quorate-collector init --observer` in another state_dir), or let every node leave that one \
         first (`quorate-agent leave {known}`)"
    )]
    OtherAuthority {
        known: String,
        epoch: u64,
        own: String,
    },
    #[error(
        "the cluster {name:?} with nodes of these names is known here under the id {known}, and not {said}. If its CA was \
         replaced, or this is another cluster of that name, make it a token of its own: \
         `quorate-collector token create --cluster {said}`"
    )]
    ReplacedCa {
        name: String,
        known: ClusterId,
        said: ClusterId,
    },
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl Identities {
    pub fn enrol(&self, applicant: &Applicant, now: Timestamp) -> Result<Issued, NotEnrolled> {
        self.write(|changes| {
            check_ca(changes, &applicant.token)?;
            let token = find(changes, &applicant.token)?.ok_or(NotEnrolled::UnknownToken)?;
            let identity = Identity::node(applicant.cluster.id.clone(), applicant.node.clone());
            if asked_before(changes, &token, &identity, applicant, now)? {
                // The answer was lost on its way: the same key with the same token costs no second use.
                let again = self.issue_node(changes, &identity, applicant, &token, now)?;
                return Ok(again);
            }
            check_token(changes, &token, applicant, now)?;
            self.check_authority(applicant)?;
            check_cluster(changes, &token, applicant, now)?;
            check_name(changes, &identity, now)?;
            spend(changes, &token, &applicant.node, now)?;
            revoke(changes, &identity, "enrolled anew", now)?;
            set_standing(changes, &identity, NodeStanding::Enrolled, now)?;
            Ok(self.issue_node(changes, &identity, applicant, &token, now)?)
        })
    }

    /// A cluster has one collector that decides. What an observer is told of another is as it should be.
    fn check_authority(&self, applicant: &Applicant) -> Result<(), NotEnrolled> {
        let (Some(own), Some(told)) = (self.authority(), &applicant.authority) else {
            return Ok(());
        };
        if told.collector == own.collector || !contests(&own, told) {
            return Ok(());
        }
        Err(NotEnrolled::OtherAuthority {
            known: told.collector.clone(),
            epoch: told.epoch,
            own: own.collector,
        })
    }

    fn issue_node(
        &self,
        changes: &Transaction<'_>,
        identity: &Identity,
        applicant: &Applicant,
        token: &Token,
        now: Timestamp,
    ) -> Result<Issued, IdentityError> {
        let token = Some(token.id.as_str());
        self.issue(changes, identity, &applicant.key, token, now, NODE_LIFETIME)
    }
}

/// A token of a CA that was replaced is told from one of another collector.
fn check_ca(changes: &Transaction<'_>, token: &JoinToken) -> Result<(), NotEnrolled> {
    let known = cas(changes)?.into_iter();
    let known = known.filter(|known| known.fingerprint == token.ca());
    match known.map(|known| known.standing).next() {
        None => Err(NotEnrolled::OtherCa),
        Some(CaStanding::Retired) => Err(NotEnrolled::RetiredCa),
        Some(_) => Ok(()),
    }
}

/// Whether this token already gave this key a certificate, which still lives.
fn asked_before(
    changes: &Transaction<'_>,
    token: &Token,
    identity: &Identity,
    applicant: &Applicant,
    now: Timestamp,
) -> Result<bool, IdentityError> {
    let is_over = [TokenStanding::Expired, TokenStanding::Revoked].contains(&token.standing(now));
    if is_over || standing_of(changes, identity)? != Some(NodeStanding::Enrolled) {
        return Ok(false);
    }
    changes
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM certificate
             WHERE identity = ?1 AND token = ?2 AND key_hash = ?3 AND revoked_unix_s IS NULL AND not_after_unix_s > ?4)",
            params![
                identity.to_string(),
                token.id,
                applicant.key.hash(),
                now.as_second()
            ],
            |row| row.get(0),
        )
        .doing("looking for an earlier answer")
}

fn check_token(
    changes: &Transaction<'_>,
    token: &Token,
    applicant: &Applicant,
    now: Timestamp,
) -> Result<(), NotEnrolled> {
    let id = || token.id.clone();
    match token.standing(now) {
        TokenStanding::Good => {}
        TokenStanding::Expired => return Err(NotEnrolled::ExpiredToken { id: id() }),
        TokenStanding::UsedUp => return Err(NotEnrolled::UsedUpToken { id: id() }),
        TokenStanding::Revoked => return Err(NotEnrolled::RevokedToken { id: id() }),
    }
    let is_for = |cluster: &ClusterId| *cluster == applicant.cluster.id;
    if !token.cluster.as_ref().is_none_or(is_for) {
        return Err(NotEnrolled::OtherCluster { id: id() });
    }
    if token.kind == TokenKind::ClusterFile {
        let unused = changes
            .query_row(
                "SELECT used_unix_s IS NULL FROM token_name WHERE token = ?1 AND name = ?2",
                params![token.id, applicant.node.as_str()],
                |row| row.get(0),
            )
            .optional()
            .doing("looking up a name of a token")?;
        if unused != Some(true) {
            return Err(NotEnrolled::OtherName { id: id() });
        }
    }
    Ok(())
}

/// A cluster that is not known yet is taken, unless it looks like a known one whose CA was replaced: then a person
/// decides, by making a token for exactly this id.
fn check_cluster(
    changes: &Transaction<'_>,
    token: &Token,
    applicant: &Applicant,
    now: Timestamp,
) -> Result<(), NotEnrolled> {
    let said = &applicant.cluster;
    let known = clusters(changes)?;
    if known.iter().any(|cluster| cluster.id == said.id) {
        return Ok(());
    }
    if token.cluster.is_none() {
        for cluster in known.into_iter().filter(|known| known.name == said.name) {
            let is_shared = names(changes, &cluster.id)?
                .iter()
                .any(|(name, _, _)| applicant.nodelist.contains(name) || *name == applicant.node);
            if is_shared {
                return Err(NotEnrolled::ReplacedCa {
                    name: cluster.name,
                    known: cluster.id,
                    said: said.id.clone(),
                });
            }
        }
    }
    Ok(add_cluster(changes, said, now)?)
}

fn check_name(
    changes: &Transaction<'_>,
    identity: &Identity,
    now: Timestamp,
) -> Result<(), NotEnrolled> {
    let node = || identity.name().clone();
    match standing_of(changes, identity)? {
        Some(NodeStanding::Revoked) => Err(NotEnrolled::Revoked { node: node() }),
        Some(NodeStanding::Enrolled) => match living_until(changes, identity, now)? {
            Some(until) => Err(NotEnrolled::Living {
                node: node(),
                until,
            }),
            None => Ok(()),
        },
        Some(NodeStanding::LetGo | NodeStanding::Removed) | None => Ok(()),
    }
}

fn spend(
    changes: &Transaction<'_>,
    token: &Token,
    node: &NodeName,
    now: Timestamp,
) -> Result<(), IdentityError> {
    let spent = match token.kind {
        TokenKind::Join => changes.execute(
            "UPDATE token SET uses_left = uses_left - 1 WHERE id = ?1 AND uses_left > 0",
            params![token.id],
        ),
        TokenKind::ClusterFile => changes.execute(
            "UPDATE token_name SET used_unix_s = ?1 WHERE token = ?2 AND name = ?3",
            params![now.as_second(), token.id, node.as_str()],
        ),
    };
    spent.doing("counting a use of a token")?;
    Ok(())
}
