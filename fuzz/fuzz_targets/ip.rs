#![no_main]
//! No bytes make the `ip` parser panic, and what it makes of them can be merged with itself and written as JSON.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(parsed) = model::parse::ip::parse(&String::from_utf8_lossy(bytes)) else { return };
    let before = parsed.value.len();
    let mut links = parsed.value.clone();
    model::parse::ip::merge(&mut links, parsed.value);
    assert_eq!(links.len(), before);
});
