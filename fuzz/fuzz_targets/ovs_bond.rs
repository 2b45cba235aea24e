#![no_main]
//! No bytes make the ovs-appctl bond/show parser panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = model::parse::ovs_bond::parse(&String::from_utf8_lossy(bytes));
});
