//! Which messages come next: what is wanted is held against what was told, one receiver after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::message::{Kind, MAX_EVIDENCE, MAX_OTHERS, Message};
use super::policy::{Policy, Route};
use super::{Alerts, GIVEN_UP_AFTER_MS, MAX_OWED, Owed, Silence, Step, Thread, Transition};
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
    ends_quietly: bool,
    message: Message,
}

/// What is owed now and was not before. Once it is folded there may be more: call it again until nothing comes.
pub fn decide(alerts: &Alerts, policy: &Policy, sight: &Sight<'_>) -> Vec<Transition> {
    let mut steps = over_acknowledgements(alerts, sight);
    let mut owed: Vec<Owed> = Vec::new();
    let mut effects: BTreeMap<Number, usize> = BTreeMap::new();
    for cause in sight.incidents.open().filter_map(|open| open.under) {
        *effects.entry(cause).or_default() += 1;
    }
    for (receiver, routes) in policy.by_receiver() {
        for word in words(alerts, receiver, &routes, sight, (&policy.page, &effects)) {
            add(&mut owed, receiver, word);
        }
    }
    steps.extend(too_old(alerts, sight.unix_ms));
    let owed = owed.into_iter().zip(alerts.next_message()..);
    steps.extend(owed.map(|(owed, id)| Step::Owed(Box::new(Owed { id, ..owed }))));
    let at_unix_ms = sight.unix_ms;
    let transition = |step| Transition { at_unix_ms, step };
    steps.into_iter().map(transition).collect()
}

/// What nobody took for so long is not worth a word any more, also where the receiver is not there any more.
fn too_old(alerts: &Alerts, now: i64) -> impl Iterator<Item = Step> {
    let is_old =
        move |owed: &&Arc<Owed>| now > owed.message.at_unix_ms.saturating_add(GIVEN_UP_AFTER_MS);
    alerts.owed().filter(is_old).flat_map(|owed| {
        owed.to.iter().map(|receiver| Step::GivenUp {
            id: owed.id,
            receiver: receiver.clone(),
            why: "it did not arrive within seven days".to_owned(),
        })
    })
}

/// What is the same for several receivers is one message.
fn add(owed: &mut Vec<Owed>, receiver: &str, word: Word) {
    let is_same = |other: &&mut Owed| {
        (other.head, &other.members, &other.group) == (word.head, &word.members, &word.group)
            && other.ends_quietly == word.ends_quietly
            && other.message == word.message
    };
    match owed.iter_mut().find(is_same) {
        Some(same) => drop(same.to.insert(receiver.to_owned())),
        None => owed.push(Owed {
            id: 0,
            to: BTreeSet::from([receiver.to_owned()]),
            head: word.head,
            members: word.members,
            group: word.group,
            ends_quietly: word.ends_quietly,
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
    (page, effects): (&str, &BTreeMap<Number, usize>),
) -> Vec<Word> {
    let is_owed = |owed: &&Arc<Owed>| owed.to.contains(receiver);
    if alerts.owed().filter(is_owed).count() >= MAX_OWED {
        return Vec::new();
    }
    let threads: BTreeMap<Number, &Thread> = alerts.threads_of(receiver).collect();
    let told = threads.iter().flat_map(|(head, thread)| {
        let members = thread.members.iter();
        members.map(|member| (*member, *head))
    });
    let wanted: BTreeMap<Number, Wanted<'_>> = wanted(alerts, routes, sight);
    let desk = Desk {
        alerts,
        told_in: told.collect(),
        threads: &threads,
        wanted: &wanted,
        effects,
        sight,
        page,
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
            && let Some(word) = desk.of_ended(*head, thread)
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
    /// The last thread that tells of each incident.
    told_in: BTreeMap<Number, Number>,
    effects: &'a BTreeMap<Number, usize>,
    wanted: &'a BTreeMap<Number, Wanted<'a>>,
    sight: &'a Sight<'a>,
    page: &'a str,
}

impl Desk<'_> {
    fn of_wanted(&self, one: Wanted<'_>, spoken: &BTreeSet<Number>) -> Option<Word> {
        let number = one.incident.number;
        if let Some(head) = self.told_in.get(&number)
            && let Some(thread) = self.threads.get(head)
        {
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
        Some(self.word(kind, *head, members, thread, lead))
    }

    /// The first word of it, and of all others of its group that nobody told of yet.
    fn opens(&self, one: Wanted<'_>, group: String, spoken: &BTreeSet<Number>) -> Option<Word> {
        let number = one.incident.number;
        let is_told = |number: &Number| self.told_in.contains_key(number);
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
        let ends_quietly = !one.route.tells_end || one.incident.rule == late::RULE;
        let message = self.message(Kind::Opened, &members, lead);
        Some(Word {
            head: number,
            members,
            group,
            ends_quietly,
            message,
        })
    }

    /// It was told of; is there more to say?
    fn goes_on(&self, one: Wanted<'_>, head: Number, thread: &Thread) -> Option<Word> {
        let now = self.sight.unix_ms;
        let lead = self.lead(&thread.members).unwrap_or(one.incident);
        let severity = lead.said.severity;
        let known = self.alerts.acknowledged(lead.number);
        let is_known = known.is_some_and(|known| severity <= known.severity);
        let is_due = |repeat: i64| now >= thread.called_unix_ms.saturating_add(repeat);
        let word = |kind| self.word(kind, head, thread.members.clone(), thread, lead);
        if thread.is_over {
            return (!is_known).then(|| word(Kind::Again));
        }
        if severity > thread.severity {
            return (!is_known).then(|| word(Kind::Worse));
        }
        // Without building a message: this is looked at again and again.
        let last = &thread.last;
        let is_other = last.severity != severity
            || last.sentence != one_line(&lead.said.sentence)
            || last.explains < self.effects_of(lead)
            || (thread.members.len() > 1 && last.others != self.others(&thread.members, lead));
        if is_other && now >= last.at_unix_ms.saturating_add(CHANGES_EVERY_MS) {
            return Some(word(Kind::Changed));
        }
        let is_repeated = one.route.repeat_ms.is_some_and(is_due) && !is_known;
        is_repeated.then(|| word(Kind::Reminder))
    }

    /// A thread of which nothing is wanted any more: it is over, or another one's effect.
    fn of_ended(&self, head: Number, thread: &Thread) -> Option<Word> {
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
                ends_quietly: thread.ends_quietly,
                message,
            }
        };
        if open.is_empty() {
            let kind = if thread.ends_quietly {
                Kind::Closed
            } else {
                Kind::Over
            };
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

    /// One more word of a thread. What is over for so long that it does not come back is left out.
    fn word(
        &self,
        kind: Kind,
        head: Number,
        mut members: BTreeSet<Number>,
        thread: &Thread,
        lead: &Incident,
    ) -> Word {
        let stays = |number: &Number| {
            let known = self.sight.incidents.get(*number);
            known.is_some_and(|known| {
                let closed = known.closed_unix_ms.unwrap_or(self.sight.unix_ms);
                self.sight.unix_ms < closed.saturating_add(RETURN_MS)
            })
        };
        members.retain(|number| *number == head || stays(number));
        let message = self.message(kind, &members, lead);
        Word {
            head,
            members,
            group: thread.group.clone(),
            ends_quietly: thread.ends_quietly,
            message,
        }
    }

    fn message(&self, kind: Kind, members: &BTreeSet<Number>, lead: &Incident) -> Message {
        Message {
            kind,
            others: self.others(members, lead),
            explains: self.effects_of(lead),
            ..about(lead, self.sight, self.page)
        }
    }

    fn effects_of(&self, incident: &Incident) -> usize {
        self.effects.get(&incident.number).copied().unwrap_or(0)
    }

    /// What else stands by itself in a thread.
    fn others(&self, members: &BTreeSet<Number>, lead: &Incident) -> Vec<String> {
        let others = members.iter().filter(|number| **number != lead.number);
        let others = others.filter_map(|number| self.wanted.get(number));
        let others = others.map(|other| one_line(&other.incident.said.sentence));
        first_of(others.collect())
    }
}

/// What nodes and switches call themselves can hold anything; a message has lines of its own.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
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
            .map(|seen| one_line(&format!("{}: {}", seen.node, seen.words)))
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
        subject: one_line(&incident.subject.to_string()),
        sentence: one_line(&incident.said.sentence),
        began_unix_ms: incident.opened_unix_ms,
        at_unix_ms: sight.unix_ms,
        quorum: sight.quorum.to_owned(),
        evidence,
        explains: 0,
        others: Vec::new(),
        remedy: found.map(|found| found.remedy.clone()).unwrap_or_default(),
        link,
    }
}
