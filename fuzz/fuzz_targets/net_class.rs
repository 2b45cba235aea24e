#![no_main]
//! No bytes make the parsers of `/sys/class/net` panic.

use libfuzzer_sys::fuzz_target;
use model::parse::net_class;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = net_class::speed(&text);
    let _ = net_class::duplex(&text);
    let _ = net_class::driver(&text);
});
