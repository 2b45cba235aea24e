#![no_main]
//! No bytes make the parsers of the small files of `/proc` panic.

use libfuzzer_sys::fuzz_target;
use model::parse::proc;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = proc::loadavg(&text);
    let _ = proc::uptime(&text);
    let _ = proc::meminfo(&text);
    let _ = proc::pressure(&text);
    let _ = proc::cpus(&text);
});
