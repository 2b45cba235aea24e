#![no_main]
//! No bytes make the parser of `pveversion` panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = model::parse::pveversion::parse(&String::from_utf8_lossy(bytes));
});
