#![no_main]
//! No bytes make the VLAN parser panic, and every port's ranges are in order and without overlap.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(parsed) = model::parse::bridge_vlan::parse(&String::from_utf8_lossy(bytes)) else { return };
    for port in parsed.value {
        assert!(port.vlans.iter().all(|range| range.first <= range.last));
        assert!(port.vlans.windows(2).all(|pair| pair[0].last < pair[1].first));
    }
});
