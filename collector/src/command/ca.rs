//! `quorate-collector ca show|rotate|switch|retire`: another CA, while the nodes stay enrolled. docs/operate.md, "The CA".

use anyhow::bail;
use jiff::Timestamp;
use serde::Serialize;

use super::table::table;
use super::{Place, explain};
use crate::answer::{print, print_json};
use crate::identity::Identities;
use crate::identity::ca::lifetime;
use crate::identity::holders::{Holder, Lost};
use crate::identity::rotation::{CaStanding, KnownCa, RotationError, Stepped};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Show(Show),
    Rotate(Rotate),
    Switch(Switch),
    Retire(Retire),
}

/// Shows the CAs, who is not ready for the next step yet, and what that is
#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    #[command(flatten)]
    place: Place,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Makes a new CA, and tells all agents to trust it too; nothing else changes yet
#[derive(Debug, clap::Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    place: Place,
}

/// Has the new CA sign from now on, also the collector's own certificate; refused while somebody does not trust it yet
#[derive(Debug, clap::Args)]
pub(crate) struct Switch {
    #[command(flatten)]
    place: Place,
    /// Also if somebody does not trust the new CA yet: whoever that is does not know the collector any more
    #[arg(long)]
    force: bool,
}

/// Makes the old CA good for nothing, with all that it signed; refused while somebody speaks with a certificate of it
#[derive(Debug, clap::Args)]
pub(crate) struct Retire {
    #[command(flatten)]
    place: Place,
    /// Also if somebody still has a certificate of the old CA: whoever that is has to join anew
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    let now = Timestamp::now();
    match command {
        Command::Show(args) => show(args, now),
        Command::Rotate(args) => {
            let identities = open(&args.place)?;
            let Stepped { ca, .. } = identities.rotate(now)?;
            let people = sentence_of_people(&identities.holders(now)?, &ca);
            print(format!(
                "The new CA is {}. Agents are told now, and confirm it by themselves; those that are away, when they are back.\n\
                 {people}Next: `quorate-collector ca switch`, when `quorate-collector ca show` names nobody any more.",
                hex(&ca)
            ))
        }
        Command::Switch(args) => {
            let identities = open(&args.place)?;
            let stepped = identities.switch(args.force, now);
            let stepped = stepped.map_err(|error| refused(error, "switch"))?;
            print(format!(
                "{} signs from now on. Agents renew their certificates by themselves within a minute.\n{}{}\
                 When `quorate-collector ca show` names nobody any more, make a backup (no node is known by one from before), and then: \
                 `quorate-collector ca retire`.",
                hex(&stepped.ca),
                sentence_of_tokens(stepped.tokens),
                sentence_of_lost(&stepped.lost)
            ))
        }
        Command::Retire(args) => {
            let identities = open(&args.place)?;
            let stepped = identities.retire(args.force, now);
            let stepped = stepped.map_err(|error| refused(error, "retire"))?;
            print(format!(
                "The old CA is good for nothing any more: only {} is trusted. Its key is removed here; it is still in backups \
                 that were made before.\n{}Make a new backup: one from before knows nothing of this CA.",
                hex(&stepped.ca),
                sentence_of_lost(&stepped.lost)
            ))
        }
    }
}

/// The collector must be able to read the new key.
fn open(place: &Place) -> anyhow::Result<Identities> {
    let config = place.read_as_owner()?;
    Identities::open(&config.state_dir).map_err(explain)
}

/// Names who is in the way, and what to do about each.
fn refused(error: RotationError, step: &str) -> anyhow::Error {
    let RotationError::Lost { lost } = error else {
        return anyhow::Error::new(error);
    };
    anyhow::anyhow!(
        "nothing was done, because this would be lost:\n{}\n\
         `quorate-collector ca {step} --force` goes on without them",
        lines(&lost)
    )
}

fn lines(lost: &[Lost]) -> String {
    let line = |one: &Lost| {
        let name = &one.name;
        let remedy = match one.is_node {
            true => format!(
                "bring it back, or `quorate-collector node revoke {name}` if it is gone for good"
            ),
            false => format!(
                "`quorate-collector operator add {name} --out FILE`, or `operator revoke {name}`"
            ),
        };
        format!("  {one}: {remedy}")
    };
    lost.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn sentence_of_people(holders: &[Holder], ca: &KnownCa) -> String {
    let without = holders
        .iter()
        .filter(|holder| !holder.is_node() && !holder.trusts(ca));
    let names: Vec<&str> = without
        .map(|holder| holder.identity.name().as_str())
        .collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        "People need new files (`quorate-collector operator add NAME --out FILE`), which are good at once: {}.\n",
        names.join(", ")
    )
}

fn sentence_of_tokens(tokens: usize) -> String {
    match tokens {
        0 => String::new(),
        tokens => format!(
            "{tokens} tokens are good for nothing any more, because they name the old CA: make new ones with \
             `quorate-collector token create`. Clusters renew their join files by themselves.\n"
        ),
    }
}

fn sentence_of_lost(lost: &[Lost]) -> String {
    if lost.is_empty() {
        return String::new();
    }
    let lost: Vec<String> = lost.iter().map(|one| format!("  {one}")).collect();
    format!(
        "Lost, until they join anew (`quorate-collector node replace NAME`) or get new files:\n{}\n",
        lost.join("\n")
    )
}

fn hex(ca: &KnownCa) -> String {
    ca.fingerprint
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A CA, as it is shown.
#[derive(Serialize)]
struct Shown {
    fingerprint: String,
    standing: CaStanding,
    since: Timestamp,
    not_before: Timestamp,
    not_after: Timestamp,
    /// Nodes that are known to trust it.
    trusted_by_nodes: usize,
    /// Nodes that speak with a certificate of it.
    nodes_with_certificates: usize,
}

#[derive(Serialize)]
struct Picture {
    cas: Vec<Shown>,
    nodes: usize,
    /// Who is in the way of the next step.
    not_ready: Vec<Lost>,
    next: &'static str,
}

fn show(args: &Show, now: Timestamp) -> anyhow::Result<()> {
    let (_, identities) = args.place.open()?;
    let (cas, holders) = (identities.cas()?, identities.holders(now)?);
    let not_ready = identities.not_ready(now)?;
    let nodes: Vec<&Holder> = holders.iter().filter(|holder| holder.is_node()).collect();
    let shown = cas.iter().map(|ca| shown(ca, &nodes));
    let picture = Picture {
        cas: shown.collect::<anyhow::Result<_>>()?,
        nodes: nodes.len(),
        next: next(&cas, !not_ready.is_empty())?,
        not_ready,
    };
    if args.json {
        return print_json(&picture);
    }
    print(text(picture))
}

fn shown(ca: &KnownCa, nodes: &[&Holder]) -> anyhow::Result<Shown> {
    let (not_before, not_after) = lifetime(&ca.der)?;
    let count = |is: fn(&Holder, &KnownCa) -> bool| nodes.iter().filter(|one| is(one, ca)).count();
    Ok(Shown {
        fingerprint: hex(ca),
        standing: ca.standing,
        since: ca.since,
        not_before,
        not_after,
        trusted_by_nodes: count(Holder::trusts),
        nodes_with_certificates: count(Holder::needs),
    })
}

fn text(picture: Picture) -> String {
    let nodes = picture.nodes;
    let rows: Vec<[String; 6]> = picture
        .cas
        .into_iter()
        .map(|ca| {
            [
                ca.fingerprint,
                word(ca.standing).to_owned(),
                format!("{:.0}", ca.not_before),
                format!("{:.0}", ca.not_after),
                format!("{} of {nodes}", ca.trusted_by_nodes),
                format!("{} of {nodes}", ca.nodes_with_certificates),
            ]
        })
        .collect();
    let heads = ["CA", "STATE", "FROM", "UNTIL", "TRUSTED BY", "CERTIFIES"];
    let mut text = table(heads, &rows);
    if !picture.not_ready.is_empty() {
        text.push_str("\n\nNot ready:\n");
        text.push_str(&lines(&picture.not_ready));
    }
    format!("{text}\n\nNext: {}", picture.next)
}

fn word(standing: CaStanding) -> &'static str {
    match standing {
        CaStanding::Waiting => "trusted, signs nothing but people's files yet",
        CaStanding::Signing => "signs",
        CaStanding::Leaving => "only trusted",
        CaStanding::Retired => "retired",
    }
}

fn next(cas: &[KnownCa], is_waited_for: bool) -> anyhow::Result<&'static str> {
    let is_there = |standing| cas.iter().any(|ca| ca.standing == standing);
    if !is_there(CaStanding::Signing) {
        bail!("no CA signs: identity.db was changed by hand, or is damaged");
    }
    let (waiting, leaving) = (is_there(CaStanding::Waiting), is_there(CaStanding::Leaving));
    Ok(match (waiting, leaving, is_waited_for) {
        (true, _, true) => {
            "see to those who are not ready; `quorate-collector ca switch` is refused until then"
        }
        (true, _, false) => "`quorate-collector ca switch`",
        (false, true, true) => {
            "agents renew their certificates by themselves; `quorate-collector ca retire` is refused until then"
        }
        (false, true, false) => "`quorate-collector ca retire`",
        (false, false, true) => {
            "nothing but to wait: those who are not ready still trust the CA that was retired"
        }
        (false, false, false) => "nothing; `quorate-collector ca rotate` begins to replace the CA",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::Duty;

    /// What is said at each step of a collector that has an operator and no node.
    #[test]
    fn each_step_names_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::now();
        let identities = Identities::init(dir.path(), &[], Duty::Authority, now).unwrap();
        let says = |is_waited_for| next(&identities.cas().unwrap(), is_waited_for).unwrap();
        assert!(says(false).contains("ca rotate"));
        identities.rotate(now).unwrap();
        assert_eq!(says(false), "`quorate-collector ca switch`");
        assert!(says(true).contains("refused"));
        identities.switch(false, now).unwrap();
        assert_eq!(says(false), "`quorate-collector ca retire`");
        assert!(says(true).contains("by themselves"));
        identities.retire(false, now).unwrap();
        assert!(says(false).contains("ca rotate"));
    }
}
