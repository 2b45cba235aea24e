//! What an idle node costs on the wire: one of eight, with three links to each, for an hour in which nothing happens but
//! that measures waver.

use model::fact::cmap::{Cmap, CmapValue};
use model::fact::ha::Ha;
use model::fact::link::{Link, Statistics};
use model::name::IfaceName;
use model::report::Family;
use prost::Message as _;
use serde_json::json;

use super::*;

/// gRPC's prefix, an HTTP/2 frame, a TLS record.
const FRAME_BYTES: usize = 5 + 9 + 22;
/// IPv4 and TCP with time stamps; a packet without anything in it acknowledges each.
const PACKET_BYTES: usize = 52;
const SEGMENT_BYTES: usize = 1448;
const HOUR_S: u64 = 3600;
const BUDGET_BYTES_A_SECOND: usize = 150;

fn on_the_wire(payload: usize) -> usize {
    let bytes = payload + FRAME_BYTES;
    bytes + bytes.div_ceil(SEGMENT_BYTES) * 2 * PACKET_BYTES
}

/// Between 0 and 99, the same for the same moment and thing.
fn wavering(second: u64, thing: u64) -> u64 {
    let mixed = (second * 31 + thing + 7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) % 100
}

fn cmap(second: u64) -> Fact {
    let mut keys = std::collections::BTreeMap::new();
    let mut set = |key: String, value: u64| drop(keys.insert(key, CmapValue::U64(value)));
    for (node, link) in (1..=7).flat_map(|node| (0..3).map(move |link| (node, link))) {
        let key = |field: &str| format!("stats.knet.node{node}.link{link}.{field}");
        let thing = node * 3 + link;
        // The mean over 2048 answers hardly moves; now and then it leaves its tenth.
        let strays = u64::from(wavering(second, thing) == 0) * 60;
        set(
            key("latency_ave"),
            300 + wavering(second, thing) / 5 + strays,
        );
        set(key("latency_max"), 900 + second / 600);
        for counter in ["latency_samples", "tx_total_packets", "rx_total_packets"] {
            set(key(counter), second * 3 + thing);
        }
        for still in [
            "connected",
            "enabled",
            "mtu",
            "up_count",
            "down_count",
            "tx_total_errors",
        ] {
            set(key(still), 1);
        }
    }
    for (thing, key) in ["avg_backlog_calc", "avg_token_workload", "mtt_rx_token"]
        .into_iter()
        .enumerate()
    {
        set(format!("stats.srp.{key}"), wavering(second, thing as u64));
    }
    set(
        "stats.srp.time_since_token_last_received".to_owned(),
        wavering(second, 9),
    );
    Fact::Cmap(known(Cmap { keys }))
}

fn links(second: u64) -> Fact {
    let link = |name: &str| {
        let mut link = Link::named(IfaceName::new(name).unwrap());
        link.statistics = Some(Statistics {
            rx_bytes: Some(second * 100_000),
            rx_packets: Some(second * 100),
            rx_dropped: Some(second / 7),
            rx_errors: Some(0),
            tx_bytes: Some(second * 100_000),
            tx_packets: Some(second * 100),
            carrier_changes: Some(2),
            ..Statistics::default()
        });
        link
    };
    let names = [
        "eno1", "eno2", "eno3", "eno4", "bond0", "bond1", "vmbr0", "vmbr1", "bond0.30", "tap100i0",
        "tap101i0", "lo",
    ];
    Fact::Links(known(names.map(link).into()))
}

fn of(family: Family, value: &Value) -> Fact {
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    family.known(&value.to_string(), at, Vec::new()).unwrap()
}

fn ha(second: u64) -> Fact {
    let mut ha = serde_json::to_value(Ha::default()).unwrap();
    let stamp = |ago: u64| {
        let at = i64::try_from(1_700_000_000 + (second - ago) / 10 * 10).unwrap();
        Timestamp::from_second(at).unwrap().to_string()
    };
    for node in 1..=8 {
        ha["lrm"][format!("pve-0{node}")] = json!({
            "mode": "active", "state": "active", "timestamp": stamp(node), "results": {}, "other": {},
        });
    }
    of(Family::Ha, &ha)
}

fn host(second: u64) -> Fact {
    let load = |thing| 0.5 + wavering(second, thing) as f64 / 400.0;
    let value = json!({
        "uptime_s": second as f64 + 0.37, "cpus_online": 32,
        "load": {"over_1_min": load(1), "over_5_min": load(2) / 2.0, "over_15_min": 0.41, "running_tasks": wavering(second, 3), "tasks": 900},
        "memory": {"total_bytes": 1_u64 << 37, "available_bytes": (1_u64 << 36) + (wavering(second, 4) << 20),
            "swap_total_bytes": 0, "swap_free_bytes": 0},
        "pressure": null,
    });
    of(Family::Host, &value)
}

fn own(second: u64) -> Fact {
    let value = json!({
        "version": "0.1.0", "blind_spots": [], "limits_hit": {}, "spool": null,
        "cost": {"proportional_memory_kib": 7000 + wavering(second, 5), "cpu_ms": second * 3},
    });
    of(Family::Agent, &value)
}

/// What is read in this second, at the pace of the sources.
fn readings(second: u64) -> Vec<Fact> {
    let mut facts = Vec::new();
    if second.is_multiple_of(2) {
        facts.push(neighbours(1));
    }
    if second.is_multiple_of(30) {
        facts.extend([cmap(second), links(second), ha(second)]);
    }
    if second.is_multiple_of(60) {
        facts.extend([host(second), own(second)]);
    }
    facts
}

#[test]
fn an_idle_node_costs_less_than_its_budget() {
    let mut session = open(1, 0);
    let (mut bytes, mut of_facts) = (0, 0);
    for second in 60..=60 + HOUR_S {
        let now = at((second - 60) as f64);
        for fact in readings(second) {
            session.heard(read(fact, now));
        }
        while let Some(sent) = session.next(now) {
            let size = on_the_wire(sent.encoded_len());
            match sent.message {
                // Once for each stream.
                Some(Message::Report(_)) => continue,
                Some(Message::Heartbeat(ref beat)) if beat.number % 5 == 0 => {
                    let number = beat.number;
                    let answer = said(Said::HeartbeatAnswer(v1::HeartbeatAnswer { number }));
                    bytes += on_the_wire(answer.encoded_len());
                    session.take(answer, now).unwrap();
                }
                Some(Message::Delta(_)) => of_facts += size,
                _ => {}
            }
            bytes += size;
        }
    }
    let (a_second, of_facts) = (bytes / HOUR_S as usize, of_facts / HOUR_S as usize);
    println!("idle: {a_second} B/s at IP level, {of_facts} of them facts");
    assert!(
        a_second < BUDGET_BYTES_A_SECOND,
        "{a_second} B/s, {of_facts} of them facts"
    );
}
