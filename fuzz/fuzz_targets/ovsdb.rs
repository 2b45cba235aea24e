#![no_main]
//! No bytes make the OVSDB parser panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = model::parse::ovsdb::parse(&String::from_utf8_lossy(bytes));
});
