#![no_main]
//! No bytes make the parser of `/etc/network/interfaces` panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = model::parse::interfaces::parse("interfaces", &String::from_utf8_lossy(bytes));
});
