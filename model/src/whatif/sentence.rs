//! What an outcome is in words: written once, for the terminal, the page and the chat.

use super::mask::Mask;
use super::outcome::Outcome;
use super::part::{Manner, Part};
use super::play::{Doubt, Played, RawCamp};
use super::{Answer, WhatIf};
use crate::fact::ha::Armed;
use crate::name::{NodeName, enumerated};
use crate::topology::{NoStack, Place, SwitchOf};

/// Names that are told one by one.
const MOST_NAMES: usize = 4;
/// Reasons of one kind that are told.
const MOST_REASONS: usize = 8;

impl WhatIf {
    /// `If switch sw-a dies, all eight nodes lose corosync link 0; quorum is kept: 8 of 8 votes, 5 needed.`
    pub(crate) fn sentence(&self, played: &Played) -> String {
        let mut clauses = vec![self.losses(played)];
        clauses.extend(self.quorum(played));
        clauses.extend(self.resets(played));
        clauses.retain(|clause| !clause.is_empty());
        if played.failed.is_empty() {
            return format!("Now {}.", clauses.join("; "));
        }
        format!("If {}, {}.", self.what_fails(played), clauses.join("; "))
    }

    pub(crate) fn what_fails(&self, played: &Played) -> String {
        let words = |(id, manner): &(usize, Manner)| {
            let item = self.graph.items.get(*id)?;
            Some(what_fails(&item.part, &item.label, *manner))
        };
        let words: Vec<String> = played.failed.iter().filter_map(words).collect();
        words.join(" and ")
    }

    fn losses(&self, played: &Played) -> String {
        let mut losses = Vec::new();
        for (index, _) in self.present.links.iter().enumerate() {
            let Some(link) = self.link(index) else {
                continue;
            };
            let (lost, perhaps) = (
                self.losing(played, index, false),
                self.losing(played, index, true),
            );
            if !lost.is_empty() {
                let verb = if lost.len() == 1 { "loses" } else { "lose" };
                losses.push(format!("{} {verb} corosync link {link}", self.who(&lost)));
            }
            if !perhaps.is_empty() {
                losses.push(format!(
                    "{} may lose corosync link {link}",
                    self.who(&perhaps)
                ));
            }
        }
        losses.join(", ")
    }

    fn quorum(&self, played: &Played) -> Vec<String> {
        let kept = played
            .camps
            .iter()
            .find(|camp| camp.vote.quorate == Answer::Yes);
        let mut clauses = Vec::new();
        let largest = played.camps.iter().max_by_key(|camp| camp.vote.votes);
        let verb = if played.failed.is_empty() {
            "is there"
        } else {
            "is kept"
        };
        match (kept, largest) {
            (Some(camp), _) => {
                clauses.push(format!("quorum {verb}: {}", numbers(camp)));
            }
            (None, Some(camp)) if played.camps.iter().all(|it| it.vote.quorate == Answer::No) => {
                let had = played
                    .camps
                    .iter()
                    .any(|camp| camp.had_quorum == Some(true));
                let lost = if had && !played.failed.is_empty() {
                    "quorum is lost everywhere"
                } else {
                    "there is no quorum"
                };
                clauses.push(if played.camps.len() == 1 {
                    format!("{lost}: {}", numbers(camp))
                } else {
                    format!(
                        "{lost}: the largest of {} parts has {}",
                        played.camps.len(),
                        numbers(camp)
                    )
                });
            }
            (None, Some(camp)) => {
                let doubtful = played
                    .camps
                    .iter()
                    .find(|it| it.vote.quorate == Answer::Unknown);
                let reason = self.reason(doubtful.unwrap_or(camp));
                clauses.push(format!("whether quorum {verb} is not known: {reason}"));
            }
            (None, None) => clauses.push("no node is left".to_owned()),
        }
        if kept.is_some() {
            for camp in &played.camps {
                let who = self.who(&camp.nodes);
                let be = if camp.nodes.len() == 1 { "is" } else { "are" };
                let parted = camp.vote.quorate;
                match parted {
                    Answer::No => clauses.push(format!("{who} {be} without it: {}", numbers(camp))),
                    Answer::Unknown => {
                        clauses.push(format!("whether {who} {be} with them is not known"));
                    }
                    Answer::Yes => {}
                }
            }
        }
        clauses
    }

    fn resets(&self, played: &Played) -> Vec<String> {
        let mut clauses = Vec::new();
        let lose = |wanted: Answer| {
            let camps = played.camps.iter().filter(move |camp| {
                camp.is_changed && camp.had_quorum != Some(false) && camp.vote.quorate == wanted
            });
            camps.fold(Mask::default(), |all, camp| all.or(&camp.nodes))
        };
        let with = |of: Mask, wanted: fn(Armed) -> bool| {
            let armed = |node: &usize| self.present.armed.get(*node).is_some_and(|it| wanted(*it));
            Mask::of(of.iter().filter(armed))
        };
        let soon = format!(
            "as soon as {} s after corosync reports the loss",
            self.fences_after_s()
        );
        let (sure, doubtful) = (
            with(lose(Answer::No), |armed| armed == Armed::Yes),
            with(lose(Answer::No), |armed| armed == Armed::Unknown)
                .or(&with(lose(Answer::Unknown), |armed| armed != Armed::No)),
        );
        if !sure.is_empty() {
            let (verb, whom) = if sure.len() == 1 {
                ("resets", "itself")
            } else {
                ("reset", "themselves")
            };
            clauses.push(format!("{} {verb} {whom} {soon}", self.who(&sure)));
        }
        if !doubtful.is_empty() {
            let whom = if doubtful.len() == 1 {
                "itself"
            } else {
                "themselves"
            };
            clauses.push(format!("{} may reset {whom} {soon}", self.who(&doubtful)));
        }
        if let Some(slow) = self.reforming(played).filter(|it| it.is_dangerous) {
            let armed = with(lose(Answer::Yes), |armed| armed != Armed::No);
            if !armed.is_empty() {
                clauses.push(format!(
                    "forming anew takes {}, so that {} may fence although quorum is kept",
                    seconds(slow.ms),
                    self.who(&armed)
                ));
            }
        }
        clauses
    }

    /// `all eight nodes`, `pve-01 and pve-02`, `five nodes (pve-01, …)`.
    pub(super) fn who(&self, nodes: &Mask) -> String {
        let all = self.present.memberships.iter();
        let all = all.fold(Mask::default(), |all, it| all.or(&it.members));
        let names: Vec<&NodeName> = nodes.iter().filter_map(|place| self.name(place)).collect();
        let many = names.len();
        match names.as_slice() {
            [] => "nobody".to_owned(),
            _ if *nodes == all && many > 2 => format!("all {} nodes", number(many)),
            [first, .., last] if many > MOST_NAMES => {
                format!("{} nodes ({first} to {last})", number(many))
            }
            _ => enumerated(names),
        }
    }

    /// What decides a camp: the quorum machine's words, or why it cannot be asked.
    pub(super) fn reason(&self, camp: &RawCamp) -> String {
        match camp.doubt {
            None => camp.vote.reason.to_string(),
            Some(Doubt::NoClique) => format!(
                "not all of {} reach each other, and corosync passes nothing on, so that nobody can tell which of them \
                 stay together",
                self.who(&camp.nodes)
            ),
            Some(Doubt::WhoReachesWhom) => {
                format!(
                    "whom {} would still reach is not known",
                    self.who(&camp.nodes)
                )
            }
            Some(Doubt::Qdevice) => {
                "it hangs on the qdevice's votes, and whether those stay is not known".to_owned()
            }
        }
    }

    pub(super) fn trace(&self, played: &Played, outcome: &Outcome) -> Vec<String> {
        let mut trace = Vec::new();
        for (id, manner) in &played.failed {
            trace.extend(self.what_it_carries(*id, *manner));
        }
        for loss in &outcome.networks {
            let mask = Mask::of(
                loss.nodes
                    .iter()
                    .filter_map(|name| self.present.place(name)),
            );
            if !mask.is_empty() {
                let have = if mask.len() == 1 { "has" } else { "have" };
                trace.push(format!(
                    "{} {have} no way left over corosync link {}.",
                    self.who(&mask),
                    loss.link
                ));
            }
        }
        for camp in &played.camps {
            let decided = match camp.vote.quorate {
                Answer::Yes => "quorate",
                Answer::No => "not quorate",
                Answer::Unknown => "not certain",
            };
            let be = if camp.nodes.len() == 1 { "is" } else { "are" };
            trace.push(format!(
                "{} {be} {decided}: {}.",
                self.who(&camp.nodes),
                self.reason(camp)
            ));
        }
        if let Some(it) = outcome.reforming {
            let mut words = format!(
                "Until the cluster has formed anew nobody can write to /etc/pve: {} (token and consensus).",
                seconds(it.ms)
            );
            if it.twice_outlasts_the_watchdog {
                words.push_str(" Two losses in a row outlast the watchdog's 60 s.");
            }
            trace.push(words);
        }
        if let Some(Place::Node(node)) = &self.collector
            && outcome.gone.contains(node)
        {
            trace.push(format!(
                "The collector runs on {node} and goes with it: nobody watches then."
            ));
        }
        if let Some(Place::Node(node)) = &self.qdevice
            && outcome.gone.contains(node)
        {
            trace.push(format!(
                "The qdevice runs on {node} and goes with it, and so do its votes."
            ));
        }
        trace
    }

    fn what_it_carries(&self, id: usize, manner: Manner) -> Option<String> {
        let item = self.graph.items.get(id)?;
        let Part::Switch(switch) = &item.part else {
            let waits = matches!(item.part, Part::Iface(..)) && manner == Manner::Mute;
            return waits.then(|| {
                format!(
                    "{} keeps its carrier: a bond misses it after 3 s if it speaks LACP with the fast rate, after 90 s \
                     with the slow one, and never in other modes.",
                    item.part
                )
            });
        };
        let ports = self
            .topology
            .switches
            .iter()
            .find(|(id, _)| id.0 == *switch)?;
        let ports = &ports.1.ports;
        let first = ports.iter().next()?;
        Some(match ports.len() {
            1 => format!("Switch {} carries {}/{}.", item.label, first.0, first.1),
            many => format!(
                "Switch {} carries {}/{} and {} more.",
                item.label,
                first.0,
                first.1,
                counted(many - 1, "port")
            ),
        })
    }

    pub(super) fn unknowns(&self, played: &Played) -> Vec<String> {
        let mut unknown = Vec::new();
        let is_open = played
            .camps
            .iter()
            .any(|camp| camp.vote.quorate == Answer::Unknown);
        let is_struck = played.struck.unknown.iter().any(|mask| !mask.is_empty());
        if is_struck {
            unknown.extend(self.unknown_stacks());
            unknown.extend(self.unknown_switches());
        }
        if is_open
            && played
                .camps
                .iter()
                .any(|camp| camp.doubt == Some(Doubt::NoClique))
        {
            unknown.push(
                "What totem makes of nodes that do not all reach each other cannot be foretold; mend the link that is \
                 down between them first (`corosync-cfgtool -n` shows it)."
                    .to_owned(),
            );
        }
        if played
            .camps
            .iter()
            .any(|camp| camp.doubt == Some(Doubt::Qdevice))
            && self.qdevice.is_none()
        {
            unknown.push(
                "Where the qdevice runs is not known, so that its votes carry nothing; declare it as [[dependency]] in \
                 collector.toml, with the node or the guest that it runs on, or \"external\"."
                    .to_owned(),
            );
        }
        unknown
    }

    fn unknown_stacks(&self) -> impl Iterator<Item = String> {
        let why = |stack: &Result<_, NoStack>| {
            stack
                .as_ref()
                .err()
                .map(|why| format!("{}.", capital(&why.to_string())))
        };
        self.topology
            .stacks
            .values()
            .filter_map(why)
            .take(MOST_REASONS)
    }

    fn unknown_switches(&self) -> Option<String> {
        let used: std::collections::BTreeSet<_> = self
            .topology
            .stacks
            .iter()
            .filter_map(|((node, _), stack)| Some((node, stack.as_ref().ok()?)))
            .flat_map(|(node, stack)| stack.ports.iter().map(move |port| (node, port)))
            .filter(|(node, port)| {
                !matches!(self.topology.switch_of(node, port), SwitchOf::Known(_))
            })
            .collect();
        let (node, port) = used.first()?;
        let many = used.len();
        let system = used
            .iter()
            .any(|(node, port)| !matches!(self.topology.switch_of(node, port), SwitchOf::Unknown));
        let lacp = if system {
            " LACP alone does not tell the two switches of a pair apart."
        } else {
            ""
        };
        Some(format!(
            "The switch of {} ({node}/{port}{}) is not known.{lacp} Install lldpd on the nodes, or declare the ports as \
             [[switch]] in collector.toml.",
            counted(many, "port"),
            if many > 1 { ", …" } else { "" }
        ))
    }
}

fn what_fails(part: &Part, label: &str, manner: Manner) -> String {
    let mute = manner == Manner::Mute;
    match part {
        Part::Node(node) => format!("node {node} fails"),
        Part::Iface(node, iface) if mute => {
            format!("{iface} of {node} passes nothing though its carrier stays")
        }
        Part::Iface(node, iface) => format!("{iface} of {node} fails"),
        Part::Switch(_) if mute => {
            format!("switch {label} passes nothing though the carriers stay")
        }
        Part::Switch(_) => format!("switch {label} dies"),
        Part::System(id) => format!("all switches of LACP system {id} die"),
        Part::UnknownSwitches => "the switches that are not known are one and it dies".to_owned(),
        Part::Vlan(id) => format!("VLAN {id} is gone"),
        Part::Network(link) => format!("corosync network {link} is gone"),
        Part::Qdevice => "the qdevice is gone".to_owned(),
    }
}

fn numbers(camp: &RawCamp) -> String {
    let vote = &camp.vote;
    let plain = format!(
        "{} of {} votes; {} ",
        vote.votes, vote.expected, vote.needed
    );
    if vote.reason.starts_with(&plain) && !vote.reason.contains("; but") {
        format!(
            "{} of {} votes, {} needed",
            vote.votes, vote.expected, vote.needed
        )
    } else {
        vote.reason.replace("; ", ", ")
    }
}

fn number(many: usize) -> String {
    const WORDS: [&str; 13] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    WORDS
        .get(many)
        .map_or_else(|| many.to_string(), |word| (*word).to_owned())
}

fn counted(many: usize, what: &str) -> String {
    let s = if many == 1 { "" } else { "s" };
    format!("{} {what}{s}", number(many))
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    // Names of nodes and interfaces keep their spelling.
    match first {
        Some(first) if text.starts_with("no ") => format!("{first}{}", letters.as_str()),
        _ => text.to_owned(),
    }
}
