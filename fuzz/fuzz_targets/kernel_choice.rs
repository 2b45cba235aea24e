#![no_main]
//! No bytes make the parsers of what names the kernel that boots next panic.

use libfuzzer_sys::fuzz_target;
use model::parse::kernel_choice;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = kernel_choice::pin(&text);
    let _ = kernel_choice::grub_default(&text);
    let _ = kernel_choice::grub_environment(&text);
    let _ = kernel_choice::installed(text.lines());
    let _ = kernel_choice::running(&text);
});
