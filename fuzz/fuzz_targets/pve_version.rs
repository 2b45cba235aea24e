#![no_main]
//! No bytes make the parser of `.version` panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(parsed) = model::parse::pve_version::parse(&text) {
        let _ = parsed.value.changed_since(&parsed.value);
    }
});
