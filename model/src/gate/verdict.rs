//! The answer, with every reason for it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Request, ceph, ha, leases, members, returning, tasks, votes};
use crate::finding::Thing;
use crate::name::NodeName;

/// So long it may be acted on.
pub const VALID_MS: u32 = 30_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Answer {
    #[serde(rename = "GO")]
    Go,
    #[serde(rename = "WARN")]
    Warn,
    #[serde(rename = "UNKNOWN")]
    Unknown,
    #[serde(rename = "NO-GO")]
    NoGo,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Go => "GO",
            Self::Warn => "WARN",
            Self::Unknown => "UNKNOWN",
            Self::NoGo => "NO-GO",
        })
    }
}

/// What a reason does to the answer, the lightest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// What every such action does on a healthy cluster.
    Note,
    /// Worse than usual.
    Warning,
    /// Needed evidence is not there.
    Missing,
    Blocker,
}

/// Makes of one table the kinds and their names.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)+) => {
        /// The closed list of what can be said; its names are a contract with those who read the JSON.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)+
        }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

kinds! {
    Observer = "observer",
    AuthorityUnsettled = "authority",
    NothingKnown = "nothing-known",
    LastAnswer = "last-answer",
    LeasesUnknown = "leases-unknown",
    LeaseHeld = "lease-held",
    LeaseWithdrawn = "lease-withdrawn",
    LeaseOwn = "lease-own",
    NotBack = "not-back",
    NotRecorded = "not-recorded",
    NoSuchNode = "no-such-node",
    TargetSilent = "target-silent",
    VotesUnknown = "votes-unknown",
    VotesUnconfirmed = "votes-unconfirmed",
    VotesShort = "votes-short",
    QuorumLostForSome = "quorum-lost-for-some",
    Votes = "votes",
    NoMargin = "no-margin",
    OneMore = "one-more",
    Reforming = "reforming",
    PathsGone = "paths-gone",
    MayBeMute = "may-be-mute",
    NodeDown = "node-down",
    NodeGoing = "node-going",
    NodeComing = "node-coming",
    PowerUnknown = "power-unknown",
    AgentSilent = "agent-silent",
    AgentsSilent = "agents-silent",
    WouldNotReturn = "would-not-return",
    ReturnUnknown = "return-unknown",
    TaskRuns = "task-runs",
    TaskElsewhere = "task-elsewhere",
    TasksUnknown = "tasks-unknown",
    GuestHeld = "guest-held",
    ServiceStuck = "service-stuck",
    /// Of the services that leave.
    FitsNowhere = "fits-nowhere",
    ServiceMoves = "service-moves",
    WatchdogArmed = "watchdog-armed",
    HaUnknown = "ha-unknown",
    CephNotAsked = "ceph-not-asked",
    /// It was asked, and what came back does not count.
    CephNoAnswer = "ceph-no-answer",
    CephNotOk = "ceph-not-ok",
    CephOk = "ceph-ok",
    CephHealth = "ceph-health",
    CephManager = "ceph-manager",
    CollectorHere = "collector-here",
    CollectorPlaceUnknown = "collector-place-unknown",
    QdeviceHere = "qdevice-here",
    Redundancy = "redundancy",
    ReadingMissing = "reading-missing",
    /// It was asked of the node's own agent.
    OwnWordAlone = "own-word-alone",
    GuestsStop = "guests-stop",
    NoBackupSeen = "no-backup-seen",
    /// Of what somebody wants to accept.
    NotAcceptable = "not-acceptable",
}

/// A reading that a reason rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    pub node: NodeName,
    /// Its key in `quorate-agent snapshot --json`.
    pub family: &'static str,
    pub words: String,
    /// On the collector's own clock.
    pub age_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    pub kind: Kind,
    pub weight: Weight,
    pub subject: Thing,
    /// The rule that found it, where one did; its page is `docs/rules/RULE.md`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
    /// Finished, with its numbers.
    pub sentence: String,
    pub evidence: Vec<Seen>,
    /// What to do; empty for what needs nothing done.
    pub remedy: String,
    /// How to undo that; empty where it changes nothing.
    pub way_back: String,
}

impl Reason {
    fn new(weight: Weight, kind: Kind, subject: Thing, sentence: String) -> Self {
        Self {
            kind,
            weight,
            subject,
            rule: None,
            sentence,
            evidence: Vec::new(),
            remedy: String::new(),
            way_back: String::new(),
        }
    }

    pub(super) fn note(kind: Kind, subject: Thing, sentence: String) -> Self {
        Self::new(Weight::Note, kind, subject, sentence)
    }

    pub(super) fn warning(kind: Kind, subject: Thing, sentence: String) -> Self {
        Self::new(Weight::Warning, kind, subject, sentence)
    }

    pub(super) fn missing(kind: Kind, subject: Thing, sentence: String) -> Self {
        Self::new(Weight::Missing, kind, subject, sentence)
    }

    pub(super) fn blocker(kind: Kind, subject: Thing, sentence: String) -> Self {
        Self::new(Weight::Blocker, kind, subject, sentence)
    }

    /// What it is about: the same reason has the same key, whatever its numbers are.
    pub fn key(&self) -> (Kind, Thing) {
        (self.kind, self.subject.clone())
    }

    /// Whether it forbids it for what the other nodes do, whatever becomes of those asked about. Ceph's no is none of these: it
    /// is of the moment at which somebody asked, and once the daemons are on their way down it says no because of them. Who
    /// holds the lease asks again before he begins (`guard` does), and Ceph with him.
    pub fn is_about_others(&self, request: &Request) -> bool {
        let is_theirs = matches!(&self.subject, Thing::Node(node) if request.nodes.contains(node));
        let can_be = matches!(
            self.kind,
            Kind::VotesShort
                | Kind::QuorumLostForSome
                | Kind::NodeDown
                | Kind::NodeGoing
                | Kind::NodeComing
        );
        self.weight == Weight::Blocker && can_be && !is_theirs
    }

    pub(super) fn remedy(mut self, what_to_do: impl Into<String>) -> Self {
        self.remedy = what_to_do.into();
        self
    }

    pub(super) fn way_back(mut self, how: impl Into<String>) -> Self {
        self.way_back = how.into();
        self
    }

    pub(super) fn found_by(mut self, rule: &'static str) -> Self {
        self.rule = Some(rule);
        self
    }

    pub(super) fn seen(mut self, seen: impl IntoIterator<Item = Seen>) -> Self {
        self.evidence.extend(seen);
        self
    }
}

/// All that a GO needs. Each part is made by its own ground alone, from fresh readings, and is given away for this.
#[derive(Debug)]
pub(super) struct Evidence {
    votes: votes::Enough,
}

impl Evidence {
    pub(super) fn of(
        votes: votes::Enough,
        _: members::AllThere,
        _: returning::ComesBack,
        _: tasks::NothingRuns,
        _: ha::NothingStuck,
        _: ceph::MayStop,
        _: leases::NobodyElse,
    ) -> Self {
        Self { votes }
    }
}

/// All that a WARN needs where a node is judged by its own word. There is no GO from it.
#[derive(Debug)]
pub(super) struct OwnWord {
    votes: votes::Enough,
}

impl OwnWord {
    pub(super) fn of(
        votes: votes::Enough,
        _: members::AllMembers,
        _: returning::ComesBack,
        _: tasks::NothingRuns,
        _: ha::NothingStuck,
        _: ceph::MayStop,
    ) -> Self {
        Self { votes }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// By which it can be judged again; empty where it is not kept.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    pub answer: Answer,
    /// `GO - pve-03 may be rebooted: …`
    pub sentence: String,
    /// The heaviest first.
    pub reasons: Vec<Reason>,
    pub valid_ms: u32,
}

impl Verdict {
    pub(super) fn of(request: &Request, evidence: Option<&Evidence>, reasons: Vec<Reason>) -> Self {
        Self::weighed(request, evidence.map(|evidence| &evidence.votes), reasons)
    }

    /// Never better than WARN: whose word it is, is a warning by itself.
    pub(super) fn of_own_word(
        request: &Request,
        evidence: Option<&OwnWord>,
        whose: Reason,
        mut reasons: Vec<Reason>,
    ) -> Self {
        reasons.push(Reason {
            weight: Weight::Warning,
            ..whose
        });
        Self::weighed(request, evidence.map(|evidence| &evidence.votes), reasons)
    }

    /// `votes`: those of complete evidence.
    fn weighed(request: &Request, votes: Option<&votes::Enough>, mut reasons: Vec<Reason>) -> Self {
        reasons.sort_by_key(|reason| (std::cmp::Reverse(reason.weight), reason.kind));
        let heaviest = reasons.iter().map(|reason| reason.weight).max();
        let answer = match (heaviest, votes) {
            (Some(Weight::Blocker), _) => Answer::NoGo,
            (Some(Weight::Missing), _) | (_, None) => Answer::Unknown,
            (Some(Weight::Warning), Some(_)) => Answer::Warn,
            (Some(Weight::Note) | None, Some(_)) => Answer::Go,
        };
        let sentence = sentence(request, answer, votes, &reasons);
        Self {
            id: String::new(),
            answer,
            sentence,
            reasons,
            valid_ms: VALID_MS,
        }
    }

    /// It is done, and nothing stood against it.
    pub fn done(sentence: &str) -> Self {
        Self {
            id: String::new(),
            answer: Answer::Go,
            sentence: format!("GO - {sentence}"),
            reasons: Vec::new(),
            valid_ms: 0,
        }
    }

    /// It was not done, and this stands against it.
    pub(super) fn refused(sentence: &str, reasons: Vec<Reason>) -> Self {
        Self {
            id: String::new(),
            answer: Answer::NoGo,
            sentence: format!("NO-GO - {sentence}"),
            reasons,
            valid_ms: 0,
        }
    }

    /// Who may not judge, or cannot, says UNKNOWN and why.
    pub fn unknown(kind: Kind, sentence: String, remedy: String) -> Self {
        let and_then = if remedy.is_empty() { "" } else { "; " };
        let reason = Reason::missing(kind, Thing::Cluster, sentence).remedy(remedy);
        Self {
            id: String::new(),
            answer: Answer::Unknown,
            sentence: format!("UNKNOWN - {}{and_then}{}", reason.sentence, reason.remedy),
            reasons: vec![reason],
            valid_ms: 0,
        }
    }

    /// What else is to be told, and changes nothing.
    pub fn note(&mut self, kind: Kind, sentence: String) {
        self.reasons
            .push(Reason::note(kind, Thing::Cluster, sentence));
    }

    pub fn of_weight(&self, weight: Weight) -> impl Iterator<Item = &Reason> {
        self.reasons
            .iter()
            .filter(move |reason| reason.weight == weight)
    }
}

fn heaviest(reasons: &[Reason]) -> Option<Kind> {
    reasons.first().map(|reason| reason.kind)
}

fn sentence(
    request: &Request,
    answer: Answer,
    votes: Option<&votes::Enough>,
    reasons: &[Reason],
) -> String {
    let (names, done) = (request.names(), request.done());
    let first = |weight| {
        let mut of_weight = reasons.iter().filter(|reason| reason.weight == weight);
        let first = of_weight.next().map(|reason| reason.sentence.clone());
        let more = match of_weight.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        first.map(|first| first + &more).unwrap_or_default()
    };
    let votes = || votes.map_or_else(String::new, ToString::to_string);
    match answer {
        Answer::Go => format!("GO - {names} may be {done}: {}", votes()),
        // The votes are said already.
        Answer::Warn if heaviest(reasons) == Some(Kind::NoMargin) => {
            format!(
                "WARN - {names} may be {done}, but {}",
                first(Weight::Warning)
            )
        }
        Answer::Warn => format!(
            "WARN - {names} may be {done}, but {}; {}",
            first(Weight::Warning),
            votes()
        ),
        Answer::NoGo => format!(
            "NO-GO - {names} must not be {done}: {}",
            first(Weight::Blocker)
        ),
        Answer::Unknown => format!(
            "UNKNOWN - whether {names} may be {done} cannot be said: {}",
            first(Weight::Missing)
        ),
    }
}
