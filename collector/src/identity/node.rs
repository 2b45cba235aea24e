//! Clusters and their nodes: who is enrolled, who was sent away, and whose name is free again.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::identity::{ClusterId, Identity};
use model::name::NodeName;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::Serialize;

use super::certificate::{living_until, revoke, time};
use super::{Doing as _, Identities, IdentityError};

/// What holds for a node's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeStanding {
    /// It has, or had, a certificate.
    Enrolled,
    /// An operator sent it away: the name enrols again only when an operator lets it go.
    Revoked,
    /// An operator let the name go: the next one with a good token gets it.
    LetGo,
    /// It is not in the cluster's nodelist any more.
    Removed,
}

impl NodeStanding {
    const ALL: [Self; 4] = [Self::Enrolled, Self::Revoked, Self::LetGo, Self::Removed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled",
            Self::Revoked => "revoked",
            Self::LetGo => "let_go",
            Self::Removed => "removed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cluster {
    pub id: ClusterId,
    /// As its first node said.
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    pub cluster: Cluster,
    pub name: NodeName,
    pub standing: NodeStanding,
    pub since: Timestamp,
    /// The end of its living certificate; `None`: it has none.
    pub certified_until: Option<Timestamp>,
}

#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("there is no node {name} here: see `quorate-collector node list`")]
    NoSuch { name: String },
    #[error(
        "{name} is a node of several clusters: say which with --cluster ({})", clusters.join(", ")
    )]
    Several { name: String, clusters: Vec<String> },
    #[error("no cluster here has the id or name {text:?}: see `quorate-collector node list`")]
    NoSuchCluster { text: String },
    #[error("several clusters are called {name:?}: say which by its id ({})", ids.join(", "))]
    SeveralClusters { name: String, ids: Vec<String> },
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl Identities {
    pub fn clusters(&self) -> Result<Vec<Cluster>, IdentityError> {
        clusters(&self.reader())
    }

    /// The cluster with this id or name; with neither, the only one.
    pub fn find_cluster(&self, text: &str) -> Result<Cluster, NodeError> {
        let mut fitting = self.clusters()?;
        // A name is what its nodes say: one that looks like another cluster's id does not stand in its way.
        let by_id = fitting
            .iter()
            .position(|cluster| cluster.id.as_str() == text);
        if let Some(at) = by_id {
            return Ok(fitting.swap_remove(at));
        }
        fitting.retain(|cluster| text.is_empty() || cluster.name == text);
        if fitting.len() > 1 {
            let ids = fitting.into_iter().map(|cluster| cluster.id.into());
            return Err(NodeError::SeveralClusters {
                name: text.to_owned(),
                ids: ids.collect(),
            });
        }
        fitting.pop().ok_or_else(|| NodeError::NoSuchCluster {
            text: text.to_owned(),
        })
    }

    pub fn nodes(&self, now: Timestamp) -> Result<Vec<Node>, IdentityError> {
        let reader = self.reader();
        let mut all = Vec::new();
        for cluster in clusters(&reader)? {
            for (name, standing, since) in names(&reader, &cluster.id)? {
                let identity = Identity::node(cluster.id.clone(), name.clone());
                all.push(Node {
                    cluster: cluster.clone(),
                    certified_until: living_until(&reader, &identity, now)?,
                    name,
                    standing,
                    since,
                });
            }
        }
        Ok(all)
    }

    /// Sends a node away: its certificates are good for nothing, and its name enrols no more until it is let go.
    pub fn revoke_node(
        &self,
        name: &str,
        cluster: Option<&str>,
        now: Timestamp,
    ) -> Result<Cluster, NodeError> {
        self.send_away(name, cluster, NodeStanding::Revoked, "node revoke", now)
    }

    /// Lets a name go: what holds it now is revoked, and the next one with a good token gets it.
    pub fn replace_node(
        &self,
        name: &str,
        cluster: Option<&str>,
        now: Timestamp,
    ) -> Result<Cluster, NodeError> {
        self.send_away(name, cluster, NodeStanding::LetGo, "node replace", now)
    }

    /// Revokes these nodes, which are not in the nodelist any more; those of them that were enrolled.
    pub fn forget(
        &self,
        cluster: &ClusterId,
        gone: &BTreeSet<NodeName>,
        now: Timestamp,
    ) -> Result<Vec<NodeName>, IdentityError> {
        let is_missing =
            |(name, standing, _): &Name| *standing == NodeStanding::Enrolled && gone.contains(name);
        self.write(|changes| {
            let mut forgotten = Vec::new();
            for known in names(changes, cluster)? {
                if is_missing(&known) {
                    let identity = Identity::node(cluster.clone(), known.0.clone());
                    revoke(changes, &identity, "not in the nodelist any more", now)?;
                    set_standing(changes, &identity, NodeStanding::Removed, now)?;
                    forgotten.push(known.0);
                }
            }
            Ok(forgotten)
        })
    }

    fn send_away(
        &self,
        name: &str,
        cluster: Option<&str>,
        standing: NodeStanding,
        why: &str,
        now: Timestamp,
    ) -> Result<Cluster, NodeError> {
        let node = self.find_node(name, cluster, now)?;
        let identity = Identity::node(node.cluster.id.clone(), node.name);
        self.write(|changes| -> Result<(), IdentityError> {
            revoke(changes, &identity, why, now)?;
            set_standing(changes, &identity, standing, now)
        })?;
        Ok(node.cluster)
    }

    /// The one node of this name: of the cluster with this id or name, or else of all.
    pub fn find_node(
        &self,
        name: &str,
        cluster: Option<&str>,
        now: Timestamp,
    ) -> Result<Node, NodeError> {
        let within = cluster.map(|text| self.find_cluster(text)).transpose()?;
        let mut fitting = self.nodes(now)?;
        fitting.retain(|node| {
            node.name.as_str() == name
                && within
                    .as_ref()
                    .is_none_or(|only| only.id == node.cluster.id)
        });
        if fitting.len() > 1 {
            return Err(NodeError::Several {
                name: name.to_owned(),
                clusters: fitting
                    .into_iter()
                    .map(|node| node.cluster.id.into())
                    .collect(),
            });
        }
        fitting.pop().ok_or_else(|| NodeError::NoSuch {
            name: name.to_owned(),
        })
    }
}

pub(super) fn standing_of(
    connection: &Connection,
    identity: &Identity,
) -> Result<Option<NodeStanding>, IdentityError> {
    let word: Option<String> = connection
        .query_row(
            "SELECT standing FROM node WHERE cluster = ?1 AND name = ?2",
            params![
                identity.cluster().map(ClusterId::as_str),
                identity.name().as_str()
            ],
            |row| row.get(0),
        )
        .optional()
        .doing("looking up a node")?;
    word.map(standing).transpose()
}

pub(super) fn set_standing(
    changes: &Transaction<'_>,
    identity: &Identity,
    standing: NodeStanding,
    now: Timestamp,
) -> Result<(), IdentityError> {
    changes
        .execute(
            "INSERT INTO node (cluster, name, standing, since_unix_s) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (cluster, name) DO UPDATE SET standing = ?3, since_unix_s = ?4",
            params![
                identity.cluster().map(ClusterId::as_str),
                identity.name().as_str(),
                standing.as_str(),
                now.as_second()
            ],
        )
        .doing("keeping a node")?;
    Ok(())
}

pub(super) fn clusters(connection: &Connection) -> Result<Vec<Cluster>, IdentityError> {
    let mut rows = connection
        .prepare_cached("SELECT id, name FROM cluster ORDER BY name, id")
        .doing("listing clusters")?;
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let rows: Vec<(String, String)> = rows.and_then(Iterator::collect).doing("listing clusters")?;
    let known = rows.into_iter().map(|(id, name)| {
        let id = cluster_id(id)?;
        Ok(Cluster { id, name })
    });
    known.collect()
}

pub(super) fn add_cluster(
    changes: &Transaction<'_>,
    cluster: &Cluster,
    now: Timestamp,
) -> Result<(), IdentityError> {
    changes
        .execute(
            "INSERT INTO cluster (id, name, since_unix_s) VALUES (?1, ?2, ?3)",
            params![cluster.id.as_str(), cluster.name, now.as_second()],
        )
        .doing("keeping a cluster")?;
    Ok(())
}

type Name = (NodeName, NodeStanding, Timestamp);

pub(super) fn names(
    connection: &Connection,
    cluster: &ClusterId,
) -> Result<Vec<Name>, IdentityError> {
    let mut rows = connection
        .prepare_cached(
            "SELECT name, standing, since_unix_s FROM node WHERE cluster = ?1 ORDER BY name",
        )
        .doing("listing nodes")?;
    let rows = rows.query_map(params![cluster.as_str()], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    });
    let rows: Vec<(String, String, i64)> =
        rows.and_then(Iterator::collect).doing("listing nodes")?;
    let known = rows.into_iter().map(|(name, word, since)| {
        let name = NodeName::new(name.clone()).map_err(|_| IdentityError::Damaged {
            what: "name of a node",
            text: name,
        })?;
        Ok((name, standing(word)?, time(since)?))
    });
    known.collect()
}

fn standing(word: String) -> Result<NodeStanding, IdentityError> {
    let known = NodeStanding::ALL
        .into_iter()
        .find(|known| known.as_str() == word);
    known.ok_or(IdentityError::Damaged {
        what: "standing of a node",
        text: word,
    })
}

pub(super) fn cluster_id(text: String) -> Result<ClusterId, IdentityError> {
    ClusterId::new(text.clone()).map_err(|_| IdentityError::Damaged {
        what: "id of a cluster",
        text,
    })
}
