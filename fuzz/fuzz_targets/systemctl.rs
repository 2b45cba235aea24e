#![no_main]
//! No bytes make the parsers of systemctl's answers panic.

use libfuzzer_sys::fuzz_target;
use model::parse::systemctl;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = systemctl::show(&text);
    let _ = systemctl::list_jobs(&text);
});
