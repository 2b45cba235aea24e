//! `quorate-collector node list|revoke|replace`.

use jiff::Timestamp;

use super::Place;
use super::table::table;
use crate::answer::{print, print_json};
use crate::identity::node::{Node, NodeStanding};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    List(List),
    Revoke(Revoke),
    Replace(Replace),
}

/// Lists the nodes and how long their certificates are good
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Sends a node away at once; its name does not enrol again before `node replace`
#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    named: Named,
}

/// Lets a node's name go, because it was installed anew: the old certificate is revoked, the next one that joins gets
/// the name
#[derive(Debug, clap::Args)]
pub(crate) struct Replace {
    #[command(flatten)]
    named: Named,
}

#[derive(Debug, clap::Args)]
struct Named {
    #[command(flatten)]
    place: Place,
    name: String,
    /// Id or name of its cluster, where several have a node of this name
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
}

pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    let now = Timestamp::now();
    match command {
        Command::List(args) => list(args, now),
        Command::Revoke(Revoke { named }) => {
            let (_, identities) = named.place.open()?;
            let cluster = identities.revoke_node(&named.name, named.cluster.as_deref(), now)?;
            print(format!(
                "{} of the cluster {} was sent away; `quorate-collector node replace {}` lets it enrol again",
                named.name, cluster.name, named.name
            ))
        }
        Command::Replace(Replace { named }) => {
            let (_, identities) = named.place.open()?;
            let cluster = identities.replace_node(&named.name, named.cluster.as_deref(), now)?;
            print(format!(
                "the name {} of the cluster {} is free: the next node that joins under it gets it",
                named.name, cluster.name
            ))
        }
    }
}

fn list(args: &List, now: Timestamp) -> anyhow::Result<()> {
    let (_, identities) = args.place.open()?;
    let nodes = identities.nodes(now)?;
    if args.json {
        return print_json(&nodes);
    }
    let rows: Vec<[String; 5]> = nodes.into_iter().map(row).collect();
    let heads = ["CLUSTER", "NODE", "STATE", "CERTIFIED UNTIL", "CLUSTER ID"];
    print(table(heads, &rows))
}

fn row(node: Node) -> [String; 5] {
    let standing = match (node.standing, node.certified_until) {
        (NodeStanding::Enrolled, Some(_)) => "enrolled",
        (NodeStanding::Enrolled, None) => "expired",
        (NodeStanding::Revoked, _) => "revoked",
        (NodeStanding::LetGo, _) => "let go",
        (NodeStanding::Removed, _) => "not in the nodelist any more",
    };
    [
        node.cluster.name,
        node.name.as_str().to_owned(),
        standing.to_owned(),
        node.certified_until
            .map_or("-".to_owned(), |until| format!("{until:.0}")),
        node.cluster.id.into(),
    ]
}
