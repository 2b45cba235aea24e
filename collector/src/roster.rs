//! Which nodes there are, and which CAs: tells the keepers who is enrolled, revoked or gone, and whom agents are to trust,
//! whenever identity.db changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use model::identity::ClusterId;
use model::name::NodeName;
use proto::v1;
use tokio::sync::watch;

use crate::answer::chain;
use crate::identity::node::{Node, NodeStanding};
use crate::identity::rotation::Trust;
use crate::identity::{Identities, IdentityError};
use crate::keeper::actor::Keeper;
use crate::keepers::{Keepers, KeepersError};

#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    #[error("the nodes cannot be listed")]
    Identity(#[from] IdentityError),
    #[error("the keeper of the cluster {cluster} cannot be started")]
    Keeper {
        cluster: ClusterId,
        source: KeepersError,
    },
    #[error("listing the nodes broke off")]
    BrokeOff,
}

/// The nodes as the keepers were told last.
#[derive(Debug)]
pub struct Roster {
    identities: Arc<Identities>,
    keepers: Arc<Keepers>,
    told: BTreeMap<(ClusterId, NodeName), NodeStanding>,
    trusted: BTreeMap<ClusterId, Trust>,
}

impl Roster {
    pub fn new(identities: Arc<Identities>, keepers: Arc<Keepers>) -> Self {
        Self {
            identities,
            keepers,
            told: BTreeMap::new(),
            trusted: BTreeMap::new(),
        }
    }

    /// Tells all that is known now, and from then on what `changes` announces. Never ends while that goes on.
    pub async fn run(mut self, mut changes: watch::Receiver<u64>) {
        while changes.changed().await.is_ok() {
            if let Err(error) = self.tell().await {
                tracing::error!("{}", chain(&error));
            }
        }
    }

    /// Once at the start, before anybody is answered: whoever was revoked is known then.
    pub async fn tell(&mut self) -> Result<(), RosterError> {
        let (nodes, trust) = self.known().await?;
        for node in nodes {
            self.tell_trust(&node.cluster.id, &trust).await?;
            let key = (node.cluster.id.clone(), node.name.clone());
            if self.told.get(&key) == Some(&node.standing) {
                continue;
            }
            let keeper = self.keeper(&node.cluster.id).await?;
            tell_of(&keeper, &node).await;
            self.told.insert(key, node.standing);
        }
        Ok(())
    }

    async fn tell_trust(&mut self, cluster: &ClusterId, trust: &Trust) -> Result<(), RosterError> {
        if self.trusted.get(cluster) == Some(trust) {
            return Ok(());
        }
        let new = v1::NewTrust {
            trust: trust.cas.iter().map(|ca| ca.to_vec()).collect(),
            signs: trust.signs.to_vec(),
        };
        self.keeper(cluster).await?.new_trust(new).await;
        self.trusted.insert(cluster.clone(), trust.clone());
        Ok(())
    }

    async fn keeper(&self, cluster: &ClusterId) -> Result<Keeper, RosterError> {
        let keeper = self.keepers.keeper(cluster).await;
        keeper.map_err(|source| RosterError::Keeper {
            cluster: cluster.clone(),
            source,
        })
    }

    async fn known(&self) -> Result<(Vec<Node>, Trust), RosterError> {
        let identities = Arc::clone(&self.identities);
        let listed = tokio::task::spawn_blocking(move || {
            Ok((identities.nodes(Timestamp::now())?, identities.trust()?))
        });
        let listed: Result<Result<_, IdentityError>, _> = listed.await;
        Ok(listed.map_err(|_| RosterError::BrokeOff)??)
    }
}

async fn tell_of(keeper: &Keeper, node: &Node) {
    keeper.called(node.cluster.name.clone()).await;
    match node.standing {
        NodeStanding::Enrolled => keeper.enrolled(node.name.clone()).await,
        NodeStanding::Revoked | NodeStanding::LetGo => keeper.revoked(node.name.clone()).await,
        NodeStanding::Removed => keeper.forgotten(node.name.clone()).await,
    }
}
