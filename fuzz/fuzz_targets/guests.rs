#![no_main]
//! No bytes make the parsers of guests' files, of their list, and of who runs panic.

use libfuzzer_sys::fuzz_target;
use model::fact::guests::GuestKind;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = model::parse::guests::config::parse(&GuestKind::Machine, &text);
    let _ = model::parse::guests::config::parse(&GuestKind::Container, &text);
    let _ = model::parse::guests::parse_list(&text);
    let _ = model::parse::guests::running_containers(&text);
    let _ = model::parse::guests::is_machine(&text, 100);
});
