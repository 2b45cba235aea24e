//! The parts of `ceph status`, `quorum_status` and `report` beside the health.

use serde_json::{Map, Value};

use crate::fact::ceph::{Manager, Mon, MonQuorum, Osds, PgState, Pgs};
use crate::parse::json::{Taker, items};

type Object = Map<String, Value>;

/// In `status` it stands above, in the others inside of the monmap.
pub(super) fn fsid(taker: &mut Taker, root: &Object) -> Option<String> {
    match root.get("fsid") {
        Some(_) => taker.text(root, "fsid"),
        None => {
            let monmap = root.get("monmap").and_then(Value::as_object)?;
            taker.text(monmap, "fsid")
        }
    }
}

pub(super) fn quorum(taker: &mut Taker, root: &Object) -> Option<MonQuorum> {
    let keys = ["quorum", "quorum_names", "quorum_leader_name", "monmap"];
    if !keys.iter().any(|key| root.contains_key(*key)) {
        return None;
    }
    let monmap = taker.object(root, "monmap");
    let names = stated(root, "quorum_names").then(|| taker.texts(root, "quorum_names"));
    let ranks = stated(root, "quorum").then(|| {
        let ranks = items(root.get("quorum")).iter();
        ranks
            .filter_map(|rank| taker.number_of("quorum", rank))
            .collect()
    });
    let leader = taker.text(root, "quorum_leader_name");
    let mut quorum = MonQuorum {
        names,
        ranks,
        leader: leader.filter(|leader| !leader.is_empty()),
        monmap: None,
        monitors: None,
        monmap_epoch: None,
        election_epoch: taker.number(root, "election_epoch"),
        quorum_age_seconds: taker.number(root, "quorum_age"),
    };
    if let Some(monmap) = monmap {
        quorum.monmap_epoch = taker.number(monmap, "epoch");
        quorum.monitors = taker.number(monmap, "num_mons");
        if stated(monmap, "mons") {
            let mons = items(monmap.get("mons")).iter();
            quorum.monmap = Some(mons.map(|mon| self::mon(taker, mon)).collect());
        }
    }
    Some(quorum)
}

fn stated(object: &Object, key: &str) -> bool {
    object.get(key).is_some_and(|value| !value.is_null())
}

fn mon(taker: &mut Taker, value: &Value) -> Mon {
    let Value::Object(object) = value else {
        taker.bad("mons", value, "it is not an object");
        return Mon::default();
    };
    let address = if object.contains_key("addr") {
        "addr"
    } else {
        "public_addr"
    };
    Mon {
        name: taker.text(object, "name"),
        rank: taker.number(object, "rank"),
        address: taker.text(object, address),
    }
}

/// Counted by ceph (`num_osds`), or in `ceph report` listed one by one.
pub(super) fn osds(taker: &mut Taker, root: &Object) -> Option<Osds> {
    let outer = taker.object(root, "osdmap")?;
    let map = match outer.get("osdmap") {
        Some(Value::Object(inner)) => inner,
        _ => outer,
    };
    if map.is_empty() {
        return None;
    }
    let mut osds = Osds {
        epoch: taker.number(map, "epoch"),
        total: taker.number(map, "num_osds"),
        up: taker.number(map, "num_up_osds"),
        r#in: taker.number(map, "num_in_osds"),
        full: taker.flag(map, "full"),
        nearfull: taker.flag(map, "nearfull"),
        remapped_pgs: taker.number(map, "num_remapped_pgs"),
        flags: None,
    };
    if stated(map, "flags") {
        let flags = taker.text(map, "flags").unwrap_or_default();
        let flags = flags.split(',').filter(|flag| !flag.is_empty());
        osds.flags = Some(flags.map(str::to_owned).collect());
    }
    if let (None, Some(Value::Array(list))) = (osds.total, map.get("osds")) {
        osds.total = u64::try_from(list.len()).ok();
        osds.up = count(taker, list, "up");
        osds.r#in = count(taker, list, "in");
    }
    Some(osds)
}

/// How many OSDs have 1 there; unknown if one of them does not say.
fn count(taker: &mut Taker, osds: &[Value], key: &str) -> Option<u64> {
    let mut count = Some(0_u64);
    for osd in osds {
        let has = match osd.get(key) {
            Some(value) => taker.number_of::<u64>(key, value),
            None => {
                taker.bad("osds", osd, &format!("it does not say whether it is {key}"));
                None
            }
        };
        count = count
            .zip(has)
            .map(|(count, has)| count.saturating_add(has.min(1)));
    }
    count
}

pub(super) fn pgs(taker: &mut Taker, root: &Object) -> Option<Pgs> {
    // `ceph report` prints the digest of the map without a frame.
    let map = match taker.object(root, "pgmap") {
        Some(map) => map,
        None if root.contains_key("num_pg_by_state") => root,
        None => return None,
    };
    if map.is_empty() {
        return None;
    }
    let states = ["pgs_by_state", "num_pg_by_state"].map(|key| items(map.get(key)));
    let total = if map.contains_key("num_pgs") {
        "num_pgs"
    } else {
        "num_pg"
    };
    Some(Pgs {
        total: taker.number(map, total),
        by_state: states
            .into_iter()
            .flatten()
            .map(|state| pg_state(taker, state))
            .collect(),
        data_bytes: taker.number(map, "data_bytes"),
        used_bytes: taker.number(map, "bytes_used"),
        available_bytes: taker.number(map, "bytes_avail"),
        total_bytes: taker.number(map, "bytes_total"),
        degraded_objects: taker.number(map, "degraded_objects"),
        misplaced_objects: taker.number(map, "misplaced_objects"),
        unfound_objects: taker.number(map, "unfound_objects"),
    })
}

fn pg_state(taker: &mut Taker, value: &Value) -> PgState {
    let Value::Object(object) = value else {
        taker.bad("pgs_by_state", value, "it is not an object");
        return PgState::default();
    };
    let state = if object.contains_key("state_name") {
        "state_name"
    } else {
        "state"
    };
    let count = if object.contains_key("count") {
        "count"
    } else {
        "num"
    };
    PgState {
        state: taker.text(object, state),
        count: taker.number(object, count),
    }
}

pub(super) fn manager(taker: &mut Taker, root: &Object) -> Option<Manager> {
    let map = taker.object(root, "mgrmap")?;
    let standbys = match map.get("standbys") {
        Some(Value::Array(list)) => u64::try_from(list.len()).ok(),
        Some(_) => None,
        None => taker.number(map, "num_standbys"),
    };
    Some(Manager {
        available: taker.flag(map, "available"),
        active: taker
            .text(map, "active_name")
            .filter(|name| !name.is_empty()),
        standbys,
    })
}
