//! What of the facts is a measure: a number, or a time, that goes on or wavers by itself. A fact goes to the collector
//! when it changes; a measure only now and then, and only if it differs by more than its grain. Otherwise eight idle
//! nodes would talk all day.
//!
//! The table stands here once. Error counters are not in it: that one rises is news.

use serde_json::{Map, Number, Value};

use crate::change::counterparts;
use crate::report::Family;

const MIB_16: f64 = 16_777_216.0;
/// Two measures with [`Grain::Share`] are the same if they differ by at most this part of the one sent before.
const SHARE: f64 = 0.1;

/// By how much a measure must differ to be told.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Grain {
    Any,
    /// A tenth of it.
    Share,
    /// This much; it is rounded to multiples of it.
    Step(f64),
    /// One part in so many of a unit; it is rounded to multiples of it.
    Part(f64),
}

/// How often a measure is told at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Minute,
    QuarterHour,
    /// As `QuarterHour`, and it does not go along when a fact beside it changed: counters of bytes and packets.
    Traffic,
}

/// What is to be told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// Facts that changed, and with them the measures of the same family.
    Facts,
    /// And measures.
    Minute,
    /// And those that are told seldom.
    QuarterHour,
}

type Row = (&'static str, Grain, Pace);

use Grain::{Any, Part, Share, Step};
use Pace::{Minute, QuarterHour, Traffic};

/// The fields of a family that are measures; of the keys of corosync's map, the last word.
const MEASURES: &[(Family, &[Row])] = &[
    (
        Family::Agent,
        &[
            ("cost", Any, QuarterHour),
            ("bytes", Any, QuarterHour),
            ("first", Any, QuarterHour),
            ("last", Any, QuarterHour),
        ],
    ),
    (
        Family::Boot,
        &[
            ("used_percent", Step(1.0), Minute),
            ("used_inodes_percent", Step(1.0), Minute),
            ("size_mib", Any, QuarterHour),
        ],
    ),
    (Family::Bridges, &[("seen", Any, Traffic)]),
    (
        Family::Ceph,
        &[
            ("by_state", Any, Minute),
            ("data_bytes", Share, QuarterHour),
            ("used_bytes", Share, QuarterHour),
            ("available_bytes", Share, QuarterHour),
            ("total_bytes", Share, QuarterHour),
            ("degraded_objects", Any, Minute),
            ("misplaced_objects", Any, Minute),
            ("remapped_pgs", Any, Minute),
            ("epoch", Any, QuarterHour),
            ("quorum_age_seconds", Any, QuarterHour),
        ],
    ),
    (
        Family::Cmap,
        &[
            ("latency_ave", Share, Minute),
            ("latency_max", Share, Minute),
            ("latency_samples", Any, Traffic),
            ("tx_total_packets", Any, Traffic),
            ("rx_total_packets", Any, Traffic),
            ("avg_backlog_calc", Share, Traffic),
            ("avg_token_workload", Share, Traffic),
            ("mtt_rx_token", Share, Traffic),
            ("time_since_token_last_received", Any, Traffic),
        ],
    ),
    (Family::Corosync, &[("date", Any, QuarterHour)]),
    (
        Family::Ha,
        &[
            ("timestamp", Any, Minute),
            ("local_time", Any, Minute),
            ("results", Any, QuarterHour),
            ("uid", Any, QuarterHour),
        ],
    ),
    (
        Family::Host,
        &[
            ("uptime_s", Any, QuarterHour),
            ("over_1_min", Part(10.0), Minute),
            ("over_5_min", Part(10.0), Minute),
            ("over_15_min", Part(10.0), Minute),
            ("running_tasks", Any, QuarterHour),
            ("tasks", Any, QuarterHour),
            ("available_bytes", Step(MIB_16), Minute),
            ("swap_free_bytes", Step(MIB_16), Minute),
            ("over_10_s_percent", Step(1.0), Minute),
            ("over_60_s_percent", Step(1.0), Minute),
            ("over_300_s_percent", Step(1.0), Minute),
            ("total_us", Any, QuarterHour),
        ],
    ),
    (
        Family::Journal,
        &[
            ("entries_read", Any, QuarterHour),
            ("entries_of_others", Any, QuarterHour),
            ("events_dropped", Any, QuarterHour),
            ("first", Any, QuarterHour),
            ("last", Any, QuarterHour),
        ],
    ),
    (
        Family::Links,
        &[
            ("rx_bytes", Any, Traffic),
            ("rx_packets", Any, Traffic),
            // Unknown protocols raise these on healthy ports.
            ("rx_dropped", Any, Traffic),
            ("rx_nohandler", Any, Traffic),
            ("rx_multicast", Any, Traffic),
            ("tx_bytes", Any, Traffic),
            ("tx_packets", Any, Traffic),
            // How long an IPv6 address is still good, second by second.
            ("valid", Any, Traffic),
            ("preferred", Any, Traffic),
        ],
    ),
    (Family::Lldp, &[("age", Any, QuarterHour)]),
    (Family::Members, &[("version", Any, QuarterHour)]),
    (Family::Power, &[("queued_jobs", Any, Minute)]),
    (
        Family::Quorumtool,
        &[("text", Any, QuarterHour), ("date", Any, QuarterHour)],
    ),
    (
        Family::Storage,
        &[
            ("at", Any, QuarterHour),
            ("used_bytes", Any, QuarterHour),
            ("last_sync", Any, QuarterHour),
            ("last_try", Any, QuarterHour),
            ("pid", Any, QuarterHour),
        ],
    ),
    (
        Family::Time,
        &[
            ("measured_at", Any, QuarterHour),
            ("offset_s", Part(1000.0), Minute),
            ("last_offset_s", Any, QuarterHour),
            ("rms_offset_s", Any, QuarterHour),
            ("frequency_ppm", Any, QuarterHour),
            ("skew_ppm", Any, QuarterHour),
            ("root_delay_s", Part(1000.0), Minute),
            ("root_dispersion_s", Part(1000.0), Minute),
            ("update_interval_s", Any, QuarterHour),
            ("timesyncd_at", Any, QuarterHour),
        ],
    ),
];

fn measures(family: Family) -> &'static [Row] {
    let row = MEASURES.iter().find(|(of, _)| *of == family);
    row.map_or(&[], |(_, rows)| rows)
}

/// The names of the fields of a family that are measures, wherever they stand in it.
pub(crate) fn names(family: Family) -> impl Iterator<Item = &'static str> {
    measures(family).iter().map(|(name, _, _)| *name)
}

/// A value of a family without its measures: what of it is a fact.
pub fn without(family: Family, value: &Value) -> Value {
    let rows = measures(family);
    match value {
        Value::Object(fields) => {
            let facts = fields.iter().filter(|(key, _)| row(rows, key).is_none());
            let facts = facts.map(|(key, value)| (key.clone(), without(family, value)));
            Value::Object(facts.collect())
        }
        Value::Array(items) => items.iter().map(|item| without(family, item)).collect(),
        other => other.clone(),
    }
}

fn row<'a>(rows: &'a [Row], key: &str) -> Option<&'a Row> {
    let last = key.rsplit('.').next().unwrap_or(key);
    rows.iter().find(|(name, _, _)| *name == last)
}

/// What is to be told of a family: its value as it is now, with each measure that is not due, or hardly different, as
/// it was told before. `None`: nothing.
pub fn to_tell(family: Family, told: Option<&Value>, now: &Value, due: Due) -> Option<Value> {
    let rows = measures(family);
    let Some(told) = told else {
        return Some(
            Telling {
                rows,
                due,
                along: false,
            }
            .first(now),
        );
    };
    let telling = |along| Telling { rows, due, along }.merged(told, now);
    let wanted = telling(false);
    if &wanted == told {
        return None;
    }
    Some(if due == Due::Facts {
        telling(true)
    } else {
        wanted
    })
}

struct Telling {
    rows: &'static [Row],
    due: Due,
    /// A fact is told anyway.
    along: bool,
}

impl Telling {
    fn row(&self, key: &str) -> Option<&Row> {
        row(self.rows, key)
    }

    fn is_due(&self, pace: Pace) -> bool {
        match pace {
            Pace::Minute => self.along || self.due >= Due::Minute,
            Pace::QuarterHour => self.along || self.due >= Due::QuarterHour,
            Pace::Traffic => self.due >= Due::QuarterHour,
        }
    }

    /// Told for the first time.
    fn first(&self, now: &Value) -> Value {
        match now {
            Value::Object(now) => {
                let fields = now.iter().map(|(key, now)| {
                    let value = match self.row(key) {
                        Some((_, grain, _)) => rounded(now, *grain),
                        None => self.first(now),
                    };
                    (key.clone(), value)
                });
                Value::Object(fields.collect())
            }
            Value::Array(now) => now.iter().map(|now| self.first(now)).collect(),
            other => other.clone(),
        }
    }

    fn merged(&self, told: &Value, now: &Value) -> Value {
        match (told, now) {
            (Value::Object(told), Value::Object(now)) => Value::Object(self.fields(told, now)),
            (Value::Array(told), Value::Array(now)) => {
                let partners = counterparts(told, now);
                let element = |(partner, now): (Option<&Value>, &Value)| match partner {
                    Some(told) => self.merged(told, now),
                    None => self.first(now),
                };
                partners.into_iter().zip(now).map(element).collect()
            }
            (_, now) => self.first(now),
        }
    }

    fn fields(&self, told: &Map<String, Value>, now: &Map<String, Value>) -> Map<String, Value> {
        let field = |(key, now): (&String, &Value)| {
            let value = match (told.get(key), self.row(key)) {
                // That a measure became known, or unknown, is news.
                (Some(told), Some((_, grain, pace))) if told.is_null() == now.is_null() => {
                    if !self.is_due(*pace) || is_same(told, now, *grain) {
                        told.clone()
                    } else {
                        rounded(now, *grain)
                    }
                }
                (_, Some((_, grain, _))) => rounded(now, *grain),
                (Some(told), None) => self.merged(told, now),
                (None, None) => self.first(now),
            };
            (key.clone(), value)
        };
        now.iter().map(field).collect()
    }
}

fn is_same(told: &Value, now: &Value, grain: Grain) -> bool {
    let by = match (told.as_f64(), now.as_f64()) {
        (Some(told), Some(now)) => (told, (told - now).abs()),
        _ => return told == now,
    };
    let (told, difference) = by;
    match grain {
        Grain::Any => difference == 0.0,
        Grain::Share => difference <= told.abs() * SHARE,
        Grain::Step(step) => difference < step,
        Grain::Part(parts) => difference * parts < 1.0,
    }
}

fn rounded(value: &Value, grain: Grain) -> Value {
    let Some(number) = value.as_f64() else {
        return value.clone();
    };
    let rounded = match grain {
        Grain::Any | Grain::Share => return value.clone(),
        Grain::Step(step) => (number / step).round() * step,
        Grain::Part(parts) => (number * parts).round() / parts,
    };
    if value.is_f64() {
        return Number::from_f64(rounded).map_or(Value::Null, Value::Number);
    }
    // A whole number stays one; what a float cannot hold exactly is never rounded to a step.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it saturates"
    )]
    let whole = rounded as u64;
    if number < 0.0 {
        value.clone()
    } else {
        whole.into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cmap(latency: u64, packets: u64, retransmits: u64) -> Value {
        json!({
            "stats.knet.node2.link0.latency_ave": latency,
            "stats.knet.node2.link0.rx_total_packets": packets,
            "stats.srp.mcast_retx": retransmits,
        })
    }

    #[test]
    fn facts_go_at_once_and_measures_with_them_or_at_their_pace() {
        let told = cmap(200, 1000, 0);
        let tell = |now, due| to_tell(Family::Cmap, Some(&told), &now, due);
        for due in [Due::Facts, Due::Minute, Due::QuarterHour] {
            assert_eq!(tell(cmap(220, 1000, 0), due), None, "a tenth is nothing");
        }
        assert_eq!(tell(cmap(300, 2000, 0), Due::Facts), None);
        let minute = tell(cmap(300, 2000, 0), Due::Minute);
        assert_eq!(minute, Some(cmap(300, 1000, 0)));
        let quarter = tell(cmap(300, 2000, 0), Due::QuarterHour);
        assert_eq!(quarter, Some(cmap(300, 2000, 0)));
        let fact = tell(cmap(300, 2000, 1), Due::Facts);
        assert_eq!(fact, Some(cmap(300, 1000, 1)), "packets wait all the same");
    }

    #[test]
    fn small_steps_add_up_to_one_that_is_told() {
        let host = |load: f64, free: u64| json!({"load": {"over_1_min": load}, "memory": {"available_bytes": free}});
        let first = to_tell(Family::Host, None, &host(0.2345, 100 << 20), Due::Facts).unwrap();
        assert_eq!(first, host(0.2, 96 << 20));
        let tell = |now: &Value| to_tell(Family::Host, Some(&first), now, Due::Minute);
        assert_eq!(tell(&host(0.26, 110 << 20)), None);
        assert_eq!(tell(&host(0.31, 120 << 20)), Some(host(0.3, 128 << 20)));
    }

    #[test]
    fn a_measure_that_becomes_unknown_is_news() {
        let (known, unknown) = (json!({"uptime_s": 5.0}), json!({"uptime_s": null}));
        let tell = |told, now| to_tell(Family::Host, Some(told), now, Due::Facts);
        assert_eq!(tell(&known, &unknown), Some(unknown.clone()));
        assert_eq!(tell(&unknown, &known), Some(known.clone()));
    }

    #[test]
    fn what_is_kept_back_stays_with_its_own_element_of_a_list() {
        let link = |name: &str, bytes: u64| json!({"name": name, "statistics": {"rx_bytes": bytes, "rx_errors": 0}});
        let told = json!([link("eno1", 10), link("eno2", 20)]);
        let now = json!([link("eno0", 5), link("eno2", 21), link("eno1", 11)]);
        let tell = to_tell(Family::Links, Some(&told), &now, Due::Facts).unwrap();
        assert_eq!(
            tell,
            json!([link("eno0", 5), link("eno2", 20), link("eno1", 10)])
        );
    }

    #[test]
    fn without_its_measures_a_value_is_what_it_says_of_the_state() {
        let links = json!([{"name": "eno1", "statistics": {"rx_bytes": 7, "rx_errors": 1}}]);
        assert_eq!(
            without(Family::Links, &links),
            json!([{"name": "eno1", "statistics": {"rx_errors": 1}}])
        );
        assert_eq!(without(Family::Bonds, &links), links);
        assert_eq!(
            without(Family::Cmap, &cmap(200, 1000, 3)),
            json!({"stats.srp.mcast_retx": 3})
        );
    }

    #[test]
    fn the_tools_text_goes_with_what_it_says() {
        let said = |text: &str, votes: u32| json!({"text": text, "said": {"total_votes": votes, "date": text}});
        let told = said("10:00", 8);
        let tell = |now| to_tell(Family::Quorumtool, Some(&told), &now, Due::Facts);
        assert_eq!(tell(said("10:01", 8)), None);
        assert_eq!(tell(said("10:01", 7)), Some(said("10:01", 7)));
    }
}
