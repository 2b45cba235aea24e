//! Which node a client is: by the operator's word, or by its own where it calls itself by a node's name. Nobody can say
//! whether it is true, which is why a client gets no more than the gate would give to anybody.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;
use model::name::NodeName;

use super::Known;
use super::request::{Asked, Kind, Refused};
use crate::answer::chain;
use crate::identity::Identities;
use crate::identity::node::{Cluster, Node, NodeError};

/// Who asks, and for which node.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) group: String,
    pub(super) address: SocketAddr,
    pub(super) cluster: Cluster,
    pub(super) node: NodeName,
}

impl Client {
    /// As the owner of a lease: the same as long as it asks from the same address. An id alone can be said by anybody, an
    /// address that answers not. No operator and no node is called so.
    pub(super) fn owner(&self) -> String {
        owner(&self.id, self.address.ip())
    }
}

/// An id has no blanks, so that nobody else has this owner.
fn owner(id: &str, address: IpAddr) -> String {
    format!("fleetlock {id} at {}", address.to_canonical())
}

#[derive(Debug)]
pub(super) struct Clients {
    known: Vec<Known>,
    identities: Arc<Identities>,
}

impl Clients {
    pub(super) fn new(known: Vec<Known>, identities: Arc<Identities>) -> Self {
        Self { known, identities }
    }

    pub(super) async fn find(&self, asked: Asked, address: SocketAddr) -> Result<Client, Refused> {
        let row = self.known.iter().find(|known| known.id == asked.id);
        let (name, cluster) = match row {
            Some(known) => (known.node.to_string(), known.cluster.clone()),
            None => (asked.id.clone(), String::new()),
        };
        let identities = Arc::clone(&self.identities);
        // It is looked up in a database.
        let looked = tokio::task::spawn_blocking(move || {
            let cluster = Some(cluster.as_str()).filter(|text| !text.is_empty());
            identities.find_node(&name, cluster, Timestamp::now())
        });
        let Node { cluster, name, .. } = match looked.await {
            Ok(found) => found.map_err(|error| not_known(&asked.id, &error))?,
            Err(error) => return Err(failed(&error)),
        };
        Ok(Client {
            id: asked.id,
            group: asked.group,
            address,
            cluster,
            node: name,
        })
    }
}

fn not_known(id: &str, error: &NodeError) -> Refused {
    if let NodeError::Identity(error) = error {
        return failed(error);
    }
    let value = "no node is known for this id: it is the name of a node that one cluster has, or stands in \
                 [[fleetlock.client]]";
    Refused::new(Kind::UnknownClient, value).aside(format!("{id}: {}", chain(error)))
}

pub(super) fn failed(error: &dyn std::error::Error) -> Refused {
    tracing::error!("FleetLock cannot answer: {}", chain(error));
    let value = "the collector cannot answer now; its log says why";
    Refused::new(Kind::Failed, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_the_same_whichever_listener_a_client_comes_to() {
        let v4: IpAddr = "192.0.2.7".parse().unwrap();
        let mapped: IpAddr = "::ffff:192.0.2.7".parse().unwrap();
        assert_eq!(owner("pve-03", v4), "fleetlock pve-03 at 192.0.2.7");
        assert_eq!(owner("pve-03", mapped), owner("pve-03", v4));
    }
}
