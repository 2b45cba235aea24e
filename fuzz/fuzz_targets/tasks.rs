#![no_main]
//! No bytes make the parsers of the lists of tasks, and of a process's start time, panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = model::parse::tasks::parse_active(&text);
    let _ = model::parse::tasks::parse_index(&text, false);
    let _ = model::parse::tasks::parse_index(&text, true);
    let _ = model::parse::tasks::start_ticks(&text);
});
