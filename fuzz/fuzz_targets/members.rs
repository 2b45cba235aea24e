#![no_main]
//! No bytes make the parser of `.members` panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = model::parse::members::parse(&String::from_utf8_lossy(bytes));
});
