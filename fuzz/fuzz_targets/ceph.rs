#![no_main]
//! No bytes make the parsers of ceph's answers panic.

use libfuzzer_sys::fuzz_target;
use model::fact::ceph::DaemonKind;
use model::parse::ceph;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = ceph::parse(&text);
    let _ = ceph::ok_to_stop::parse(Some(DaemonKind::Mon), &["c".to_owned()], &text);
});
