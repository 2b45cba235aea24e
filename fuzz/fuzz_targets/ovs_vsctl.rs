#![no_main]
//! No bytes make the ovs-vsctl parser panic.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = model::parse::ovs_vsctl::parse(&String::from_utf8_lossy(bytes));
});
