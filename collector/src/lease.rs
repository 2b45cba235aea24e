//! Leases as messages: what was asked for of one, and which there are.

use std::collections::BTreeSet;

use model::cluster::Cluster;
use model::gate::{self, Action, Answer, CephAnswer, Request, Verdict};
use model::lease::healthy::Reboot;
use model::lease::{self, Lease, MAX_PLANNED_S, MAX_REASON, PLANNED_S, Unleased};
use model::name::NodeName;
use model::rule::Scene;
use proto::v1;
use serde::Serialize;
use tonic::Status;

use crate::declared::Declared;
use crate::keeper::Now;
use crate::keeper::core::{Begin, LeaseAsk};
use crate::keeper::understanding::cluster_of;
use crate::keeper::view::ClusterView;
use crate::verdict;

const MAX_REQUEST_ID: usize = 64;

/// What is asked for, as far as it is well formed.
pub(crate) fn begin(
    request: v1::BeginRequest,
    nodes: Vec<NodeName>,
    owner: String,
) -> Result<LeaseAsk, Status> {
    let check = request.check.unwrap_or_default();
    let asked = verdict::request(nodes, &check)?;
    if !asked.things.is_empty() {
        let why = "a lease is of nodes: there is none of a switch or a corosync network";
        return Err(Status::invalid_argument(why));
    }
    let planned_s = match request.planned_s {
        0 => PLANNED_S,
        planned_s if planned_s <= MAX_PLANNED_S => planned_s,
        planned_s => {
            let why = format!("planned_s: {planned_s} is longer than a week ({MAX_PLANNED_S})");
            return Err(Status::invalid_argument(why));
        }
    };
    Ok(LeaseAsk::Begin(Begin {
        overrides: overrides(&request.r#override, &asked.nodes)?,
        nodes: asked.nodes,
        action: asked.action,
        owner,
        reason: reason(&request.reason)?,
        planned_s,
        waits_for_end: request.waits_for_end,
        request_id: request_id(request.request_id)?,
        ceph: Vec::new(),
    }))
}

fn request_id(text: String) -> Result<String, Status> {
    let is_id = text.len() <= MAX_REQUEST_ID && text.chars().all(|c| c.is_ascii_alphanumeric());
    if is_id {
        return Ok(text);
    }
    Err(Status::invalid_argument(format!(
        "request_id: it has at most {MAX_REQUEST_ID} letters and digits"
    )))
}

pub(crate) fn end(node: NodeName, by: String, not_rebooted: bool) -> LeaseAsk {
    let reboot = if not_rebooted {
        Reboot::NotDone
    } else {
        Reboot::AsPlanned
    };
    LeaseAsk::End { node, by, reboot }
}

/// Why somebody does it: he is asked for it later.
pub(crate) fn reason(text: &str) -> Result<String, Status> {
    if text.trim().is_empty() {
        return Err(Status::invalid_argument(
            "reason: nothing is taken, broken, accepted or silenced without one",
        ));
    }
    line("reason", text)
}

pub(crate) fn line(field: &str, text: &str) -> Result<String, Status> {
    let text = text.trim();
    if text.chars().count() > MAX_REASON || text.chars().any(char::is_control) {
        return Err(Status::invalid_argument(format!(
            "{field}: it has one line of at most {MAX_REASON} characters"
        )));
    }
    Ok(text.to_owned())
}

/// The names typed again, or nothing.
fn overrides(typed: &str, nodes: &BTreeSet<NodeName>) -> Result<bool, Status> {
    if typed.is_empty() {
        return Ok(false);
    }
    let again: BTreeSet<&str> = typed.split(',').map(str::trim).collect();
    if again == nodes.iter().map(NodeName::as_str).collect() {
        return Ok(true);
    }
    Err(Status::invalid_argument(
        "override: it is the names of the nodes, typed again, and nothing else",
    ))
}

/// Who may not judge says so.
pub(crate) fn unknown(verdict: Verdict) -> Result<v1::LeaseAnswer, Status> {
    let json = json(&AnswerJson {
        verdict: &verdict,
        lease: None,
        is_done: false,
    })?;
    Ok(v1::LeaseAnswer {
        verdict: Some(verdict::message(verdict)?),
        lease: None,
        json,
        is_done: false,
    })
}

#[derive(Serialize)]
struct AnswerJson<'a> {
    verdict: &'a Verdict,
    lease: Option<&'a lease::Told>,
    is_done: bool,
}

#[derive(Serialize)]
struct ListJson<'a> {
    leases: &'a [lease::Told],
    unleased: &'a [Unleased],
}

/// Where leases are looked at.
pub(crate) struct Leases<'a> {
    pub(crate) view: &'a ClusterView,
    pub(crate) declared: &'a Declared,
    pub(crate) now: Now,
}

impl Leases<'_> {
    pub(crate) fn answer(
        &self,
        verdict: Verdict,
        lease: Option<&Lease>,
        is_done: bool,
    ) -> Result<v1::LeaseAnswer, Status> {
        let told = lease.and_then(|lease| self.told([lease]).pop());
        let json = json(&AnswerJson {
            verdict: &verdict,
            lease: told.as_ref(),
            is_done,
        })?;
        Ok(v1::LeaseAnswer {
            verdict: Some(verdict::message(verdict)?),
            lease: told.map(message),
            json,
            is_done,
        })
    }

    /// What is decided about them.
    pub(crate) fn kept(&self) -> Result<&lease::Leases, Status> {
        self.view.leases.as_deref().ok_or_else(|| {
            Status::failed_precondition(
                "which leases are held cannot be read; the collector's log says why",
            )
        })
    }

    pub(crate) fn list(&self) -> Result<v1::ListLeasesResponse, Status> {
        let leases = self.kept()?;
        let all = leases.current().into_iter().chain(leases.over().rev());
        let told = self.told(all);
        let cluster = cluster_of(self.view, self.now);
        let unleased = Unleased::all(&self.view.incidents, leases, &cluster, self.now);
        let json = json(&ListJson {
            leases: &told,
            unleased: &unleased,
        })?;
        Ok(v1::ListLeasesResponse {
            leases: told.into_iter().map(message).collect(),
            json,
            unleased: unleased.into_iter().map(unleased_message).collect(),
        })
    }

    /// The verdict on a second asking, for who holds the lease of exactly this and whose nodes have not left yet.
    pub(crate) fn again(
        &self,
        request: &Request,
        owner: &str,
        ceph_answers: &[CephAnswer],
    ) -> Result<Option<v1::LeaseAnswer>, Status> {
        let held = self.view.leases.as_deref().and_then(lease::Leases::current);
        let is_his = |lease: &&Lease| lease.awaits(owner, &request.nodes, request.action);
        let Some(lease) = held.filter(is_his) else {
            return Ok(None);
        };
        let cluster = cluster_of(self.view, self.now);
        let scene = self.scene(&cluster).with_ceph_answers(ceph_answers);
        let verdict = gate::check_as_holder(&scene, &self.view.found, request);
        let may = matches!(verdict.answer, Answer::Go | Answer::Warn);
        self.answer(verdict, Some(lease), may).map(Some)
    }

    fn scene<'b>(&'b self, cluster: &'b Cluster) -> Scene<'b> {
        self.declared
            .scene(cluster, self.now)
            .with_leases(self.view.leases.as_deref())
    }

    fn told<'b>(&self, leases: impl IntoIterator<Item = &'b Lease>) -> Vec<lease::Told> {
        let cluster = cluster_of(self.view, self.now);
        let scene = self.scene(&cluster);
        let since = self.view.well_since_ms;
        let well_for_ms = since.map(|since| self.now.mono_ms.saturating_sub(since));
        let told = |lease| lease::Told::of(lease, &scene, well_for_ms);
        leases.into_iter().map(told).collect()
    }
}

fn json(value: &impl Serialize) -> Result<String, Status> {
    serde_json::to_string(value)
        .map_err(|error| Status::internal(format!("the lease is no JSON: {error}")))
}

fn unleased_message(told: Unleased) -> v1::Unleased {
    v1::Unleased {
        node: told.node.to_string(),
        kind: told.kind.to_string(),
        since_unix_ms: told.since_unix_ms,
        sentence: told.sentence,
    }
}

fn message(told: lease::Told) -> v1::Lease {
    let action = match told.action {
        Action::Reboot => v1::Action::Reboot,
        Action::Shutdown => v1::Action::Shutdown,
        Action::Upgrade => v1::Action::Upgrade,
        Action::Network => v1::Action::Network,
    };
    v1::Lease {
        id: told.number.to_string(),
        nodes: told.nodes.iter().map(ToString::to_string).collect(),
        owner: told.owner,
        reason: told.reason,
        began_unix_ms: told.began_unix_ms,
        state: told.state.to_string(),
        action: action.into(),
        planned_s: told.planned_s,
        is_overdue: told.is_overdue,
        sentence: told.sentence,
        words: told.words,
        missing: told.missing.into_iter().map(|one| one.sentence).collect(),
        well_for_ms: told.well_for_ms,
        settles_ms: told.settles_ms,
    }
}
