//! All that a verdict is judged by, so that it can be judged again: by another version, elsewhere, long after. The way to
//! find out why a GO was wrong.
//!
//! What hardly changes from one verdict to the next (readings, leases, declarations) is handed out piece by piece, so that whoever
//! keeps many of them keeps each piece once.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::{Error, Map, Value};

use super::{CephAnswer, Request, Verdict, check, check_as_holder};
use crate::cluster::{Cluster, Held, Node, Now, Past, Seen};
use crate::finding::Finding;
use crate::fleet::Hearing;
use crate::lease::Leases;
use crate::name::NodeName;
use crate::reading::Reading;
use crate::report::{Fact, Family};
use crate::rule::{Scene, Thresholds};
use crate::topology::Site;

/// What is looked at, and what is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Basis {
    pub cluster: Cluster,
    pub now: Now,
    pub thresholds: Arc<Thresholds>,
    pub site: Arc<Site>,
    pub leases: Option<Arc<Leases>>,
    pub ceph_answers: Vec<CephAnswer>,
    /// What the rules found last.
    pub found: Arc<Vec<Finding>>,
    pub request: Request,
    /// Whether it is asked by who holds the lease of these nodes.
    pub is_holder: bool,
}

/// One that is likely to be the same the next time: what is shared is the same piece.
#[derive(Debug, Clone, Copy)]
pub enum Piece<'a> {
    Fact(&'a Arc<Fact>),
    Leases(&'a Arc<Leases>),
    Thresholds(&'a Arc<Thresholds>),
    Site(&'a Arc<Site>),
    Found(&'a Arc<Vec<Finding>>),
}

impl Piece<'_> {
    pub fn to_json(self) -> Result<Value, Error> {
        match self {
            Self::Fact(fact) => serde_json::to_value(fact.to_json()),
            Self::Leases(leases) => serde_json::to_value(&**leases),
            Self::Thresholds(thresholds) => serde_json::to_value(&**thresholds),
            Self::Site(site) => serde_json::to_value(&**site),
            Self::Found(found) => serde_json::to_value(&**found),
        }
    }
}

/// What is written of a node beside its facts.
#[derive(Serialize, Deserialize)]
struct NodeJson {
    hearing: Hearing,
    heard_at_ms: Option<u64>,
    boot_id: String,
    skew_ms: Option<i64>,
    past: Past,
    facts: BTreeMap<Family, HeldJson>,
}

#[derive(Serialize, Deserialize)]
struct HeldJson {
    read_at_ms: i64,
    fact: Value,
}

impl Basis {
    pub fn judge(&self) -> Verdict {
        let scene = Scene::new(&self.cluster, self.now, &self.thresholds, &self.site)
            .with_leases(self.leases.as_deref())
            .with_ceph_answers(&self.ceph_answers);
        if self.is_holder {
            check_as_holder(&scene, &self.found, &self.request)
        } else {
            check(&scene, &self.found, &self.request)
        }
    }

    /// `piece`: what stands in the place of each, itself ([`Piece::to_json`]) or a name for it.
    pub fn to_json(
        &self,
        mut piece: impl FnMut(Piece<'_>) -> Result<Value, Error>,
    ) -> Result<Value, Error> {
        let Self {
            cluster,
            now,
            thresholds,
            site,
            leases,
            ceph_answers,
            found,
            request,
            is_holder,
        } = self;
        let mut json = Map::new();
        let mut put = |key: &str, value| drop(json.insert(key.to_owned(), value));
        put("now", serde_json::to_value(now)?);
        put("request", serde_json::to_value(request)?);
        put("is_holder", Value::Bool(*is_holder));
        put("ceph_answers", serde_json::to_value(ceph_answers)?);
        put("thresholds", piece(Piece::Thresholds(thresholds))?);
        put("site", piece(Piece::Site(site))?);
        let leases = leases.as_ref().map(|leases| piece(Piece::Leases(leases)));
        put("leases", leases.transpose()?.unwrap_or_default());
        put("found", piece(Piece::Found(found))?);
        put("name", Value::String(cluster.name.clone()));
        put("gone", serde_json::to_value(&cluster.gone)?);
        put("recalled", serde_json::to_value(&cluster.recalled)?);
        let mut nodes = Map::new();
        for (name, node) in &cluster.nodes {
            nodes.insert(name.to_string(), node_to_json(node, &mut piece)?);
        }
        put("nodes", Value::Object(nodes));
        Ok(Value::Object(json))
    }

    /// From what [`Self::to_json`] made, each piece in its place.
    pub fn from_json(mut json: Value) -> Result<Self, Error> {
        let mut nodes = BTreeMap::new();
        for (name, node) in field::<BTreeMap<NodeName, Value>>(&mut json, "nodes")? {
            nodes.insert(name.clone(), node_from_json(name, node)?);
        }
        let cluster = Cluster {
            name: field(&mut json, "name")?,
            nodes,
            gone: field(&mut json, "gone")?,
            nodes_not_kept: 0,
            recalled: field(&mut json, "recalled")?,
        };
        Ok(Self {
            cluster,
            now: field(&mut json, "now")?,
            thresholds: Arc::new(field(&mut json, "thresholds")?),
            site: Arc::new(field(&mut json, "site")?),
            leases: field::<Option<Leases>>(&mut json, "leases")?.map(Arc::new),
            ceph_answers: field(&mut json, "ceph_answers")?,
            found: Arc::new(field(&mut json, "found")?),
            request: field(&mut json, "request")?,
            is_holder: field(&mut json, "is_holder")?,
        })
    }
}

fn field<T: DeserializeOwned>(json: &mut Value, name: &str) -> Result<T, Error> {
    let value = json.get_mut(name).map(Value::take);
    let value = value.ok_or_else(|| Error::custom(format!("it has no {name:?}")))?;
    serde_json::from_value(value).map_err(|error| Error::custom(format!("{name}: {error}")))
}

fn node_to_json(
    node: &Node,
    piece: &mut impl FnMut(Piece<'_>) -> Result<Value, Error>,
) -> Result<Value, Error> {
    let Seen {
        hearing,
        heard_at_ms,
        boot_id,
        skew_ms,
        facts,
    } = &node.seen;
    let mut held_facts = BTreeMap::new();
    for (family, held) in facts {
        let fact = piece(Piece::Fact(&held.fact))?;
        let read_at_ms = held.read_at_ms;
        held_facts.insert(*family, HeldJson { read_at_ms, fact });
    }
    serde_json::to_value(NodeJson {
        hearing: *hearing,
        heard_at_ms: *heard_at_ms,
        boot_id: boot_id.clone(),
        skew_ms: *skew_ms,
        past: node.past.clone(),
        facts: held_facts,
    })
}

fn node_from_json(name: NodeName, json: Value) -> Result<Node, Error> {
    let json: NodeJson = serde_json::from_value(json)?;
    let mut facts = BTreeMap::new();
    for (family, HeldJson { read_at_ms, fact }) in json.facts {
        let fact = fact_from_json(family, fact)
            .map_err(|error| Error::custom(format!("{} of {name}: {error}", family.key())))?;
        let fact = Arc::new(fact);
        facts.insert(family, Held { fact, read_at_ms });
    }
    let seen = Seen {
        hearing: json.hearing,
        heard_at_ms: json.heard_at_ms,
        boot_id: json.boot_id,
        skew_ms: json.skew_ms,
        facts,
    };
    let past = json.past;
    Ok(Node { name, seen, past })
}

fn fact_from_json(family: Family, json: Value) -> Result<Fact, Error> {
    match serde_json::from_value::<Reading<Value>>(json)? {
        Reading::Known {
            value,
            at,
            problems,
        } => {
            let known = family.known(&value.to_string(), at, problems);
            known.map_err(Error::custom)
        }
        Reading::Failed { why } => Ok(family.failed(why)),
        Reading::Absent => Ok(family.absent()),
        Reading::NeverHeard => Ok(family.never_heard()),
    }
}
