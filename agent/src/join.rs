//! `quorate-agent join`: makes this node known to a collector; and on a timer, as `join --found`, by the invitation that
//! another node of the cluster has left in `/etc/pve`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::identity::ClusterId;
use model::name::NodeName;
use proto::token::{BadToken, JoinToken};

use crate::answer::{NO_ANSWER, complain, complain_of_output};
use crate::identity::enrolled::Enrolled;
use crate::identity::exchange::{ExchangeError, Invitation, with_port};
use crate::identity::join::{Joined, join};
use crate::identity::join_file::{self, JoinFile, Standing};
use crate::identity::membership::{Membership, Said};
use crate::identity::place::{Place, PlaceArgs};
use crate::run;

/// Where a collector listens for nodes that have no certificate yet.
const ENROLMENT_PORT: u16 = 7461;

/// Enrols this node with a collector
///
/// It makes a key, which stays on this node, and trades the token for a certificate of it. On Proxmox VE, --cluster
/// leaves the invitation to the other nodes where they find it by themselves.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The collector, as `quorate-collector token create` shows it; the port is 7461 if none is given
    #[arg(
        value_name = "HOST[:PORT]",
        required_unless_present = "found",
        requires = "token"
    )]
    address: Option<String>,
    /// The token that the collector has made
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Invite the other nodes of this Proxmox VE cluster, too
    #[arg(long)]
    cluster: bool,
    /// This node's name in corosync.conf, where it is not the machine's
    #[arg(long, value_name = "NAME", value_parser = node_name)]
    node: Option<NodeName>,
    /// Without Proxmox VE: the cluster's id, as the first node that joined has shown it
    #[arg(long, value_name = "ID", value_parser = cluster_id)]
    cluster_id: Option<ClusterId>,
    /// Get a new certificate even if this node has one of that collector
    #[arg(long)]
    replace: bool,
    /// Join by the invitation in /etc/pve, if there is one; for the timer
    #[arg(
        long,
        conflicts_with_all = ["address", "token", "cluster", "cluster_id", "replace"]
    )]
    found: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

fn node_name(text: &str) -> Result<NodeName, String> {
    NodeName::new(text).map_err(|error| error.to_string())
}

fn cluster_id(text: &str) -> Result<ClusterId, String> {
    ClusterId::new(text).map_err(|error| error.to_string())
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let done = match (&args.address, &args.token) {
        (Some(address), Some(token)) => invited(args, address, token),
        _ => found(args),
    };
    finish(done)
}

/// Says what is so now, or why not.
pub(crate) fn finish(done: anyhow::Result<Vec<String>>) -> ExitCode {
    match done {
        Ok(lines) => {
            let mut out = io::stdout().lock();
            for line in lines {
                if let Err(error) = writeln!(out, "{line}") {
                    complain_of_output(&error);
                    return ExitCode::from(NO_ANSWER);
                }
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::from(NO_ANSWER)
        }
    }
}

/// By a token that somebody has typed.
fn invited(args: &Args, address: &str, token: &str) -> anyhow::Result<Vec<String>> {
    let invitation = Invitation {
        token: token.parse::<JoinToken>()?,
        address: with_port(address, ENROLMENT_PORT)?,
    };
    let place = args.place.open("join")?;
    let said = Said {
        node: args.node.clone(),
        cluster: args.cluster_id.clone(),
    };
    let host = place.host();
    let member = Membership::of(&host, &place.state_dir, &said)?;
    if args.cluster && !member.is_pve {
        bail!(
            "--cluster needs Proxmox VE, which carries the invitation to the other nodes; here, run `quorate-agent join \
             --cluster-id {}` on each of them",
            member.cluster
        );
    }
    let runtime = run::runtime().context("the runtime cannot start")?;
    let now = Timestamp::now();
    let joined = join(&place.state_dir, &member, &invitation, args.replace, now);
    let (enrolled, mut lines) = match runtime.block_on(joined)? {
        Joined::Now(enrolled) => (enrolled.clone(), said_of_new(&enrolled, &member)),
        Joined::Already(enrolled) => (enrolled.clone(), vec![said_of_known(&enrolled)]),
    };
    if args.cluster {
        let asked = join_file::ask(&enrolled, &member.nodelist, Timestamp::now());
        let put = runtime.block_on(asked);
        let put = put.and_then(|standing| join_file::put(&host, &enrolled.cluster, standing));
        let until = put.with_context(|| {
            format!(
                "{} is enrolled, but the other nodes are not invited; run the same command again",
                enrolled.node
            )
        })?;
        lines.push(format!(
            "The other nodes of {} are invited until {} and join within a minute once quorate-agent is installed \
             there; running agents renew the invitation, and `quorate-agent leave --cluster` ends it.",
            enrolled.cluster_name,
            day(until)
        ));
    }
    Ok(lines)
}

/// By the invitation that lies in `/etc/pve`. Nothing is said where there is nothing to do.
fn found(args: &Args) -> anyhow::Result<Vec<String>> {
    let place = args.place.open("join")?;
    let Some(file) = JoinFile::read(&place.host())? else {
        return Ok(Vec::new());
    };
    let known = Enrolled::all(&place.state_dir)?;
    let now = Timestamp::now();
    let mut open = Vec::new();
    for standing in file.collectors {
        let token = standing.token()?;
        let is_known = |known: &Enrolled| known.trusts(token.ca()) && now < known.not_after();
        if !known.iter().any(is_known) {
            open.push((standing, token));
        }
    }
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let said = Said {
        node: args.node.clone(),
        cluster: Some(file.cluster),
    };
    let member = Membership::of(&place.host(), &place.state_dir, &said)?;
    let runtime = run::runtime().context("the runtime cannot start")?;
    let mut lines = Vec::new();
    let mut failed = None;
    for (standing, token) in open {
        match runtime.block_on(by_standing(&place, &member, &standing, &token, now)) {
            Ok(Joined::Now(enrolled)) => lines.extend(said_of_new(&enrolled, &member)),
            Ok(Joined::Already(_)) => {}
            // Another collector's invitation may still be good.
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if lines.is_empty() => Err(error),
        _ => Ok(lines),
    }
}

async fn by_standing(
    place: &Place,
    member: &Membership,
    standing: &Standing,
    token: &JoinToken,
    now: Timestamp,
) -> anyhow::Result<Joined> {
    if standing.is_over(now) {
        bail!(
            "the invitation in /etc/pve has ended, because no enrolled node has renewed it; run `quorate-agent join ... \
             --cluster` on one of the nodes, or join this one with a token of its own"
        );
    }
    let mut failed: anyhow::Error = BadToken::Broken.into();
    for address in &standing.enrolment_addresses {
        let invitation = Invitation {
            address: address.clone(),
            token: token.clone(),
        };
        match join(&place.state_dir, member, &invitation, false, now).await {
            Ok(joined) => return Ok(joined),
            // Only who was not reached can be reached elsewhere.
            Err(error @ (ExchangeError::NoAnswer { .. } | ExchangeError::Late { .. })) => {
                failed = error.into();
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(failed)
}

fn said_of_new(enrolled: &Enrolled, member: &Membership) -> Vec<String> {
    let Enrolled {
        node, cluster_name, ..
    } = enrolled;
    let mut lines = vec![format!(
        "{node} of {cluster_name} is enrolled with the collector at {} until {}, which the agent renews by itself; start \
         it with `systemctl enable --now quorate-agent`, or restart it if it runs.",
        first_address(enrolled),
        day(enrolled.not_after())
    )];
    if enrolled.authority.is_none() {
        lines.push(
            "That collector is an observer: it is told everything, and another one decides for the cluster."
                .to_owned(),
        );
    }
    if !member.is_pve && member.nodelist.len() > 1 {
        lines.push(format!(
            "On the other nodes of {cluster_name}, add --cluster-id {} to the command: without Proxmox VE a cluster has \
             no id of its own.",
            enrolled.cluster
        ));
    }
    lines
}

fn said_of_known(enrolled: &Enrolled) -> String {
    format!(
        "{} of {} is already enrolled with that collector, at {}, until {}; --replace gets a new certificate.",
        enrolled.node,
        enrolled.cluster_name,
        first_address(enrolled),
        day(enrolled.not_after())
    )
}

pub(crate) fn first_address(enrolled: &Enrolled) -> &str {
    enrolled.addresses.first().map_or("", String::as_str)
}

/// As the clock on the wall has it.
pub(crate) fn day(when: Timestamp) -> String {
    let when = when.to_zoned(TimeZone::system());
    when.strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests;
