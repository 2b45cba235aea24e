#![no_main]
//! No bytes make the parser of `.link` files panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = model::parse::link_file::parse("99-default.link", &text);
});
