//! Plays one case on both sides and compares what every node says after every act.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use model::parse::corosync_conf;
use model::quorum::cluster::Cluster;
use model::quorum::config::QuorumConfig;
use model::quorum::event::{Event, QdeviceState};

use super::draw::{Act, Case};
use super::explain::{Explanation, Record, explain};
use super::table::{PAUSE, Table, ids};
use super::vqsim::{Unchanged, Vqsim};

/// The drawn last man standing window is 100 ms.
const PAUSE_LAST_MAN: Duration = Duration::from_millis(600);

/// corosync's nodes count for the last time when a barrier says that all have heard all. The simulator has no such
/// barrier: its nodes count for the last time when they have spoken, whatever they have heard by then. Forming the
/// same memberships once more (a qdevice command for no node does that and nothing else) makes up for it.
const SYNC_ALL: &str = "qdevice off";

pub(crate) enum Outcome {
    Agreed {
        acts: usize,
        answers: usize,
        /// Another than the likeliest order of messages had to be looked for.
        other_order: bool,
    },
    RefusedByBoth,
    Disagreed(Disagreement),
}

/// Where the two sides part.
#[derive(Debug, Clone)]
pub(crate) struct Disagreement {
    pub(crate) case: Case,
    /// How many acts had been played; 0 is the start.
    after: usize,
    what: String,
}

/// Plays the case in the simulator and in the model.
pub(crate) fn play(case: &Case) -> Result<Outcome> {
    let text = case.corosync_conf();
    let conf = corosync_conf::parse(&text).context("the drawn corosync.conf cannot be read")?;
    if let Some(bad) = conf.bad_lines.first() {
        bail!("the drawn corosync.conf cannot be read: {bad}");
    }
    let disagreed = |after, what| {
        Ok(Outcome::Disagreed(Disagreement {
            case: case.clone(),
            after,
            what,
        }))
    };
    let config = QuorumConfig::new(&conf.value);
    let pause = match &config {
        Ok(config) if config.last_man_standing => PAUSE_LAST_MAN,
        _ => PAUSE,
    };
    let mut vqsim = Vqsim::start(&text)?;
    let begun = vqsim.settled(case.nodes.len(), &Unchanged::default(), pause);
    let config = match (config, &vqsim.refused) {
        (Err(_), Some(_)) => return Ok(Outcome::RefusedByBoth),
        (Err(refusal), None) => {
            return disagreed(
                0,
                format!("the model refuses ({refusal}), corosync does not"),
            );
        }
        (Ok(_), Some(refused)) => {
            return disagreed(
                0,
                format!("corosync refuses ({refused}), the model does not"),
            );
        }
        (Ok(config), None) => config,
    };
    begun?;
    let records = record(case, &mut vqsim, pause)?;
    let answers = records.iter().map(|record| record.answers.len()).sum();
    // The simulator starts without a qdevice.
    let start = Cluster::started(config, QdeviceState::Away);
    let agreed = |other_order| Outcome::Agreed {
        acts: case.acts.len(),
        answers,
        other_order,
    };
    match explain(&start, &records) {
        Explanation::Plain => Ok(agreed(false)),
        Explanation::OtherOrder => Ok(agreed(true)),
        Explanation::None { after, what } => disagreed(after, what),
    }
}

/// Plays the acts in the simulator, and writes down what every node answers.
fn record(case: &Case, vqsim: &mut Vqsim, pause: Duration) -> Result<Vec<Record>> {
    let mut table = Table::new(case);
    vqsim.command(SYNC_ALL)?;
    let mut last = vqsim.settled(table.running.len(), &Unchanged::default(), pause)?;
    let mut records = vec![Record {
        after: 0,
        qdevice: None,
        events: table.all_form(),
        answers: last.clone(),
    }];
    for (index, act) in case.acts.iter().enumerate() {
        for step in table.steps(act) {
            vqsim.command(&step.command)?;
            let unchanged = Unchanged::new(&last, &step.new_ring);
            vqsim.settled(table.running.len(), &unchanged, step.pause.max(pause))?;
            vqsim.command(SYNC_ALL)?;
            last = vqsim.settled(table.running.len(), &Unchanged::default(), pause)?;
            records.push(Record {
                after: index + 1,
                qdevice: step.qdevice,
                events: step.events.into_iter().chain(table.all_form()).collect(),
                answers: last.clone(),
            });
        }
    }
    Ok(records)
}

/// Leaves acts out as long as the two sides still disagree. A story that agrees when it is played again is kept
/// whole: it says that one of the two sides is not settled.
pub(crate) fn shrink(found: &Disagreement) -> Disagreement {
    let mut smallest = found.clone();
    smallest.case.acts.truncate(found.after);
    let mut index = 0;
    while index < smallest.case.acts.len() {
        let mut smaller = smallest.case.clone();
        smaller.acts.remove(index);
        match play(&smaller) {
            Ok(Outcome::Disagreed(disagreement)) => smallest = disagreement,
            _ => index += 1,
        }
    }
    smallest
}

impl Case {
    /// As a scenario for model/testdata/quorum: `UPDATE_EXPECT=1` fills in what the model answers.
    pub(crate) fn as_scenario(&self) -> String {
        let conf = self.corosync_conf();
        let mut text = format!("conf\n{conf}----\n\nstart without qdevice\n----\n");
        for act in &self.acts {
            text.push_str(&format!("\n{act}\n----\n"));
        }
        text
    }
}

impl Disagreement {
    pub(crate) fn as_scenario(&self) -> String {
        format!("# {self}\n\n{}", self.case.as_scenario())
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down(id) => write!(f, "down {id}"),
            Self::Up(id) => write!(f, "up {id}"),
            Self::Split(groups) => {
                let groups = groups
                    .iter()
                    .map(|group| ids(group.iter().copied()))
                    .collect();
                Event::Split(groups).fmt(f)
            }
            Self::Join => f.write_str("join"),
            Self::Qdevice(on) => write!(f, "qdevice {}", if *on { "on" } else { "off" }),
        }
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self
            .after
            .checked_sub(1)
            .and_then(|last| self.case.acts.get(last))
        {
            None => write!(f, "at the start: {}", self.what),
            Some(act) => write!(f, "after act {} ({act}): {}", self.after, self.what),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agreed {
                acts,
                answers,
                other_order,
            } => {
                let order = if *other_order {
                    ", not in the likeliest order"
                } else {
                    ""
                };
                write!(
                    f,
                    "agrees: {acts} acts, {answers} answers of nodes compared{order}"
                )
            }
            Self::RefusedByBoth => f.write_str("agrees: both refuse the configuration"),
            Self::Disagreed(disagreement) => disagreement.fmt(f),
        }
    }
}
