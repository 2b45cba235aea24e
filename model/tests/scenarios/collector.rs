//! The collector of a story: what reaches it, what the rules find, and the log of what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use model::alert::{self, Alerts, Grouping, Kind, Policy, Route, Sight};
use model::cluster::{Cluster, Now, Seen};
use model::finding::{Finding, Severity};
use model::fleet::Hearing;
use model::gate::Action;
use model::glance;
use model::incident::{Incidents, Number, Step, Transition, Watch};
use model::lease::{self, Grant, Leases};
use model::rule::{self, Scene, Thresholds};
use model::topology;
use model::whatif::{Hypothesis, WhatIf};

use crate::facts::{self, Moment};
use crate::ring::Ring;
use crate::site::{Node, Place, Power, Site};

/// The rules look again after so long, also without news.
const LOOK_AGAIN_MS: u64 = 5_000;
/// A stream that says nothing is ended, and its node silent.
const SILENT_MS: u64 = 30_000;
/// After the collector's start the agents come back one after the other.
const RETURN_MS: u64 = 2_500;
/// Between the looks of an agent at corosync.
const CONNECTED_EVERY_MS: u64 = 1_000;
/// Milliseconds since 1970 at the story's begin.
pub(crate) const BEGIN_UNIX_MS: i64 = 1_800_000_000_000;

#[derive(Debug)]
struct Stream {
    seen: Seen,
    /// When the agent got something through to the collector last, on the story's clock.
    through_ms: Option<u64>,
    /// Not sooner does it try again.
    from_ms: u64,
    /// Its ports, as it told of them last: of a change there it hears at once.
    carriers: Vec<(bool, bool, u32)>,
}

#[derive(Debug)]
pub(crate) struct Collector {
    cluster: Cluster,
    watch: Watch,
    incidents: Incidents,
    written: Vec<Transition>,
    lease_watch: lease::Watch,
    leases: Leases,
    streams: BTreeMap<u32, Stream>,
    started_ms: u64,
    looked_ms: u64,
    /// Where the operator says that the qdevice is.
    declared: Arc<topology::Site>,
    /// Those that stood by themselves, and were worth calling somebody, with the rule and the subject.
    told: BTreeMap<Number, String>,
    alerts: Alerts,
    /// Messages that called somebody: what is edited in place does not.
    calls: usize,
    pub(crate) log: String,
    begin_ms: Option<u64>,
}

impl Collector {
    pub(crate) fn new(site: &Site) -> Self {
        let stream = |node: &Node| {
            (
                node.id,
                Stream {
                    seen: Seen::never_heard(),
                    through_ms: None,
                    from_ms: 0,
                    carriers: Vec::new(),
                },
            )
        };
        let on = |place: &Place| match place {
            Place::On(host) => topology::Place::Node(facts::node_name(*host)),
            Place::Outside | Place::At(_) => topology::Place::External,
        };
        let qdevice = |place: &Place| topology::Dependency {
            service: topology::Service::Qdevice,
            on: on(place),
        };
        let dependencies = site.qdevice.iter().map(qdevice).collect();
        let declared = Arc::new(topology::Site {
            dependencies,
            ..topology::Site::default()
        });
        Self {
            cluster: Cluster::default(),
            declared,
            watch: Watch::default(),
            incidents: Incidents::default(),
            written: Vec::new(),
            lease_watch: lease::Watch::default(),
            leases: Leases::default(),
            streams: site.nodes.iter().map(stream).collect(),
            started_ms: 0,
            looked_ms: 0,
            told: BTreeMap::new(),
            alerts: Alerts::default(),
            calls: 0,
            log: String::new(),
            begin_ms: None,
        }
    }

    /// From here on the story's clock is shown.
    pub(crate) fn begins(&mut self, now_ms: u64) {
        self.begin_ms = Some(now_ms);
    }

    fn now(&self, now_ms: u64) -> Now {
        Now {
            mono_ms: now_ms - self.started_ms,
            unix_ms: BEGIN_UNIX_MS + now_ms.cast_signed(),
        }
    }

    /// It is killed and starts again; what it wrote down is all that it has.
    pub(crate) fn restarts(&mut self, now_ms: u64) {
        self.cluster = Cluster::default();
        self.watch = Watch::default();
        self.lease_watch = lease::Watch::default();
        self.incidents = Incidents::default();
        for step in &self.written {
            self.incidents.fold(step);
        }
        self.cluster.recall(self.incidents.recalls());
        self.started_ms = now_ms;
        self.looked_ms = now_ms;
        for (id, stream) in &mut self.streams {
            stream.seen = Seen::never_heard();
            stream.through_ms = None;
            stream.from_ms = now_ms + u64::from(*id) * RETURN_MS;
        }
    }

    /// What agents tell now; the rules look if it is news, or if they have not for a while.
    pub(crate) fn hears(&mut self, site: &Site, ring: &Ring, now_ms: u64) {
        let now = self.now(now_ms);
        let moment = Moment {
            ms: now_ms,
            unix_ms: now.unix_ms,
        };
        let mut has_news = false;
        for node in &site.nodes {
            let Some(stream) = self.streams.get_mut(&node.id) else {
                continue;
            };
            has_news |= stream.hears(site, ring, node, &moment, now);
        }
        let settled_ms = self.watch.settled_ms();
        let has_settled = settled_ms.is_some_and(|at| now.mono_ms >= at);
        if has_news || has_settled || now_ms >= self.looked_ms + LOOK_AGAIN_MS {
            self.looked_ms = now_ms;
            self.look(now_ms);
        }
    }

    /// Somebody takes the lease of these nodes, to reboot them.
    pub(crate) fn grants(&mut self, ids: &[u32], now_ms: u64) {
        let thresholds = Thresholds::default();
        let now = self.now(now_ms);
        let scene = Scene::new(&self.cluster, now, &thresholds, &self.declared)
            .with_leases(Some(&self.leases));
        let nodes = || ids.iter().map(|id| facts::node_name(*id));
        let before = |node| {
            let before = lease::healthy::before(&scene, &node);
            (node, before)
        };
        let grant = Grant {
            nodes: nodes().collect(),
            action: Action::Reboot,
            owner: "anna".to_owned(),
            reason: "new kernel".to_owned(),
            planned_s: 600,
            overrode: None,
            stood_against: BTreeSet::new(),
            waits_for_end: false,
            request_id: String::new(),
            before: nodes().map(before).collect(),
        };
        let step = lease::Transition {
            number: self.leases.next_number(),
            at_unix_ms: scene.now.unix_ms,
            step: lease::Step::Granted(Box::new(grant)),
        };
        self.lease_goes_on(&step, now_ms);
    }

    fn lease_goes_on(&mut self, step: &lease::Transition, now_ms: u64) {
        self.leases.fold(step);
        let at = self.clock(now_ms);
        self.say(&format!("{at} lease {} {}", step.number, step.step.name()));
    }

    fn look(&mut self, now_ms: u64) {
        let now = self.now(now_ms);
        for (id, stream) in &mut self.streams {
            if stream.seen.hearing == Hearing::Connected && stream.through_ms == Some(now_ms) {
                for held in stream.seen.facts.values_mut() {
                    held.read_at_ms = now.mono_ms.cast_signed();
                }
                stream.seen.heard_at_ms = Some(now.mono_ms);
            }
            self.cluster
                .apply(&facts::node_name(*id), stream.seen.clone(), now);
        }
        let thresholds = Thresholds::default();
        let scene = Scene::new(&self.cluster, now, &thresholds, &self.declared)
            .with_leases(Some(&self.leases));
        let found = rule::findings(&scene);
        let steps = self.watch.look(&self.incidents, &found, &scene);
        let lease_steps = self.lease_watch.look(&self.leases, &found, &scene);
        let is_news = |step: &&Transition| match &step.step {
            Step::Changed { said } => {
                let was = self.incidents.get(step.number).map(|open| &open.said);
                was.is_none_or(|was| {
                    (was.severity, &was.sentence) != (said.severity, &said.sentence)
                })
            }
            _ => true,
        };
        let news: Vec<Transition> = steps.iter().filter(is_news).cloned().collect();
        for step in &steps {
            self.incidents.fold(step);
        }
        self.log_steps(&news, now_ms);
        for step in &lease_steps {
            self.lease_goes_on(step, now_ms);
        }
        for open in self.incidents.open() {
            if open.under.is_none() && open.said.severity > Severity::Info {
                let what = format!("{} {}", open.rule, open.subject);
                self.told.entry(open.number).or_insert(what);
            }
        }
        self.written.extend(steps);
        self.alert(&found, now_ms);
    }

    /// What one chat is told that hears of everything but what is only worth knowing. It has all that it is owed at once.
    fn alert(&mut self, found: &[Finding], now_ms: u64) {
        let now = self.now(now_ms);
        let quorum = glance::quorum_line(&self.cluster, now);
        loop {
            let sight = Sight {
                incidents: &self.incidents,
                findings: found,
                cluster_name: "pve",
                cluster_id: "0b9d3a52",
                quorum: &quorum,
                unix_ms: now.unix_ms,
            };
            let steps = alert::decide(&self.alerts, &policy(), &sight);
            if steps.is_empty() {
                return;
            }
            for step in &steps {
                self.alerts.fold(step);
            }
            let owed: Vec<_> = self.alerts.owed().cloned().collect();
            for owed in owed {
                let at = self.clock_or_before(now_ms);
                let (kind, head) = (owed.message.kind.name(), owed.message.headline());
                self.say(&format!("{at} chat, {kind}: {head}"));
                if !matches!(owed.message.kind, Kind::Changed | Kind::Joined) {
                    self.calls += 1;
                }
                self.alerts.fold(&alert::Transition {
                    at_unix_ms: now.unix_ms,
                    step: alert::Step::Delivered {
                        id: owed.id,
                        receiver: "chat".to_owned(),
                        receipt: None,
                    },
                });
            }
        }
    }

    fn clock_or_before(&self, now_ms: u64) -> String {
        match self.begin_ms {
            Some(_) => self.clock(now_ms),
            None => "before".to_owned(),
        }
    }

    fn clock(&self, now_ms: u64) -> String {
        let ms = now_ms - self.begin_ms.unwrap_or_default();
        format!(
            "{:>2}:{:02}.{}",
            ms / 60_000,
            ms / 1_000 % 60,
            ms / 100 % 10
        )
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.log, "{line}").unwrap();
    }

    fn log_steps(&mut self, steps: &[Transition], now_ms: u64) {
        let at = self.clock_or_before(now_ms);
        let under: BTreeMap<Number, Option<Number>> = steps
            .iter()
            .filter_map(|step| match step.step {
                Step::Under { cause } => Some((step.number, cause)),
                _ => None,
            })
            .collect();
        let mut placed = BTreeSet::new();
        for Transition { number, step, .. } in steps {
            let place = under
                .get(number)
                .copied()
                .flatten()
                .map_or_else(String::new, |cause| format!(" under #{cause}"));
            let line = match step {
                Step::Opened {
                    rule,
                    subject,
                    said,
                } => {
                    placed.insert(*number);
                    format!(
                        "{at} #{number} opened{place}: {} {rule} {subject}\n          {}",
                        said.severity, said.sentence
                    )
                }
                Step::Changed { said } => format!(
                    "{at} #{number} changed: {}\n          {}",
                    said.severity, said.sentence
                ),
                Step::CameBack { said } => {
                    placed.insert(*number);
                    format!(
                        "{at} #{number} came back{place}: {}\n          {}",
                        said.severity, said.sentence
                    )
                }
                Step::Under { .. } if placed.contains(number) => continue,
                Step::Under { cause: Some(cause) } => format!("{at} #{number} goes under #{cause}"),
                Step::Under { cause: None } => format!("{at} #{number} stands by itself"),
                Step::Closed { .. } => format!("{at} #{number} over"),
                Step::Told { node, words, .. } => {
                    format!("{at} #{number} tells of {node}: {words}")
                }
            };
            self.say(&line);
        }
    }

    /// What a person was told: the incidents that stood by themselves, and what is open in the end.
    pub(crate) fn ends(&mut self) {
        let told: Vec<String> = self
            .told
            .iter()
            .map(|(number, what)| format!("#{number} {what}"))
            .collect();
        self.say(&format!(
            "\ntold: {}",
            if told.is_empty() {
                "nothing".to_owned()
            } else {
                told.join("; ")
            }
        ));
        self.say(&format!("messages: {}", self.calls));
        let open: Vec<String> = self
            .incidents
            .open()
            .map(|open| format!("#{}", open.number))
            .collect();
        self.say(&format!(
            "open: {}",
            if open.is_empty() {
                "nothing".to_owned()
            } else {
                open.join(" ")
            }
        ));
    }

    pub(crate) fn what_if(&mut self, hypothesis: &Hypothesis, now_ms: u64) {
        let site = Arc::clone(&self.declared);
        let now = self.now(now_ms);
        let answer = WhatIf::new(
            &self.cluster,
            now,
            &site,
            Thresholds::default().reforming_warning_ms,
        )
        .map_err(|error| error.to_string())
        .and_then(|mut what_if| what_if.play(hypothesis).map_err(|error| error.to_string()));
        let asked: Vec<String> = hypothesis
            .failures
            .iter()
            .map(ToString::to_string)
            .collect();
        let line = match answer {
            Ok(outcome) => format!(
                "{} what if {}: {}\n          {}",
                self.clock(now_ms),
                asked.join(", "),
                outcome.rank,
                outcome.sentence
            ),
            Err(why) => format!("{} what if {}: {why}", self.clock(now_ms), asked.join(", ")),
        };
        self.say(&line);
    }
}

impl Stream {
    fn hears(&mut self, site: &Site, ring: &Ring, node: &Node, moment: &Moment, now: Now) -> bool {
        let runs = node.agent_runs && matches!(node.power, Power::Running | Power::Stopping { .. });
        let gets_through = runs
            && !site.collector_is_cut
            && moment.ms >= self.from_ms
            && site.reaches(node, &site.collector);
        if !gets_through {
            return self.misses(node, moment.ms);
        }
        self.through_ms = Some(moment.ms);
        // Each agent looks at corosync in a rhythm of its own.
        let is_turn = (moment.ms + u64::from(node.id) * 200).is_multiple_of(CONNECTED_EVERY_MS);
        let is_new = self.seen.hearing != Hearing::Connected;
        let has_carrier = |card: &crate::site::Card| (card.carrier, card.is_answered, card.mbps);
        let carriers: Vec<_> = node.cards.values().map(has_carrier).collect();
        if !is_new && !is_turn && carriers == self.carriers {
            return false;
        }
        self.carriers = carriers;
        let report = facts::report(site, ring, node, moment);
        let mut facts = facts::shared(&report, &self.seen.facts, now.mono_ms.cast_signed());
        if !is_new && !is_turn {
            for family in [model::report::Family::Corosync, model::report::Family::Cmap] {
                if let Some(held) = self.seen.facts.get(&family) {
                    facts.insert(family, held.clone());
                }
            }
        }
        let is_same = |(family, held): (&_, &model::cluster::Held)| {
            self.seen
                .facts
                .get(family)
                .is_some_and(|before| std::sync::Arc::ptr_eq(&before.fact, &held.fact))
        };
        let has_news = is_new || !facts.iter().all(is_same);
        self.seen.facts = facts;
        self.seen.hearing = Hearing::Connected;
        self.seen.heard_at_ms = Some(now.mono_ms);
        self.seen.boot_id = facts::boot_id(node);
        self.seen.skew_ms = Some(0);
        has_news
    }

    fn misses(&mut self, node: &Node, now_ms: u64) -> bool {
        let Some(through_ms) = self.through_ms else {
            return false;
        };
        // A stopped agent closes its stream; of one that is cut off nothing is heard.
        let says_goodbye = !node.agent_runs && node.has_power();
        if self.seen.hearing == Hearing::Connected
            && (says_goodbye || now_ms >= through_ms + SILENT_MS)
        {
            self.seen.hearing = Hearing::Silent;
            return true;
        }
        false
    }
}

fn policy() -> Policy {
    let chat = BTreeSet::from(["chat".to_owned()]);
    let route = Route {
        to: chat.clone(),
        severity: Severity::Warning,
        rules: Vec::new(),
        nodes: Vec::new(),
        clusters: Vec::new(),
        times: None,
        grouping: Grouping::Incident,
        repeat_ms: None,
        tells_end: true,
    };
    Policy {
        receivers: chat,
        routes: vec![route],
        page: String::new(),
    }
}
