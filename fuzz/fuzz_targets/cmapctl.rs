#![no_main]
//! No bytes make the cmapctl parser panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = model::parse::cmapctl::parse(&String::from_utf8_lossy(bytes));
});
