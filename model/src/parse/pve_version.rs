//! `/etc/pve/.version`, as pmxcfs prints it (pve-cluster, src/pmxcfs/status.c: cfs_create_version_msg).
//!
//! One JSON object: `starttime`, `clinfo`, `vmlist`, a counter for each watched file, and `kvstore`, whose counters go up
//! every few seconds with every node's load and are left out.

use serde_json::Value;

use crate::fact::pve_version::PveVersion;
use crate::parse::json::{object_of, refused};
use crate::text::{BadLines, Parsed, Unreadable};

/// How many counters are kept; pmxcfs has about fifty.
const MAX_COUNTERS: usize = 500;

/// Reads the counters. An object without `starttime` is none.
pub fn parse(text: &str) -> Result<Parsed<PveVersion>, Unreadable> {
    let object = object_of(text)?;
    if !object.contains_key("starttime") {
        return Err(Unreadable::foreign(text));
    }
    let mut bad_lines = BadLines::default();
    let mut version = PveVersion::default();
    for (key, value) in object {
        match (key.as_str(), &value) {
            ("kvstore", _) => {}
            ("starttime", Value::Number(number)) => version.start_time = number.as_i64(),
            (_, Value::Number(number)) if version.counters.len() < MAX_COUNTERS => {
                match number.as_u64() {
                    Some(count) => {
                        version.counters.insert(key, count);
                    }
                    None => bad_lines.push(refused(&key, &value, "it is not a count")),
                }
            }
            (_, Value::Number(_)) => {
                let why = format!("only the first {MAX_COUNTERS} counters are kept");
                bad_lines.push(refused(&key, &value, &why));
            }
            _ => bad_lines.push(refused(&key, &value, "it is not a count")),
        }
    }
    Ok(bad_lines.with(version))
}

#[cfg(test)]
mod tests {
    //! The fixture is written after what pmxcfs' source prints; it is no capture.

    use super::*;

    const FOUR: &str = include_str!("../../fixtures/pve_version/written-pve9");

    #[track_caller]
    fn read(text: &str) -> PveVersion {
        let parsed = parse(text).unwrap();
        assert_eq!(parsed.bad_lines, [], "{text}");
        parsed.value
    }

    #[test]
    fn the_counters_are_read_and_those_of_load_are_left_out() {
        let version = read(FOUR);
        assert_eq!(version.start_time, Some(1_700_000_000));
        assert_eq!(version.counters["clinfo"], 23);
        assert_eq!(version.counters["ha/manager_status"], 90210);
        assert_eq!(version.counters.len(), 44);
    }

    #[test]
    fn what_counted_up_is_named() {
        let before = read(FOUR);
        assert!(before.changed_since(&before).is_empty());
        let after = read(&FOUR.replace("\"vmlist\": 117", "\"vmlist\": 118"));
        assert_eq!(Vec::from_iter(after.changed_since(&before)), ["vmlist"]);
        let restarted = read(&FOUR.replace("1700000000", "1700000001"));
        assert_eq!(restarted.changed_since(&before).len(), 44);
    }

    #[test]
    fn a_bad_counter_is_unknown_and_said() {
        let parsed = parse(r#"{"starttime":1,"vmlist":-1,"clinfo":"x","a":2}"#).unwrap();
        assert_eq!(parsed.bad_lines.len(), 2);
        assert_eq!(parsed.value.counters.len(), 1);
        assert!(parse("{}").is_err());
        assert_eq!(parse(""), Err(Unreadable::Empty));
    }
}
