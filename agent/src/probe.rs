//! What a collector may ask of this node: a closed list, read-only, one question at a time and each kind only so often.
//! A collector that asks for anything else, or too much, gets a sentence.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::fact::ceph::DaemonKind;
use model::parse::ceph;
use model::reading::Reading;
use proto::v1;
use serde::Serialize;
use tokio::task::spawn_blocking;

use crate::host::{CephSaid, Host, Patience, said};
use crate::source;

/// How often each kind of question is answered.
const MAX_OF_A_KIND: usize = 6;
const IN: Duration = Duration::from_secs(60);
/// How many daemons may be asked about at once.
const MAX_IDS: usize = 64;
const MAX_ID_BYTES: usize = 64;
/// Without monitors in quorum the tool waits five minutes unless it is told otherwise.
const CONNECT_TIMEOUT_S: &str = "3";

/// Why a question is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Unanswered {
    #[error(
        "this agent does not know the question; it answers pvecm status, running tasks and ceph ok-to-stop"
    )]
    Unknown,
    #[error("asked {MAX_OF_A_KIND} times in {} s; ask again later", IN.as_secs())]
    TooOften,
    #[error("name 1 to {MAX_IDS} daemons")]
    HowMany,
    #[error("{id:?} is not the name or number of a daemon")]
    Id { id: String },
    #[error("there is none of it on this node")]
    Absent,
    #[error("ceph is not set up on this node")]
    NoCeph,
    #[error("the monitors do not name {id:?}, and ceph says yes for any name")]
    NoSuchDaemon { id: String },
    #[error("ceph says yes, and ends with an error")]
    Contradicts,
    #[error("{why}")]
    Failed { why: String },
}

/// A kind of question. One verdict on a node with Ceph takes one of monitors, one of OSDs and one of MDS.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    PvecmStatus,
    RunningTasks,
    CephOkToStop(DaemonKind),
}

/// Answers for all collectors together; shared by its clones.
#[derive(Debug, Clone)]
pub(crate) struct Prober {
    patience: Patience,
    /// One at a time.
    turn: Arc<tokio::sync::Mutex<()>>,
    asked: Arc<Mutex<Asked>>,
}

impl Prober {
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            patience,
            turn: Arc::default(),
            asked: Arc::default(),
        }
    }

    pub(crate) async fn answer(&self, probe: v1::Probe) -> v1::ProbeAnswer {
        let id = probe.id;
        let answer = match self.found(probe).await {
            Ok(json) => v1::probe_answer::Answer::Json(json),
            Err(why) => v1::probe_answer::Answer::Failed(why.to_string()),
        };
        v1::ProbeAnswer {
            id,
            answer: Some(answer),
        }
    }

    async fn found(&self, probe: v1::Probe) -> Result<String, Unanswered> {
        let question = probe.question.ok_or(Unanswered::Unknown)?;
        let checked = Question::checked(question)?;
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .may(checked.kind(), Instant::now())?;
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let patience = self.patience.clone();
        let asked = spawn_blocking(move || {
            let found = checked.ask(&Host::live(&patience));
            drop(turn);
            found
        });
        asked.await.unwrap_or_else(|error| {
            Err(Unanswered::Failed {
                why: error.to_string(),
            })
        })
    }
}

/// When each kind was asked last.
#[derive(Debug, Default)]
struct Asked {
    times: VecDeque<(Kind, Instant)>,
}

impl Asked {
    fn may(&mut self, kind: Kind, now: Instant) -> Result<(), Unanswered> {
        self.times
            .retain(|(_, at)| now.saturating_duration_since(*at) < IN);
        if self.times.iter().filter(|(of, _)| of == &kind).count() >= MAX_OF_A_KIND {
            return Err(Unanswered::TooOften);
        }
        self.times.push_back((kind, now));
        Ok(())
    }
}

/// A question whose arguments are known to be harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Question {
    PvecmStatus,
    RunningTasks,
    CephOkToStop { what: DaemonKind, ids: Vec<String> },
}

impl Question {
    fn checked(question: v1::probe::Question) -> Result<Self, Unanswered> {
        let ceph = match question {
            v1::probe::Question::PvecmStatus(_) => return Ok(Self::PvecmStatus),
            v1::probe::Question::RunningTasks(_) => return Ok(Self::RunningTasks),
            v1::probe::Question::CephOkToStop(ceph) => ceph,
        };
        let what = match ceph.kind() {
            v1::ceph_ok_to_stop::Kind::Mon => DaemonKind::Mon,
            v1::ceph_ok_to_stop::Kind::Osd => DaemonKind::Osd,
            v1::ceph_ok_to_stop::Kind::Mds => DaemonKind::Mds,
            v1::ceph_ok_to_stop::Kind::Unspecified => return Err(Unanswered::Unknown),
        };
        let ids = ceph.ids;
        if ids.is_empty() || ids.len() > MAX_IDS {
            return Err(Unanswered::HowMany);
        }
        let is_id = |id: &String| match what {
            DaemonKind::Osd => id.len() <= 9 && id.bytes().all(|byte| byte.is_ascii_digit()),
            _ => is_name(id),
        };
        match ids.iter().find(|id| id.is_empty() || !is_id(id)) {
            Some(id) => Err(Unanswered::Id { id: id.clone() }),
            None => Ok(Self::CephOkToStop { what, ids }),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::PvecmStatus => Kind::PvecmStatus,
            Self::RunningTasks => Kind::RunningTasks,
            Self::CephOkToStop { what, .. } => Kind::CephOkToStop(what.clone()),
        }
    }

    fn ask(self, host: &Host) -> Result<String, Unanswered> {
        match self {
            Self::PvecmStatus => known(source::pvecm_status(host)),
            Self::RunningTasks => known(source::running_tasks(host)),
            Self::CephOkToStop { what, ids } => ok_to_stop(host, what, &ids),
        }
    }
}

/// It never begins like an option, and holds nothing but what daemons are called with.
fn is_name(id: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    id.len() <= MAX_ID_BYTES
        && id
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric())
        && id.bytes().all(is_usual)
}

fn known<T: Serialize>(reading: Reading<T>) -> Result<String, Unanswered> {
    match reading {
        Reading::Known { value, .. } => to_json(&value),
        Reading::Failed { why } => Err(Unanswered::Failed { why }),
        Reading::Absent | Reading::NeverHeard => Err(Unanswered::Absent),
    }
}

fn to_json<T: Serialize>(value: &T) -> Result<String, Unanswered> {
    serde_json::to_string(value).map_err(|error| Unanswered::Failed {
        why: error.to_string(),
    })
}

/// ceph says yes even for daemons that it does not know: they are looked up first.
fn ok_to_stop(host: &Host, what: DaemonKind, ids: &[String]) -> Result<String, Unanswered> {
    if !source::is_ceph_set_up(host) {
        return Err(Unanswered::NoCeph);
    }
    let known = known_to_ceph(host, &what)?;
    if let Some(id) = ids.iter().find(|id| !known.contains(id)) {
        return Err(Unanswered::NoSuchDaemon { id: id.clone() });
    }
    let word = match what {
        DaemonKind::Mon => "mon",
        DaemonKind::Osd => "osd",
        _ => "mds",
    };
    let mut args = vec![word, "ok-to-stop"];
    args.extend(ids.iter().map(String::as_str));
    let said = ceph(host, &args)?;
    // Which daemons it speaks of is left to its own words: a yes that names none is not one for those asked about.
    let parsed = ceph::ok_to_stop::parse(Some(what), &[], &said.text);
    let answer = parsed.map_err(|error| failed(&error))?.value;
    // Its own yes, and an exit code that says something else: one of them is wrong.
    if answer.ok == Some(true) && !said.is_success {
        return Err(Unanswered::Contradicts);
    }
    to_json(&answer)
}

/// All daemons of a kind that the monitors name.
fn known_to_ceph(host: &Host, what: &DaemonKind) -> Result<Vec<String>, Unanswered> {
    let args: &[&str] = match what {
        // A monitor that never joined has no host, and a place in the map all the same.
        DaemonKind::Mon => &["quorum_status", "-f", "json"],
        _ => &["node", "ls", "-f", "json"],
    };
    let said = ceph(host, args)?;
    let parsed = ceph::parse(&said.text).map_err(|error| failed(&error))?;
    if *what == DaemonKind::Mon {
        let mons = parsed.value.quorum.unwrap_or_default().monmap;
        let names = mons.into_iter().flatten().filter_map(|mon| mon.name);
        return Ok(names.collect());
    }
    let daemons = parsed.value.daemons.into_iter().flatten();
    let of_kind = daemons.filter(|daemon| daemon.kind == *what);
    Ok(of_kind.map(|daemon| daemon.id).collect())
}

fn ceph(host: &Host, args: &[&str]) -> Result<CephSaid, Unanswered> {
    let before = ["--connect-timeout", CONNECT_TIMEOUT_S];
    let args = before.iter().chain(args).map(|arg| (*arg).to_owned());
    let answer = host.ask_ceph(&args.collect::<Vec<String>>());
    answer
        .map_err(|error| failed(&error))?
        .ok_or(Unanswered::NoCeph)
}

fn failed(error: &dyn std::error::Error) -> Unanswered {
    Unanswered::Failed { why: said(error) }
}

#[cfg(test)]
mod tests;
