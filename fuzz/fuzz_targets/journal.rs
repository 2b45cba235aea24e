#![no_main]
//! No bytes make the journal's parser panic, alone, merged with themselves, or one line at a time.

use libfuzzer_sys::fuzz_target;
use model::parse::journal::{Part, merge, one, parse};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let part = || {
        let journal = parse(&text).ok()?.value;
        Some(Part { journal, read_at: Default::default() })
    };
    let parts: Vec<Part> = [part(), part()].into_iter().flatten().collect();
    let _ = merge(parts);
    for line in text.lines().take(100) {
        let _ = one(line);
    }
});
