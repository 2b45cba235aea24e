#![no_main]
//! No bytes make the parser of `openssl x509` panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = model::parse::openssl_x509::parse("pve-ssl.pem", &text);
});
