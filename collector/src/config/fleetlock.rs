//! Who may ask by FleetLock, where, and which node each of them is.

use std::net::SocketAddr;

use ipnet::IpNet;
use model::name::NodeName;
use settings::value::{refused, text, texts};
use settings::{Contradiction, Taken, Value};

use super::Config;
use super::value::socket_address;
use crate::fleetlock::{Known, Terms, is_id};

settings::keys! {
    struct ClientRow;
    check client_is_whole;
    "id" => id: String = String::new(), id;
    "node" => node: Option<NodeName> = None, node;
    /// Empty: the one cluster that has the node.
    "cluster" => cluster: String = String::new(), cluster;
}

impl Config {
    /// `None`: nobody is answered.
    pub(crate) fn fleetlock(&self) -> Option<Terms> {
        let known = self.fleetlock_clients.iter().filter_map(|row| {
            Some(Known {
                id: row.id.clone(),
                node: row.node.clone()?,
                cluster: row.cluster.clone(),
            })
        });
        Some(Terms {
            listen: self.fleetlock_listen?,
            networks: self.fleetlock_networks.clone(),
            known: known.collect(),
        })
    }
}

/// What each row alone is right about, and all together are not.
pub(super) fn contradictions(config: &Config) -> Vec<Contradiction> {
    let mut found = Vec::new();
    if config.fleetlock_listen.is_some() && config.fleetlock_networks.is_empty() {
        let why = "needs `fleetlock.networks`: its clients cannot log in, so that nobody is answered who is not in one of them";
        found.push(Contradiction::new("fleetlock.listen", why));
    }
    let clients = &config.fleetlock_clients;
    for (row, client) in clients.iter().enumerate() {
        let mut before = clients.iter().take(row);
        if !client.id.is_empty() && before.any(|other| other.id == client.id) {
            let why = format!(
                "{:?} is in two [[fleetlock.client]]: it is one node",
                client.id
            );
            found.push(Contradiction::new("fleetlock.client.id", why).in_row(row));
        }
    }
    found
}

fn client_is_whole(row: &ClientRow) -> Vec<Contradiction> {
    let missing = |key, is_missing: bool| is_missing.then(|| Contradiction::new(key, "is missing"));
    let id = missing("id", row.id.is_empty());
    let node = missing("node", row.node.is_none());
    id.into_iter().chain(node).collect()
}

/// "" stands for none, so that the key can stand in the example.
pub(super) fn listen(value: &Value<'_>) -> Taken<Option<SocketAddr>> {
    match value.as_str() {
        Some("") => Ok(None),
        _ => socket_address(value).map(Some),
    }
}

pub(super) fn networks(value: &Value<'_>) -> Taken<Vec<IpNet>> {
    const ALLOWED: &str =
        "a list of networks in quotes, such as [\"192.0.2.0/24\", \"2001:db8::/64\"]";
    let mut networks = Vec::new();
    for network in texts(value, ALLOWED)? {
        let known: IpNet = network
            .parse()
            .map_err(|_| refused(ALLOWED, format_args!("{network:?}")))?;
        if known != known.trunc() {
            let why = format_args!("{network:?}, which is an address in {}", known.trunc());
            return Err(refused(ALLOWED, why));
        }
        networks.push(known);
    }
    Ok(networks)
}

fn id(value: &Value<'_>) -> Taken<String> {
    const ALLOWED: &str =
        "what the client calls itself, in quotes: at most 128 letters without blanks";
    let id = text(value, ALLOWED)?;
    if is_id(id) {
        Ok(id.to_owned())
    } else {
        Err(refused(ALLOWED, format_args!("{id:?}")))
    }
}

fn node(value: &Value<'_>) -> Taken<Option<NodeName>> {
    super::value::node(value).map(Some)
}

fn cluster(value: &Value<'_>) -> Taken<String> {
    text(value, "the name or id of a cluster in quotes").map(str::to_owned)
}
