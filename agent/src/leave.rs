//! `quorate-agent leave`: forgets an enrolment of this node, or ends the invitation to the other nodes.

use std::process::ExitCode;

use anyhow::bail;

use crate::identity::enrolled::Enrolled;
use crate::identity::join_file::{self, JoinFile};
use crate::identity::place::{Place, PlaceArgs};
use crate::join::{day, finish, first_address};

/// Forgets a collector, or with --cluster ends the invitation to the cluster's other nodes
///
/// Key and certificate are removed from this node. The collector is not told: it shows the node as silent until
/// `quorate-collector node revoke`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The collector's id, or how it begins; needed where this node is enrolled with several
    #[arg(value_name = "COLLECTOR")]
    collector: Option<String>,
    /// Remove the invitation from /etc/pve; this node and those that joined stay enrolled
    #[arg(long)]
    cluster: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    finish(leave(args))
}

pub(crate) fn leave(args: &Args) -> anyhow::Result<Vec<String>> {
    if args.cluster {
        end_invitation(args)
    } else {
        forget(args)
    }
}

fn end_invitation(args: &Args) -> anyhow::Result<Vec<String>> {
    let place = args.place.open("leave --cluster")?;
    let collector = match &args.collector {
        Some(begin) => Some(one_of(&Enrolled::all(&place.state_dir)?, begin)?.collector_id),
        None => None,
    };
    let removed = join_file::remove(&place.host(), collector.as_deref())?;
    Ok(vec![if removed {
        "The invitation is removed: no node joins by it any more. Those that joined stay enrolled; whoever has copied \
         its token can use it until it ends, unless it is revoked with `quorate-collector token revoke`."
            .to_owned()
    } else {
        "There is no such invitation: nothing had to be removed.".to_owned()
    }])
}

fn forget(args: &Args) -> anyhow::Result<Vec<String>> {
    let place = args.place.open("leave")?;
    let all = Enrolled::all(&place.state_dir)?;
    let enrolled = match (&args.collector, all.as_slice()) {
        (Some(begin), _) => one_of(&all, begin)?,
        (None, []) => {
            return Ok(vec![
                "This node is enrolled with no collector: nothing had to be forgotten.".to_owned(),
            ]);
        }
        (None, [one]) => one.clone(),
        (None, _) => bail!("say which collector to leave: {}", list(&all)),
    };
    enrolled.forget()?;
    let mut lines = vec![format!(
        "{} has forgotten the collector at {}. Its certificate would have been good until {}: `quorate-collector node \
         revoke {}` ends that; restart a running agent (`systemctl restart quorate-agent`).",
        enrolled.node,
        first_address(&enrolled),
        day(enrolled.not_after()),
        enrolled.node
    )];
    lines.extend(still_invited(&place, &enrolled));
    Ok(lines)
}

/// The timer would take it back.
fn still_invited(place: &Place, enrolled: &Enrolled) -> Option<String> {
    let file = JoinFile::read(&place.host()).ok().flatten()?;
    let invites = |one: &join_file::Standing| one.collector == enrolled.collector_id;
    file.collectors.iter().any(invites).then(|| {
        "The invitation in /etc/pve still stands: end it with `quorate-agent leave --cluster`, or keep this node from \
         joining again with `systemctl disable --now quorate-agent-join.timer`."
            .to_owned()
    })
}

fn one_of(all: &[Enrolled], begin: &str) -> anyhow::Result<Enrolled> {
    let begins = |one: &&Enrolled| !begin.is_empty() && one.collector_id.starts_with(begin);
    let mut found = all.iter().filter(begins);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.clone()),
        (Some(_), Some(_)) => bail!("several collectors begin with {begin}: {}", list(all)),
        (None, _) if all.is_empty() => bail!("this node is enrolled with no collector"),
        (None, _) => bail!(
            "this node is not enrolled with {begin}; it is with {}",
            list(all)
        ),
    }
}

fn list(all: &[Enrolled]) -> String {
    let all: Vec<_> = all
        .iter()
        .map(|one| format!("{} ({})", one.collector_id, first_address(one)))
        .collect();
    all.join(", ")
}
