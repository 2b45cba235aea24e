#![no_main]
//! No bytes make the parsers of HA's configuration panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = model::parse::ha_config::parse_resources(&text);
    let _ = model::parse::ha_config::parse_groups(&text);
    let _ = model::parse::ha_config::parse_rules(&text);
    let _ = model::parse::ha_config::parse_datacenter(&text);
});
