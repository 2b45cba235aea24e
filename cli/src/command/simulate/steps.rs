//! The steps of a simulation, in the order in which they stand on the command line.

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};
use model::name::NodeId;
use model::quorum::config::QuorumConfig;
use model::quorum::event::Event;
use model::quorum::story::BadEvent;

use super::{BadStep, NoAnswer};

/// `("down", "1,2")`, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Steps(Vec<(&'static str, String)>);

/// The flags, what each takes, and what it says in the help.
const FLAGS: &[(&str, Option<&str>, &str)] = &[
    (
        "down",
        Some("IDS"),
        "These nodes are lost together, without a word: power, crash, fence",
    ),
    (
        "leave",
        Some("IDS"),
        "These nodes stop corosync cleanly, one after the other",
    ),
    (
        "up",
        Some("IDS"),
        "These nodes start and join the partition of the lowest running node id",
    ),
    (
        "split",
        Some("IDS/IDS"),
        "The network falls apart into these groups; nodes in none stay together",
    ),
    (
        "join",
        None,
        "The network is whole again: all are in one partition",
    ),
    (
        "qdevice",
        Some("on|off"),
        "The qdevice is reached by everybody, or by nobody",
    ),
    (
        "expected",
        Some("ID=VOTES"),
        "`pvecm expected VOTES` on that node, for its whole partition",
    ),
    (
        "cancel-wait-for-all",
        Some("ID"),
        "wait_for_all is cancelled by hand in the partition of that node",
    ),
];

impl clap::Args for Steps {
    fn augment_args(command: Command) -> Command {
        FLAGS.iter().fold(command, |command, (name, value, help)| {
            let arg = Arg::new(*name)
                .long(*name)
                .help(*help)
                .action(ArgAction::Append);
            let arg = match value {
                Some(value) => arg.value_name(*value),
                None => arg.num_args(0).default_missing_value(""),
            };
            command.arg(arg.help_heading("Steps, taken in the order given"))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Steps {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut placed = Vec::new();
        for (name, _, _) in FLAGS {
            let values = matches.get_many::<String>(name).into_iter().flatten();
            let places = matches.indices_of(name).into_iter().flatten();
            placed.extend(
                places
                    .zip(values)
                    .map(|(place, value)| (place, *name, value.clone())),
            );
        }
        placed.sort();
        Ok(Self(
            placed
                .into_iter()
                .map(|(_, name, value)| (name, value))
                .collect(),
        ))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Steps {
    /// Is each of them a step at all? Names of nodes are looked up later, when the nodes are known.
    pub(super) fn check(&self) -> Result<(), BadStep> {
        for (name, value) in &self.0 {
            event(name, value, |_| Some("1".to_owned())).map_err(|source| BadStep {
                step: typed(name, value),
                source,
            })?;
        }
        Ok(())
    }

    /// The steps as they were typed, and what they are.
    pub(super) fn events(&self, config: &QuorumConfig) -> Result<Vec<(String, Event)>, NoAnswer> {
        let mut events = Vec::new();
        for (name, value) in &self.0 {
            let step = typed(name, value);
            let unknown = std::cell::RefCell::new(None);
            let id_of = |word: &str| {
                let id = id_of(config, word);
                if id.is_none() {
                    unknown.borrow_mut().get_or_insert(word.to_owned());
                }
                id
            };
            let read = event(name, value, id_of);
            if let Some(name) = unknown.take() {
                return Err(NoAnswer::NoSuchName {
                    step,
                    name,
                    known: known(config),
                });
            }
            let event = read.map_err(|source| BadStep {
                step: step.clone(),
                source,
            })?;
            events.push((step, event));
        }
        Ok(events)
    }
}

fn typed(name: &str, value: &str) -> String {
    if value.is_empty() {
        name.to_owned()
    } else {
        format!("{name} {value}")
    }
}

/// Reads one step; words that are no number and no keyword are names, and are looked up.
fn event(
    name: &str,
    value: &str,
    id_of: impl Fn(&str) -> Option<String>,
) -> Result<Event, BadEvent> {
    let id = |word: &str| {
        let word = word.trim();
        let is_name = word.chars().any(char::is_alphabetic);
        if is_name {
            id_of(word).unwrap_or_else(|| word.to_owned())
        } else {
            word.to_owned()
        }
    };
    let ids = |words: &str| words.split(',').map(id).collect::<Vec<_>>().join(",");
    let value = match name {
        "qdevice" => match value {
            "on" | "off" => value.to_owned(),
            _ => {
                return Err(BadEvent::NotOnOrOff {
                    words: value.to_owned(),
                });
            }
        },
        "expected" => {
            let Some((node, votes)) = value.split_once('=') else {
                return Err(BadEvent::NotIdAndVotes {
                    words: value.to_owned(),
                });
            };
            format!("{} {votes}", id(node))
        }
        _ => value.split('/').map(ids).collect::<Vec<_>>().join("/"),
    };
    format!("{name} {value}").parse()
}

fn id_of(config: &QuorumConfig, word: &str) -> Option<String> {
    let named = config.names.iter().find(|(_, name)| name.as_str() == word);
    named.map(|(id, _)| id.to_string())
}

fn known(config: &QuorumConfig) -> String {
    let node = |id: &NodeId| match config.names.get(id) {
        Some(name) => format!("{name} ({id})"),
        None => id.to_string(),
    };
    config.votes.keys().map(node).collect::<Vec<_>>().join(", ")
}
