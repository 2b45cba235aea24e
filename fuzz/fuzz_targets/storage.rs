#![no_main]
//! No bytes make the parsers of storages and of replication panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = model::parse::storage::parse(&text);
    let _ = model::parse::storage::parse_rrd(&text);
    let _ = model::parse::storage::parse_replication(&text);
    let _ = model::parse::storage::parse_replication_state(&text);
});
