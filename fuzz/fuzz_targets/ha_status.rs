#![no_main]
//! No bytes make the parser of `ha-manager status` panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = model::parse::ha_status::parse(&String::from_utf8_lossy(bytes));
});
