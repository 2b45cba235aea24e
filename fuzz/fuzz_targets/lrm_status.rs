#![no_main]
//! No bytes make the parsers of `lrm_status` and `manager_status` panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = model::parse::lrm_status::parse(&text);
    let _ = model::parse::lrm_status::parse_manager_status(&text);
});
