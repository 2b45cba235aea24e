#![no_main]
//! No bytes make the bonding parser panic.

use libfuzzer_sys::fuzz_target;
use model::name::IfaceName;

fuzz_target!(|bytes: &[u8]| {
    let Ok(name) = IfaceName::new("bond0") else { return };
    let _ = model::parse::bonding::parse(name, &String::from_utf8_lossy(bytes));
});
