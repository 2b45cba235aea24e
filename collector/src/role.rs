//! Who may do what: the roles of callers, and a table of every method. Looked at before a service hears of a request.
//!
//! The same table stands in docs/architecture.md, and a test holds them together. What is not in the table is nobody's.

use model::identity::{ClusterId, Role};
use model::name::NodeName;
use proto::role::{ON_BEHALF_OF, ROOT};
use tonic::Status;
use tonic::codegen::http::HeaderMap;

use crate::peer::Peer;

/// In which role somebody calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// An agent for itself.
    Agent,
    /// root on a node, through its agent.
    NodeOperator,
    Operator,
    Viewer,
}

impl Caller {
    pub const ALL: [Self; 4] = [
        Self::Agent,
        Self::NodeOperator,
        Self::Operator,
        Self::Viewer,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::NodeOperator => "node-operator",
            Self::Operator => "operator",
            Self::Viewer => "viewer",
        }
    }
}

/// What a method may be called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    No,
    /// The node of the certificate alone.
    OwnNode,
    /// The cluster of the certificate, or all if it is for all.
    OwnCluster,
    /// It is about no cluster.
    Yes,
}

impl Scope {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::OwnNode => "its node",
            Self::OwnCluster => "its cluster",
            Self::Yes => "yes",
        }
    }
}

use Scope::{No, OwnCluster, OwnNode, Yes};

/// One row: a method, or a service with all it has, and the scopes in the order of [`Caller::ALL`].
pub type Row = (&'static str, [Scope; 4]);

pub const MATRIX: &[Row] = &[
    ("quorate.v1.Alerts/Silence", [No, No, OwnCluster, No]),
    ("quorate.v1.Alerts/Expire", [No, No, OwnCluster, No]),
    (
        "quorate.v1.Alerts/ListSilences",
        [No, OwnCluster, OwnCluster, OwnCluster],
    ),
    ("quorate.v1.Alerts/Acknowledge", [No, No, OwnCluster, No]),
    (
        "quorate.v1.Alerts/ListReceivers",
        [No, OwnCluster, OwnCluster, OwnCluster],
    ),
    ("quorate.v1.Fleet/Stream", [OwnNode, No, No, No]),
    ("quorate.v1.Fleet/Renew", [OwnNode, No, No, No]),
    ("quorate.v1.Fleet/ClusterToken", [OwnNode, No, No, No]),
    (
        "quorate.v1.Gate/Check",
        [No, OwnCluster, OwnCluster, OwnCluster],
    ),
    ("quorate.v1.Gate/Begin", [No, OwnNode, OwnCluster, No]),
    ("quorate.v1.Gate/End", [No, OwnNode, OwnCluster, No]),
    ("quorate.v1.Gate/Break", [No, No, OwnCluster, No]),
    (
        "quorate.v1.Gate/ListLeases",
        [No, OwnCluster, OwnCluster, OwnCluster],
    ),
    ("quorate.v1.Gate/Say", [No, OwnNode, OwnCluster, No]),
    ("quorate.v1.Gate/Accept", [No, No, OwnCluster, No]),
    ("quorate.v1.Gate/TakeBack", [No, No, OwnCluster, No]),
    (
        "quorate.v1.Gate/ListAccepted",
        [No, OwnCluster, OwnCluster, OwnCluster],
    ),
    (
        "quorate.v1.Query/GetStatus",
        [No, OwnCluster, OwnCluster, OwnCluster],
    ),
    (
        "quorate.v1.Query/GetReport",
        [No, OwnCluster, OwnCluster, OwnCluster],
    ),
    (
        "quorate.v1.Query/ListEvents",
        [No, OwnCluster, OwnCluster, OwnCluster],
    ),
    (
        "quorate.v1.Query/ListHistory",
        [No, OwnCluster, OwnCluster, OwnCluster],
    ),
    (
        "quorate.v1.Query/WhatIf",
        [No, OwnCluster, OwnCluster, OwnCluster],
    ),
    (
        "quorate.v1.Query/ListRisks",
        [No, OwnCluster, OwnCluster, OwnCluster],
    ),
    (
        "quorate.v1.Query/GetVerdict",
        [No, OwnCluster, OwnCluster, OwnCluster],
    ),
    (
        "quorate.v1.Query/ListVerdicts",
        [No, OwnCluster, OwnCluster, OwnCluster],
    ),
    ("grpc.health.v1.Health", [Yes, Yes, Yes, Yes]),
    ("grpc.reflection.v1.ServerReflection", [Yes, Yes, Yes, Yes]),
    (
        "grpc.reflection.v1alpha.ServerReflection",
        [Yes, Yes, Yes, Yes],
    ),
];

/// Who calls, in which role, and for what it may: in the extensions of every request that a service sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    pub peer: Peer,
    pub caller: Caller,
    scope: Scope,
}

/// Who asks this.
pub fn asker<T>(request: &tonic::Request<T>) -> Result<Asker, Status> {
    let asker = request.extensions().get::<Asker>();
    asker
        .cloned()
        .ok_or_else(|| Status::permission_denied("nobody looked whether this is allowed"))
}

impl Asker {
    /// Whether it may hear of this cluster.
    pub fn may_see(&self, cluster: &ClusterId) -> bool {
        self.scope != No && self.peer.identity.belongs_to(cluster)
    }

    /// Refuses what is about another cluster or node than it may ask for.
    pub fn check(&self, cluster: &ClusterId, nodes: &[NodeName]) -> Result<(), Status> {
        let own = self.peer.identity.name();
        if !self.may_see(cluster) {
            return Err(Status::permission_denied(format!(
                "{} may not ask for the cluster {cluster}",
                self.peer.identity
            )));
        }
        match nodes.iter().find(|node| *node != own) {
            Some(other) if self.scope == OwnNode => Err(Status::permission_denied(format!(
                "{} may ask this for itself alone, and not for {}",
                own.as_str(),
                other.as_str()
            ))),
            _ => Ok(()),
        }
    }

    /// As it is named in the log and as the owner of a lease.
    pub fn name(&self) -> String {
        match self.caller {
            Caller::NodeOperator => format!("root@{}", self.peer.identity.name().as_str()),
            _ => self.peer.identity.to_string(),
        }
    }
}

/// What somebody with this certificate may call this method for. The path is that of HTTP/2: `/SERVICE/METHOD`.
pub fn judge(peer: &Peer, path: &str, headers: &HeaderMap) -> Result<Asker, Status> {
    let caller = caller(peer, headers)?;
    let called = path.trim_start_matches('/');
    let service = called.split('/').next().unwrap_or_default();
    let row = MATRIX
        .iter()
        .find(|(row, _)| *row == called || *row == service);
    let scopes = row.map(|(_, scopes)| scopes);
    let at = Caller::ALL.iter().position(|known| *known == caller);
    let scope = scopes.and_then(|scopes| scopes.get(at?)).copied();
    match scope {
        Some(No) | None => Err(Status::permission_denied(format!(
            "{called} is not for the role {}",
            caller.as_str()
        ))),
        Some(scope) => Ok(Asker {
            peer: peer.clone(),
            caller,
            scope,
        }),
    }
}

fn caller(peer: &Peer, headers: &HeaderMap) -> Result<Caller, Status> {
    let on_behalf_of = headers.get(ON_BEHALF_OF);
    match (peer.identity.role(), on_behalf_of) {
        (Role::Node, None) => Ok(Caller::Agent),
        (Role::Node, Some(root)) if root == ROOT => Ok(Caller::NodeOperator),
        (Role::Operator, None) => Ok(Caller::Operator),
        (Role::Viewer, None) => Ok(Caller::Viewer),
        (_, Some(_)) => Err(Status::permission_denied(format!(
            "{ON_BEHALF_OF}: only a node speaks for somebody else, and only for {ROOT}"
        ))),
    }
}
