//! Which messages come next: what is wanted is held against what was told, one receiver after the other.

use std::collections::{BTreeMap, BTreeSet};

use super::message::{Kind, MAX_EVIDENCE, MAX_OTHERS, Message};
use super::policy::{Policy, Route};
use super::{Alerts, MAX_OWED, Owed, Silence, Step, Thread, Transition};
use crate::finding::Finding;
use crate::incident::late;
use crate::incident::{Incident, Incidents, Number, RETURN_MS};

/// An incident that has come back before is over for a chat only when it has stayed away for so long: a fault that comes and
/// goes every few minutes is one message, not many.
const HELD_BACK_MS: i64 = 300_000;
/// A message is edited at most this often.
const CHANGES_EVERY_MS: i64 = 30_000;

/// What is seen now.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    pub incidents: &'a Incidents,
    /// What the rules find now: evidence and remedies are theirs.
    pub findings: &'a [Finding],
    pub cluster_name: &'a str,
    pub cluster_id: &'a str,
    /// What the nodes say of their votes, in one line; empty where none says anything.
    pub quorum: &'a str,
    pub unix_ms: i64,
}

/// An incident that this receiver is to know of, and by which route.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    incident: &'a Incident,
    route: &'a Route,
}

/// One more message of a thread.
struct Word {
    head: Number,
    members: BTreeSet<Number>,
    group: String,
    message: Message,
}

/// What is owed now and was not before. Once it is folded there may be more: call it again until nothing comes.
pub fn decide(alerts: &Alerts, policy: &Policy, sight: &Sight<'_>) -> Vec<Transition> {
    let mut steps = over_acknowledgements(alerts, sight);
    let mut owed: Vec<Owed> = Vec::new();
    for (receiver, routes) in policy.by_receiver() {
        for word in words(alerts, receiver, &routes, sight, policy) {
            add(&mut owed, receiver, word);
        }
    }
    let room = MAX_OWED.saturating_sub(alerts.owed.len());
    let ids = alerts.next_message()..;
    let owed = owed.into_iter().take(room).zip(ids);
    steps.extend(owed.map(|(owed, id)| Step::Owed(Box::new(Owed { id, ..owed }))));
    let at_unix_ms = sight.unix_ms;
    let transition = |step| Transition { at_unix_ms, step };
    steps.into_iter().map(transition).collect()
}

/// What is the same for several receivers is one message.
fn add(owed: &mut Vec<Owed>, receiver: &str, word: Word) {
    let is_same = |other: &&mut Owed| {
        (other.head, &other.members, &other.group, &other.message)
            == (word.head, &word.members, &word.group, &word.message)
    };
    match owed.iter_mut().find(is_same) {
        Some(same) => drop(same.to.insert(receiver.to_owned())),
        None => owed.push(Owed {
            id: 0,
            to: BTreeSet::from([receiver.to_owned()]),
            head: word.head,
            members: word.members,
            group: word.group,
            message: word.message,
        }),
    }
}

fn over_acknowledgements(alerts: &Alerts, sight: &Sight<'_>) -> Vec<Step> {
    let is_over = |number: Number| match sight.incidents.get(number) {
        None => true,
        Some(incident) => incident
            .closed_unix_ms
            .is_some_and(|closed| sight.unix_ms >= closed.saturating_add(RETURN_MS)),
    };
    let numbers = alerts.acknowledged.keys().copied();
    let over = numbers.filter(|number| is_over(*number));
    over.map(|incident| Step::AcknowledgementOver { incident })
        .collect()
}

/// What is to be said to one receiver now.
fn words(
    alerts: &Alerts,
    receiver: &str,
    routes: &[&Route],
    sight: &Sight<'_>,
    policy: &Policy,
) -> Vec<Word> {
    let threads: BTreeMap<Number, &Thread> = alerts.threads_of(receiver).collect();
    let wanted: BTreeMap<Number, Wanted<'_>> = wanted(alerts, routes, sight);
    let desk = Desk {
        alerts,
        threads: &threads,
        wanted: &wanted,
        sight,
        page: &policy.page,
    };
    let mut words = Vec::new();
    // Of one thread one word at a time; the next look has the others.
    let mut spoken: BTreeSet<Number> = BTreeSet::new();
    for one in wanted.values() {
        if let Some(word) = desk.of_wanted(*one, &spoken) {
            spoken.insert(word.head);
            words.push(word);
        }
    }
    for (head, thread) in &threads {
        if !spoken.contains(head)
            && let Some(word) = desk.of_ended(*head, thread, routes)
        {
            words.push(word);
        }
    }
    words
}

/// Open, nobody's effect, not silenced, and by some route.
fn wanted<'a>(
    alerts: &Alerts,
    routes: &[&'a Route],
    sight: &Sight<'a>,
) -> BTreeMap<Number, Wanted<'a>> {
    let silences: Vec<&Silence> = alerts
        .silences()
        .filter(|silence| silence.holds_at(sight.unix_ms))
        .collect();
    let cluster = [sight.cluster_name, sight.cluster_id];
    let stand = sight.incidents.open().filter(|open| open.under.is_none());
    let heard = stand.filter(|open| !silences.iter().any(|silence| silence.fits(open)));
    let wanted = heard.filter_map(|incident| {
        let mut fitting = routes
            .iter()
            .filter(|route| route.fits(incident, cluster, sight.unix_ms));
        let route = *fitting.next()?;
        Some((incident.number, Wanted { incident, route }))
    });
    wanted.collect()
}

/// All that is looked at for one receiver.
struct Desk<'a> {
    alerts: &'a Alerts,
    threads: &'a BTreeMap<Number, &'a Thread>,
    wanted: &'a BTreeMap<Number, Wanted<'a>>,
    sight: &'a Sight<'a>,
    page: &'a str,
}

impl Desk<'_> {
    fn of_wanted(&self, one: Wanted<'_>, spoken: &BTreeSet<Number>) -> Option<Word> {
        let number = one.incident.number;
        let mut own = self
            .threads
            .iter()
            .filter(|(_, thread)| thread.members.contains(&number));
        if let Some((head, thread)) = own.next_back() {
            return (!spoken.contains(head)).then(|| self.goes_on(one, *head, thread))?;
        }
        let group = one.route.group_of(one.incident);
        let is_effect = |member: &Number| {
            let effect = self.sight.incidents.get(*member);
            effect.is_some_and(|effect| effect.under == Some(number))
        };
        let has_effect = |thread: &Thread| thread.members.iter().any(is_effect);
        let is_of_group = |thread: &Thread| !group.is_empty() && thread.group == group;
        let joined = self
            .threads
            .iter()
            .find(|(_, thread)| !thread.is_over && (has_effect(thread) || is_of_group(thread)));
        let Some((head, thread)) = joined else {
            return self.opens(one, group, spoken);
        };
        if spoken.contains(head) {
            return None;
        }
        let mut members = thread.members.clone();
        members.insert(number);
        let kind = if one.incident.said.severity > thread.severity {
            Kind::Worse
        } else if has_effect(thread) {
            Kind::Changed
        } else {
            Kind::More
        };
        let lead = self.lead(&members).unwrap_or(one.incident);
        Some(self.word(kind, *head, members, thread.group.clone(), lead))
    }

    /// The first word of it, and of all others of its group that nobody told of yet.
    fn opens(&self, one: Wanted<'_>, group: String, spoken: &BTreeSet<Number>) -> Option<Word> {
        let number = one.incident.number;
        let is_told = |number: &Number| {
            let mut threads = self.threads.values();
            threads.any(|thread| thread.members.contains(number))
        };
        let is_with =
            |other: &Wanted<'_>| !group.is_empty() && other.route.group_of(other.incident) == group;
        let untold = self.wanted.iter().filter(|(number, _)| !is_told(number));
        let with = untold.filter(|(_, other)| is_with(other));
        let mut members: BTreeSet<Number> = with.map(|(number, _)| *number).collect();
        if members.iter().any(|member| spoken.contains(member)) {
            return None;
        }
        members.insert(number);
        let lead = self.lead(&members).unwrap_or(one.incident);
        Some(self.word(Kind::Opened, number, members, group, lead))
    }

    /// It was told of; is there more to say?
    fn goes_on(&self, one: Wanted<'_>, head: Number, thread: &Thread) -> Option<Word> {
        let now = self.sight.unix_ms;
        let lead = self.lead(&thread.members).unwrap_or(one.incident);
        let severity = lead.said.severity;
        let known = self.alerts.acknowledged(lead.number);
        let is_known = known.is_some_and(|known| severity <= known.severity);
        let is_due = |repeat: i64| now >= thread.called_unix_ms.saturating_add(repeat);
        let word = |kind| {
            let (members, group) = (thread.members.clone(), thread.group.clone());
            self.word(kind, head, members, group, lead)
        };
        if thread.is_over {
            return (!is_known).then(|| word(Kind::Again));
        }
        if severity > thread.severity {
            return (!is_known).then(|| word(Kind::Worse));
        }
        let changed = word(Kind::Changed);
        let says = |message: &Message| {
            let others = message.others.clone();
            (message.severity, message.sentence.clone(), others)
        };
        let is_other = says(&changed.message) != says(&thread.last)
            || changed.message.explains > thread.last.explains;
        if is_other && now >= thread.last.at_unix_ms.saturating_add(CHANGES_EVERY_MS) {
            return Some(changed);
        }
        let is_repeated = one.route.repeat_ms.is_some_and(is_due) && !is_known;
        is_repeated.then(|| word(Kind::Reminder))
    }

    /// A thread of which nothing is wanted any more: it is over, or another one's effect.
    fn of_ended(&self, head: Number, thread: &Thread, routes: &[&Route]) -> Option<Word> {
        if thread.is_over {
            return None;
        }
        let incidents = self.sight.incidents;
        let open: Vec<&Incident> = thread
            .members
            .iter()
            .filter_map(|number| incidents.get(*number))
            .filter(|incident| incident.is_open())
            .collect();
        let end = |kind, sentence: String| {
            let message = Message {
                kind,
                sentence,
                at_unix_ms: self.sight.unix_ms,
                quorum: self.sight.quorum.to_owned(),
                ..Message::clone(&thread.last)
            };
            Word {
                head,
                members: thread.members.clone(),
                group: thread.group.clone(),
                message,
            }
        };
        if open.is_empty() {
            // History is over when it is told.
            let tells_end = thread.last.rule != late::RULE
                && (routes.is_empty() || routes.iter().any(|route| route.tells_end));
            let kind = if tells_end { Kind::Over } else { Kind::Joined };
            return (!self.is_held_back(thread)).then(|| end(kind, thread.last.sentence.clone()));
        }
        let cause = open.iter().find_map(|open| open.under)?;
        let is_told_there = self.threads.iter().any(|(other, thread)| {
            *other != head && !thread.is_over && thread.members.contains(&cause)
        });
        let is_effect = open.iter().all(|open| open.under.is_some());
        // One that is wanted takes this thread over.
        if !is_effect || (self.wanted.contains_key(&cause) && !is_told_there) {
            return None;
        }
        let cause = incidents.get(cause)?;
        let sentence = format!(
            "{}; it comes of #{}: {}",
            thread.last.sentence, cause.number, cause.said.sentence
        );
        Some(end(Kind::Joined, sentence))
    }

    /// What has come back before is not over at once.
    fn is_held_back(&self, thread: &Thread) -> bool {
        let now = self.sight.unix_ms;
        let known = thread
            .members
            .iter()
            .filter_map(|number| self.sight.incidents.get(*number));
        known
            .filter(|over| over.returns_within(RETURN_MS, now) > 0)
            .filter_map(|over| over.closed_unix_ms)
            .any(|closed| now < closed.saturating_add(HELD_BACK_MS))
    }

    /// Of the incidents that a thread tells of and that stand by themselves, the worst.
    fn lead(&self, members: &BTreeSet<Number>) -> Option<&Incident> {
        let stand = members.iter().filter_map(|number| self.wanted.get(number));
        let worst = stand.max_by_key(|one| {
            (
                one.incident.said.severity,
                std::cmp::Reverse(one.incident.number),
            )
        });
        worst.map(|one| one.incident)
    }

    fn word(
        &self,
        kind: Kind,
        head: Number,
        members: BTreeSet<Number>,
        group: String,
        lead: &Incident,
    ) -> Word {
        let others = members
            .iter()
            .filter(|number| **number != lead.number)
            .filter_map(|number| self.wanted.get(number))
            .map(|other| other.incident.said.sentence.clone());
        let message = Message {
            kind,
            others: first_of(others.collect()),
            ..about(lead, self.sight, self.page)
        };
        Word {
            head,
            members,
            group,
            message,
        }
    }
}

fn first_of(mut others: Vec<String>) -> Vec<String> {
    let more = others.len().saturating_sub(MAX_OTHERS);
    others.truncate(MAX_OTHERS);
    if more > 0 {
        others.push(format!("{more} more"));
    }
    others
}

/// An incident as a message.
fn about(incident: &Incident, sight: &Sight<'_>, page: &str) -> Message {
    let is_it = |found: &&Finding| found.rule == incident.rule && found.subject == incident.subject;
    let found = sight.findings.iter().find(is_it);
    let evidence = match found {
        Some(found) => found
            .evidence
            .iter()
            .map(|seen| format!("{}: {}", seen.node, seen.words))
            .take(MAX_EVIDENCE)
            .collect(),
        None => Vec::new(),
    };
    let link = match page {
        "" => String::new(),
        page => format!("{page}/incidents/{}", incident.number),
    };
    Message {
        kind: Kind::Opened,
        cluster: sight.cluster_name.to_owned(),
        cluster_id: sight.cluster_id.to_owned(),
        incident: incident.number,
        severity: incident.said.severity,
        rule: incident.rule.clone(),
        subject: incident.subject.to_string(),
        sentence: incident.said.sentence.clone(),
        began_unix_ms: incident.opened_unix_ms,
        at_unix_ms: sight.unix_ms,
        quorum: sight.quorum.to_owned(),
        evidence,
        explains: sight.incidents.under(incident.number).count(),
        others: Vec::new(),
        remedy: found.map(|found| found.remedy.clone()).unwrap_or_default(),
        link,
    }
}
