#![no_main]
//! No bytes make the lldpcli parser panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = model::parse::lldpcli::parse(&String::from_utf8_lossy(bytes));
});
